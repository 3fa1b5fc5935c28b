"""A photograph's pixels as a person sees them."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from cama.core.errors import CamaError
from cama.jpeg.coding import read_coding
from cama.jpeg.exif import INTEROP_INDEX, ORIENTATION, read_exif
from cama.jpeg.segments import read_segments
from cama.storage.images import read_file, read_rgb

# What an orientation asks for, as a change of rows and columns.
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, 3),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: np.rot90(picture),
}
# Colours by which a profile is told from sRGB, whatever it calls itself: greys, and mixtures of full and half channels.
COLOURS = np.stack(
    [
        np.linspace(0, 255, 27).astype(np.uint8)[:, None].repeat(3, axis=1),
        np.stack(np.meshgrid(*[np.array([0, 128, 255], np.uint8)] * 3), -1).reshape(-1, 3),
    ]
)
# Linear Adobe RGB (1998) to XYZ, and XYZ to linear sRGB (IEC 61966-2-1), both of D65.
ADOBE_TO_XYZ = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
XYZ_TO_SRGB = [
    [3.2404542, -1.5371385, -0.4985314],
    [-0.9692660, 1.8760108, 0.0415560],
    [0.0556434, -0.2040259, 1.0572252],
]
ADOBE_GAMMA = 563 / 256


def adobe_to_srgb(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3), uint8, in Adobe RGB (1998) as the same colours in sRGB; those that it does not have are clipped."""
    linear = (np.arange(256, dtype=np.float32) / 255) ** ADOBE_GAMMA
    matrix = (np.array(XYZ_TO_SRGB) @ np.array(ADOBE_TO_XYZ)).astype(np.float32)
    turned = np.empty_like(picture)
    for row in range(0, len(picture), 64):  # of a large picture floats do not fit
        light = np.clip(linear[picture[row : row + 64]] @ matrix.T, 0, 1)
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        turned[row : row + 64] = np.round(255 * encoded)
    return turned


def read_stored(photo: Path) -> tuple[np.ndarray, int]:
    """The pixels of a JPEG (H, W, 3), uint8, as they are stored, in sRGB where a colour profile says what they are, or EXIF
    that they are in Adobe RGB (DCF's `R03`); and the orientation (1 to 8) that its EXIF asks for.
    """
    jpeg = read_segments(read_file(photo), str(photo))
    read_coding(jpeg, str(photo))  # refuses what nobody should decode
    segments, orientation, adobe = jpeg.of_kind("Exif"), 1, False
    if segments:
        with contextlib.suppress(CamaError):  # damaged EXIF turns nothing
            exif = read_exif(segments[0].payload)
            orientation = exif.offset("IFD0", ORIENTATION) or 1
            adobe = exif.get("Interop", INTEROP_INDEX) == "R03"
    picture = read_rgb(photo)
    try:
        with Image.open(photo, formats=("JPEG",)) as image:
            profile = image.info.get("icc_profile")
        if profile:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            to_srgb = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), "RGB", "RGB")
            sample = Image.fromarray(COLOURS)
            if np.abs(np.asarray(ImageCms.applyTransform(sample, to_srgb)).astype(int) - COLOURS).max() > 1:
                shown = Image.fromarray(picture)
                ImageCms.applyTransform(shown, to_srgb, inPlace=True)
                picture = np.array(shown)
        elif adobe:
            picture = adobe_to_srgb(picture)
    except (OSError, ValueError, SyntaxError, TypeError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be brought to sRGB ({' '.join(str(error).split())})") from error
    return picture, orientation if orientation in TURNS else 1


def turn(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A view of a stored picture (H, W, 3) as a person is to see it."""
    return TURNS[orientation](picture)
