"""Bringing pictures to sRGB, from ICC profiles and from what other parts of a file say of their colours."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

Points = tuple[tuple[float, float], ...]  # chromaticities x, y of red, green, blue and white
D65 = (0.3127, 0.3290)
LEVELS = np.arange(256) / 255
# A profile that changes these colours by more than one level is not sRGB, whatever its name: greys, and all mixtures of
# channels at 0, half and full level.
MIXTURES = [np.stack(np.meshgrid(*[np.array([0, 128, 255], np.uint8)] * count), -1) for count in (3, 4)]
TESTS = {
    "L": np.arange(256, dtype=np.uint8).reshape(1, 256, 1),
    "RGB": np.stack([np.linspace(0, 255, 27).astype(np.uint8)[:, None].repeat(3, axis=1), MIXTURES[0].reshape(27, 3)]),
    "CMYK": MIXTURES[1].reshape(9, 9, 4),
}
CHANNELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # what ICC calls the colours of Pillow's modes
CLASSES = {"scnr", "mntr", "prtr", "spac"}  # profiles of devices and of colour spaces; others do not describe a picture
ICC_HEADER = 128  # bytes, the first four of which say how many there are in all
MIN_CONTRAST = 32  # levels between the darkest and the lightest test colour, below which a profile is taken for broken
# Bradford's adaptation to another white point, as in ICC.1, annex E.
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# Chromaticities and transfer characteristics by the codes of ITU-T H.273, in which 2 is "unspecified".
PRIMARIES: dict[int, Points] = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
UNSPECIFIED = 2
LIKE_SRGB = {1, 6, 13, 14, 15}  # televisions' curves are shown as sRGB's
PQ, HLG = 16, 18
PAPER_WHITE = 203  # cd/m2, that of a diffuse white in pictures of a high dynamic range (ITU-R BT.2408)


class ProfileError(ValueError):
    """A profile that cannot be applied; the text says why."""


@dataclass(frozen=True, eq=False)
class Space:
    """RGB colours: the chromaticities of red, green, blue and white, and the light (256,), 0 to 1, of each level."""

    points: Points
    light: np.ndarray

    def to_srgb(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3), uint8, in sRGB; colours outside it are clipped."""
        matrix = (np.linalg.inv(_to_xyz(SRGB.points)) @ _to_xyz(self.points)).astype(np.float32)
        light, converted = self.light.astype(np.float32), np.empty_like(picture)
        for row in range(0, len(picture), 64):  # in bands, since a large picture does not fit into memory as floats
            mixed = np.clip(light[picture[row : row + 64]] @ matrix.T, 0, 1)
            encoded = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
            converted[row : row + 64] = np.round(255 * encoded)
        return converted


def _srgb_light() -> np.ndarray:
    return np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)


SRGB = Space(PRIMARIES[1], _srgb_light())
ADOBE = Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65), LEVELS ** (563 / 256))  # Adobe RGB (1998)


def from_gamma(gamma: float, points: Points) -> Space | None:
    """The colours of which a level is light to the power of `gamma`; None for sRGB. Impossible ones are a `ProfileError`."""
    if not 0.1 <= gamma <= 10:
        raise ProfileError(f"found the gamma {gamma:g}, expected 0.1 to 10")
    xyz = _to_xyz(points)
    if not np.all(np.isfinite(xyz)) or abs(np.linalg.det(xyz)) < 1e-3:
        raise ProfileError("found chromaticities that span no colours")
    if abs(2.2 * gamma - 1) < 0.05 and np.abs(np.subtract(points, SRGB.points)).max() < 0.005:
        return None
    return Space(points, LEVELS ** (1 / gamma))


def from_cicp(primaries: int, transfer: int) -> Space | None:
    """The colours of two codes of ITU-T H.273; None for sRGB and what is shown as it. Unknown codes are a `ProfileError`."""
    primaries = 1 if primaries == UNSPECIFIED else primaries
    transfer = 13 if transfer == UNSPECIFIED else transfer
    curves = {4: LEVELS**2.2, 5: LEVELS**2.8, 8: LEVELS, PQ: _pq(), HLG: _hlg()} | dict.fromkeys(LIKE_SRGB, SRGB.light)
    if primaries not in PRIMARIES or transfer not in curves:
        raise ProfileError(f"found the unknown colours {primaries}/{transfer} of ITU-T H.273")
    if primaries == 1 and transfer in LIKE_SRGB:
        return None
    return Space(PRIMARIES[primaries], curves[transfer])


def _pq() -> np.ndarray:
    root = LEVELS ** (1 / 78.84375)
    nits = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return np.minimum(nits / PAPER_WHITE, 1)


def _hlg() -> np.ndarray:
    def scene(level: np.ndarray) -> np.ndarray:
        return np.where(level <= 0.5, level**2 / 3, (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12)

    return (
        np.minimum(scene(LEVELS) / scene(np.array(0.75)), 1) ** 1.2
    )  # 0.75 is a diffuse white; 1.2 the system's gamma


def _to_xyz(points: Points) -> np.ndarray:
    """The matrix (3, 3) from linear RGB to XYZ, adapted to the white point D65."""
    with np.errstate(all="ignore"):
        columns = np.array([[x / y if y else np.inf, 1, (1 - x - y) / y if y else np.inf] for x, y in (*points, D65)]).T
        colours, white, target = columns[:, :3], columns[:, 3], columns[:, 4]
        if not np.all(np.isfinite(columns)) or abs(np.linalg.det(colours)) < 1e-6:
            return np.full((3, 3), np.nan)
        matrix = colours * np.linalg.solve(colours, white)
        scale = (BRADFORD @ target) / (BRADFORD @ white)
        return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ matrix


def join_profile(parts: Sequence[bytes]) -> tuple[bytes, str]:
    """The ICC profile in the APP2 payloads of a JPEG, and a sentence on what is odd. The profile is empty where there is none,
    or a part of it is missing, double or contradicts another, as for libjpeg.
    """
    headers = [(part[12], part[13]) for part in parts if len(part) >= 14]
    if not parts:
        return b"", ""
    numbers, counts = [number for number, _ in headers], {count for _, count in headers}
    expected = list(range(1, len(parts) + 1))
    if len(headers) < len(parts) or counts != {len(parts)} or sorted(numbers) != expected:
        told = ", ".join(f"{number} of {count}" for number, count in headers[:8]) or "none"
        return b"", f"its colour profile was ignored: found the parts {told}, expected each once"
    whole = b"".join(part[14:] for _, part in sorted(zip(numbers, parts, strict=True)))
    if not whole:
        return b"", "its colour profile was ignored: found no byte of it"
    return (
        whole,
        "" if numbers == expected else "the parts of its colour profile were in the wrong order and were put in order",
    )


def profile_transform(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """What turns a picture of the mode L, RGB or CMYK to sRGB; None where the profile is sRGB's. A broken profile, or one of
    other colours than the picture's, is a `ProfileError`. For a grey picture a profile of RGB colours is applied to RGB.
    """
    if len(profile) < ICC_HEADER or int.from_bytes(profile[:4], "big") > len(profile):
        declared = int.from_bytes(profile[:4], "big")
        raise ProfileError(
            f"found {len(profile)} bytes, expected {max(declared, ICC_HEADER)}: it is truncated or damaged"
        )
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space, kind = own.profile.xcolor_space.strip(), own.profile.device_class.strip()
        mode = "RGB" if (mode, space) == ("L", "RGB") else mode
        if space != CHANNELS[mode] or kind not in CLASSES:
            raise ProfileError(f"found one of {space} (class {kind}), expected one of {CHANNELS[mode]} colours")
        transform = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
        test = TESTS[mode]
        picture = Image.frombytes(mode, test.shape[1::-1], test.tobytes())
        converted = np.asarray(ImageCms.applyTransform(picture, transform))
    except ProfileError:
        raise
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        raise ProfileError(f"it is damaged ({' '.join(str(error).split())})") from error
    if np.ptp(converted) < MIN_CONTRAST:
        raise ProfileError("it is damaged (it makes all colours alike)")
    if mode != "CMYK" and np.abs(converted.astype(int) - test).max() <= 1:
        return None
    return transform
