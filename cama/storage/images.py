"""Pictures as uint8 (H, W, 3), RGB: reading a file, a save with its decoding, and the centre crop."""

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cama.core.errors import CamaError, TooLargeError

JPEG_SAVES = {f"jpeg{quality}" for quality in range(1, 101)}
MAX_PIXELS = 200_000_000  # as many as a telephone's sensor has; changing such a photograph takes 2.5 GiB
MAX_BYTES = 500_000_000  # of a file
# The header of a scan of one to four components. Its marker alone (ff da) also occurs in a video appended to a picture.
SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
STRIP = 64  # rows of a picture that are copied at a time
MAX_SCANS, MAX_SCANNED_PIXELS = 12, 1_500_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `read_rgb` refuses larger pictures itself
# Pillow reads the density from EXIF, and an index of pictures, and warns where they are damaged; `inspect` tells such damage
warnings.filterwarnings("ignore", module=r"PIL\.(Tiff|Jpeg)ImagePlugin")


def read_rgb(path: Path) -> np.ndarray:
    """Decode an RGB photograph to uint8 (H, W, 3). Grey, CMYK, truncated and empty files are errors."""
    data = read_file(path)
    if not data:
        raise CamaError(f"{path}: the file is empty (0 bytes), expected an RGB photograph")
    with open_picture(data, str(path)) as image:
        if image.mode != "RGB":
            raise CamaError(f"{path}: found a picture of mode {image.mode}, expected RGB: convert it first")
        return pixels_of(load(image, str(path)))


def open_picture(data: bytes, name: str, formats: tuple[str, ...] | None = None) -> Image.Image:
    """A picture of a size and a number of scans that can be decoded, not yet decoded; errors begin with `name`."""
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:  # whose text has an address in memory
        raise CamaError(f"{name}: cannot be decoded as a photograph (of no known format)") from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name}: too large, expected at most {MAX_PIXELS} pixels in all") from error
    except Exception as error:  # of a damaged file, a decoder's own
        raise CamaError(f"{name}: cannot be decoded as a photograph ({' '.join(str(error).split())})") from error
    check_size(*image.size, name)
    if too_slow_to_decode(data, image.width, image.height):
        size = f"{image.width}x{image.height} pixels"
        raise TooLargeError(f"{name}: too large, found scan upon scan of {size}, expected a photograph")
    return image


def check_size(width: int, height: int, name: str) -> None:
    """An error that begins with `name` where there are more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise TooLargeError(f"{name}: too large, found {width}x{height} pixels, expected at most {MAX_PIXELS} in all")


def load(image: Image.Image, name: str) -> Image.Image:
    """The picture, decoded; errors begin with `name`."""
    try:
        image.load()
    except Exception as error:  # of a damaged file, a decoder's own
        raise CamaError(f"{name}: cannot be decoded as a photograph ({' '.join(str(error).split())})") from error
    return image


def too_slow_to_decode(data: bytes, width: int, height: int) -> bool:
    """Whether a file is made to keep a decoder busy: more scans than a progressive JPEG needs, over too many pixels in all."""
    scans = len(SCAN.findall(data))
    return scans > MAX_SCANS and scans * width * height > MAX_SCANNED_PIXELS


@dataclass(frozen=True, eq=False)
class Held:
    """A file in memory, in the place of a path: its name, and its bytes."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


def read_file(path: Path | Held) -> bytes:
    """The bytes of a file of at most `MAX_BYTES`; a missing or larger one is an error."""
    if isinstance(path, Held):
        if len(path.data) > MAX_BYTES:
            raise TooLargeError(f"{path}: too large, found {len(path.data)} bytes, expected at most {MAX_BYTES}")
        return path.data
    if not path.is_file():
        raise CamaError(f"{path}: no such photograph")
    if path.stat().st_size > MAX_BYTES:
        raise TooLargeError(f"{path}: too large, found {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    return path.read_bytes()


def save_and_decode(image: np.ndarray, save: str) -> np.ndarray:
    """A picture (H, W, 3), uint8, after a save as `png` or `jpegQQ` (quality QQ, chroma 4:2:0) and decoding."""
    if save == "png":
        return image.copy()  # it loses nothing
    if save not in JPEG_SAVES:
        raise CamaError(f"save: found {save!r}, expected 'png', or 'jpeg' and a quality of 1 to 100, such as 'jpeg85'")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(save[4:]), subsampling="4:2:0")
    return decoded(buffer.getvalue())


def decoded(data: bytes) -> np.ndarray:
    """The pixels (H, W, 3), uint8, of a JPEG file that was just written."""
    with Image.open(io.BytesIO(data)) as image:
        return pixels_of(image)


def pixels_of(image: Image.Image) -> np.ndarray:
    """The pixels (H, W, 3), uint8, of an RGB image."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, part in strips_of(image):
        pixels[rows] = part
    return pixels


def strips_of(image: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows of an image after others, as slices and their pixels: Pillow gives a whole picture by way of two copies, which
    for a large photograph is too much memory.
    """
    for top in range(0, image.height, STRIP):
        rows = slice(top, min(top + STRIP, image.height))
        yield rows, np.asarray(image.crop((0, rows.start, image.width, rows.stop)))


def centre_crop(picture: np.ndarray, side: int, step: int) -> np.ndarray:
    """The centre crop of (H, W, ...), with sides of at most `side`; its origin and sides are multiples of `step` pixels."""
    sides = [min(side, length // step * step) for length in picture.shape[:2]]
    row, column = ((length - crop) // 2 // step * step for length, crop in zip(picture.shape[:2], sides, strict=True))
    return picture[row : row + sides[0], column : column + sides[1]]
