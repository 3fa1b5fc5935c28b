"""A picture as a PNG that holds nothing else."""

import io

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.photo.containers.png import PIXELS, read_png


def encode_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3), uint8, RGB, as the common encoder writes it, without metadata. Nothing of the pixels is lost."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def check_png(data: bytes, name: str, exif: bytes = b"") -> None:
    """An error that begins with `name` where a PNG is damaged or holds more than its header and pixels."""
    found = read_png(data, name)
    more = [part.name for part in found.parts[1:] if part.name.encode() not in PIXELS - {b"PLTE", b"tRNS"}]
    end = found.parts[-1].offset + found.parts[-1].bytes
    if more or found.faults or exif or end != len(data):
        what = ", ".join([*more, *found.faults]) or f"{len(data) - end} bytes behind its end"
        raise CamaError(f"{name}: found {what} in the encoded file, expected a header and pixels alone")
