"""Pictures on disk: uint8, HWC, RGB. Reading, saving as its receiver decodes it, and the middle of one."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cama.core.errors import CamaError

JPEG_SAVES = {f"jpeg{quality}" for quality in range(1, 101)}
MAX_PIXELS = 90_000_000  # larger than any camera of the data sets; with that, a photograph takes 2 GiB at most
MAX_BYTES = 500_000_000  # of a file
# the head of a scan, of one to four components, as decoders take it: two bytes of it alone stand in any video behind a picture
SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
MANY_SCANS, MOST_WORK = 12, 1_500_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # what is larger is an error here
# Pillow looks for the density in damaged EXIF; whoever wants to know reads it by `container.exif`
warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")


def read_rgb(path: Path) -> np.ndarray:
    """Decode an RGB photograph to uint8 (H, W, 3). Grey, CMYK, truncated and empty files are errors."""
    data = read_file(path)
    if not data:
        raise CamaError(f"{path}: the file is empty (0 bytes), expected an RGB photograph")
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = f"{image.width}x{image.height} pixels"
            if image.width * image.height > MAX_PIXELS:
                raise CamaError(f"{path}: found {size}, expected at most {MAX_PIXELS} in all")
            if takes_hours(data, image.width, image.height):
                raise CamaError(f"{path}: found scan upon scan of {size}, expected a photograph")
            if image.mode != "RGB":
                raise CamaError(f"{path}: found a picture of mode {image.mode}, expected RGB: convert it first")
            return np.array(image)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise CamaError(f"{path}: cannot be decoded as a photograph ({error})") from error


def takes_hours(data: bytes, width: int, height: int) -> bool:
    """Whether a file of few bytes would keep a decoder busy: it has more scans than a progressive JPEG needs, over too many
    pixels in all.
    """
    scans = len(SCAN.findall(data))
    return scans > MANY_SCANS and scans * width * height > MOST_WORK


def read_file(path: Path) -> bytes:
    """The bytes of a file that is not too large to be a photograph."""
    if not path.is_file():
        raise CamaError(f"{path}: no such photograph")
    if path.stat().st_size > MAX_BYTES:
        raise CamaError(f"{path}: found {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    return path.read_bytes()


def deliver(image: np.ndarray, save: str) -> np.ndarray:
    """The picture as its receiver decodes it: uint8 (H, W, 3) saved as `png` or `jpegQQ` (quality QQ), and read back."""
    buffer = io.BytesIO()
    if save == "png":
        Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    elif save in JPEG_SAVES:
        Image.fromarray(image).save(buffer, "JPEG", quality=int(save[4:]), subsampling="4:2:0")
    else:
        raise CamaError(f"save: found {save!r}, expected 'png', or 'jpeg' and a quality of 1 to 100, such as 'jpeg85'")
    with Image.open(buffer) as decoded:
        return np.array(decoded)


def centre(picture: np.ndarray, side: int, step: int) -> np.ndarray:
    """The centre crop of (H, W, ...), of at most `side`, its origin and sides on multiples of `step` pixels."""
    sides = [min(side, length // step * step) for length in picture.shape[:2]]
    row, column = ((length - crop) // 2 // step * step for length, crop in zip(picture.shape[:2], sides, strict=True))
    return picture[row : row + sides[0], column : column + sides[1]]
