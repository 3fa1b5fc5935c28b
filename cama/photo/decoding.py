"""Decoding a photograph of any container to RGB as stored or to sRGB, and its orientation."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from cama.core.errors import CamaError
from cama.jpeg.division import divide, find_start
from cama.jpeg.exif import ASCII, INTEROP_INDEX, ORIENTATION, UTF8, Exif, read_exif
from cama.jpeg.exif_text import text_of
from cama.jpeg.names import camera_name
from cama.jpeg.tolerant import Reading, read_tolerant, require_whole
from cama.photo.colour import ADOBE, ProfileError, Space, join_profile, profile_transform
from cama.photo.containers.container import Container
from cama.photo.containers.reading import read_container
from cama.storage.images import Held, check_size, load, open_picture, pixels_of, read_file

# From the stored picture to the upright one, by EXIF orientation.
ORIENTATIONS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, 3),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: np.rot90(picture),
}
# In an XMP packet: an attribute, or the content of an element.
XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*(-?\d+)\s*[\"'<]")


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph: `image` of the mode L, RGB or CMYK as it is stored, with what brings it to sRGB, and the EXIF
    `orientation` (1 to 8) that turns it upright. `warnings` are sentences on what was ignored or changed.
    """

    image: Image.Image
    profile: ImageCms.ImageCmsTransform | None
    space: Space | None  # of the colours, where there is no `profile`; None for sRGB
    orientation: int
    warnings: tuple[str, ...]

    def rgb(self) -> np.ndarray:
        """The picture (H, W, 3), uint8, with its levels as stored; CMYK becomes sRGB."""
        return self.srgb() if self.image.mode == "CMYK" else self._as_rgb()

    def srgb(self) -> np.ndarray:
        """The picture (H, W, 3), uint8, in sRGB."""
        if self.profile is not None:
            mode = self.profile.input_mode
            image = self.image if self.image.mode == mode else self.image.convert(mode)
            return pixels_of(ImageCms.applyTransform(image, self.profile))
        picture = self._as_rgb()
        return picture if self.space is None else self.space.to_srgb(picture)

    def _as_rgb(self) -> np.ndarray:
        return pixels_of(self.image if self.image.mode == "RGB" else self.image.convert("RGB"))


def read_photograph(photo: Path | Held) -> Photograph:
    """Decode a JPEG, or the first or primary picture of a PNG, WebP, TIFF, HEIC or AVIF file. The colour profile is ignored
    with a warning where it is broken, in part missing, or of other colours than the picture. A JPEG that does not decode
    whole is an error.
    """
    data, name = read_file(photo), str(photo)
    container = read_container(data, name)
    return decode(read_tolerant(data, name) if container is None else container, name)


def read_camera(photo: Path | Held) -> tuple[str, str]:
    """Make and model in the EXIF of a photograph, without decoding its picture; empty where there are none."""
    data = read_file(photo)
    container, start = read_container(data, str(photo)), find_start(data)
    if container is not None:
        payloads = [container.exif] if container.exif else []
    else:
        segments = divide(data, start, True, frozenset()).segments if start is not None else []
        payloads = [segment.payload for segment in segments if segment.kind == "Exif"]
    exif = _first_exif(payloads)
    return camera_name(exif) if exif else ("", "")


def decode(file: Reading | Container, name: str) -> Photograph:
    """As `read_photograph`, of a file that was read; errors begin with `name`."""
    space, warnings = None, []
    container = file if isinstance(file, Container) else None
    if isinstance(file, Reading):
        require_whole(file, name)
        jpeg = file.jpeg
        image = load(open_picture(file.picture, name, ("JPEG",)), name)
        profile, odd = join_profile([segment.payload for segment in jpeg.of_kind("ICC")])
        warnings += [odd] if odd else []
        exif = _first_exif([segment.payload for segment in jpeg.of_kind("Exif")])
        xmp = b"".join(segment.payload for segment in jpeg.of_kind("XMP"))
    else:
        check_size(container.width, container.height, name)
        image, changes = _decode(container, name)
        warnings += [*container.warnings, *changes]
        profile, space, xmp = container.icc, container.space, container.xmp
        exif = _first_exif([container.exif] if container.exif else [])
    transform = None
    if profile:
        try:
            transform, space = profile_transform(image.mode, profile), None
        except ProfileError as error:
            warnings.append(f"its colour profile was ignored: {error}")
            profile = b""
    if not profile and space is None and exif and exif.get("Interop", INTEROP_INDEX) == "R03":  # DCF's mark
        space = ADOBE
    if image.mode == "CMYK" and transform is None:
        warnings.append("it is in CMYK without a colour profile that fits: its colours are not exact")
        space = None
    orientation, odd = _orientation(exif, xmp)
    warnings += odd
    if container is not None and container.turned:
        if orientation != 1 and not container.turns:
            warnings.append(f"the orientation {orientation} in its EXIF was ignored, since its container has none")
        orientation = 1
    return Photograph(image, transform, space, orientation, tuple(warnings))


def read_srgb(photo: Path | Held) -> tuple[np.ndarray, int, list[str]]:
    """The picture of a photograph (H, W, 3), uint8, as stored, without its orientation, converted to sRGB from its colour
    profile or what else its file says of its colours; its EXIF orientation (1 to 8); and warnings, as sentences.
    """
    photograph = read_photograph(photo)
    try:
        return photograph.srgb(), photograph.orientation, list(photograph.warnings)
    except (ValueError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be brought to sRGB ({' '.join(str(error).split())})") from error


def orient(picture: np.ndarray, orientation: int) -> np.ndarray:
    """An upright view of a stored picture (H, W, 3) with an EXIF `orientation` of 1 to 8."""
    return ORIENTATIONS[orientation](picture)


def _decode(container: Container, name: str) -> tuple[Image.Image, list[str]]:
    try:
        return container.decode()
    except CamaError:
        raise
    except Exception as error:  # of a damaged file, a decoder's own
        raise CamaError(f"{name}: cannot be decoded as a photograph ({' '.join(str(error).split())})") from error


def _first_exif(payloads: list[bytes]) -> Exif | None:
    """The first EXIF, or None where there is none or it cannot be read."""
    try:
        return read_exif(payloads[0]) if payloads else None
    except CamaError:
        return None


def _orientation(exif: Exif | None, xmp: bytes) -> tuple[int, list[str]]:
    """The orientation (1 to 8) in EXIF or, where that has none, in XMP; and a warning where it was ignored."""
    entry = next((e for e in exif.entries if (e.group, e.tag) == ("IFD0", ORIENTATION)), None) if exif else None
    if entry is not None:
        value = _number(entry.value, entry.kind)
    else:
        match = XMP_ORIENTATION.search(xmp)
        if match is None:
            return 1, []
        value = int(match[1][:9])
    if value in ORIENTATIONS:
        return value, []
    told = text_of(entry, exif) if entry is not None else str(value)
    return 1, [f"its orientation was ignored: found {told[:20] or 'nothing'}, expected 1 to 8"]


def _number(value: Any, kind: int) -> int | None:
    """The first number of an entry's value, of whatever type; None where it has none."""
    if isinstance(value, bytes):
        return value[0] if value else None
    if kind in (ASCII, UTF8):
        return int(value.strip()) if re.fullmatch(r"\s*\d{1,3}\s*", value, re.ASCII) else None
    while isinstance(value, tuple):  # several values, or a fraction
        if len(value) == 2 and kind in (5, 10) and not isinstance(value[0], tuple):
            numerator, denominator = value
            return numerator // denominator if denominator and numerator % denominator == 0 else None
        value = value[0] if value else None
    return int(value) if isinstance(value, (int, float)) and value == value // 1 else None
