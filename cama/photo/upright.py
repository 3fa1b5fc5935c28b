"""A photograph's pixels as a person sees them."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from cama.container.coding import read_coding
from cama.container.exif import ORIENTATION, read_exif
from cama.container.segments import read_segments
from cama.errors import CamaError
from cama.images import read_file, read_rgb

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


def read_stored(photo: Path) -> tuple[np.ndarray, int]:
    """The pixels of a JPEG (H, W, 3), uint8, as they are stored, in sRGB where a colour profile says what they are; and the
    orientation (1 to 8) that its EXIF asks for.
    """
    jpeg = read_segments(read_file(photo), str(photo))
    read_coding(jpeg, str(photo))  # refuses what nobody should decode
    segments, orientation = jpeg.holding("Exif"), 1
    if segments:
        with contextlib.suppress(CamaError):  # damaged EXIF turns nothing
            orientation = read_exif(segments[0].payload).offset("IFD0", ORIENTATION) or 1
    picture = read_rgb(photo)
    try:
        with Image.open(photo, formats=("JPEG",)) as image:
            profile = image.info.get("icc_profile")
        if profile:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(own):
                shown = Image.fromarray(picture)
                ImageCms.profileToProfile(shown, own, ImageCms.createProfile("sRGB"), inPlace=True)
                picture = np.array(shown)
    except (OSError, ValueError, SyntaxError, TypeError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be brought to sRGB ({' '.join(str(error).split())})") from error
    return picture, orientation if orientation in TURNS else 1


def turn(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A view of a stored picture (H, W, 3) as a person is to see it."""
    return TURNS[orientation](picture)
