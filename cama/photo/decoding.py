"""Decoding a photograph to sRGB, and its EXIF orientation."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from cama.core.errors import CamaError
from cama.jpeg.exif import INTEROP_INDEX, ORIENTATION, read_exif
from cama.jpeg.tolerant import read_tolerant, require_whole
from cama.storage.images import decode_rgb, read_file

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
# A profile that changes these colours by more than one level is not sRGB, whatever its name: greys, and all mixtures of
# channels at 0, half and full level.
TEST_COLOURS = np.stack(
    [
        np.linspace(0, 255, 27).astype(np.uint8)[:, None].repeat(3, axis=1),
        np.stack(np.meshgrid(*[np.array([0, 128, 255], np.uint8)] * 3), -1).reshape(-1, 3),
    ]
)
# Linear Adobe RGB (1998) to XYZ, and XYZ to linear sRGB (IEC 61966-2-1), both with the white point D65.
ADOBE_TO_XYZ = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
XYZ_TO_SRGB = [
    [3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]
]  # fmt: skip
ADOBE_GAMMA = 563 / 256


def adobe_to_srgb(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3), uint8, from Adobe RGB (1998) to sRGB; colours outside sRGB are clipped."""
    linear = (np.arange(256, dtype=np.float32) / 255) ** ADOBE_GAMMA
    matrix = (np.array(XYZ_TO_SRGB) @ np.array(ADOBE_TO_XYZ)).astype(np.float32)
    converted = np.empty_like(picture)
    for row in range(0, len(picture), 64):  # in bands, since a large picture does not fit into memory as floats
        light = np.clip(linear[picture[row : row + 64]] @ matrix.T, 0, 1)
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        converted[row : row + 64] = np.round(255 * encoded)
    return converted


def read_srgb(photo: Path) -> tuple[np.ndarray, int]:
    """The picture of a JPEG (H, W, 3), uint8, as stored, without its orientation, converted to sRGB from its colour profile or,
    where EXIF says so (DCF's `R03`), from Adobe RGB; and its EXIF orientation (1 to 8).
    """
    reading = read_tolerant(read_file(photo), str(photo))
    require_whole(reading, str(photo))
    segments, orientation, adobe = reading.jpeg.of_kind("Exif"), 1, False
    if segments:
        with contextlib.suppress(CamaError):  # damaged EXIF is ignored
            exif = read_exif(segments[0].payload)
            orientation = exif.offset("IFD0", ORIENTATION) or 1
            adobe = exif.get("Interop", INTEROP_INDEX) == "R03"
    picture = decode_rgb(reading.picture, photo)
    try:
        with Image.open(io.BytesIO(reading.picture), formats=("JPEG",)) as image:
            profile = image.info.get("icc_profile")
        if profile:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            to_srgb = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), "RGB", "RGB")
            converted = np.asarray(ImageCms.applyTransform(Image.fromarray(TEST_COLOURS), to_srgb))
            if np.abs(converted.astype(int) - TEST_COLOURS).max() > 1:
                image = Image.fromarray(picture)
                ImageCms.applyTransform(image, to_srgb, inPlace=True)
                picture = np.array(image)
        elif adobe:
            picture = adobe_to_srgb(picture)
    except (OSError, ValueError, SyntaxError, TypeError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be brought to sRGB ({' '.join(str(error).split())})") from error
    return picture, orientation if orientation in ORIENTATIONS else 1


def orient(picture: np.ndarray, orientation: int) -> np.ndarray:
    """An upright view of a stored picture (H, W, 3) with an EXIF `orientation` of 1 to 8."""
    return ORIENTATIONS[orientation](picture)
