"""Thumbnails and previews as they are found, and what comparing them with their picture gives (`likeness`)."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from cama.storage.images import MAX_PIXELS, too_slow_to_decode

Verdict = Literal["same", "differs", "undecided"]
MAX_SIDE = 400  # pixels: larger previews are compared reduced


@dataclass(frozen=True)
class Thumbnail:
    """A decoded thumbnail: its size as stored, its pixels (h, w, 3), uint8, of at most `MAX_SIDE`, and its quantisation table
    (8, 8) of luminance, or None where the pixels are reduced or do not come from a JPEG.
    """

    width: int
    height: int
    pixels: np.ndarray
    steps: np.ndarray | None = None


@dataclass(frozen=True)
class Comparison:
    """What comparing found; `box`: left, top, right, bottom in pixels of the picture as stored, or None; `reason`."""

    verdict: Verdict
    box: list[int] | None
    reason: str


def read_thumbnail(data: bytes) -> Thumbnail | None:
    """The decoded thumbnail, or None where it is no JPEG, cannot be decoded, or is too large."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or too_slow_to_decode(data, width, height):
                return None
            image.draft(image.mode, (MAX_SIDE, MAX_SIDE))
            table = getattr(image, "quantization", {}).get(0)
            return from_image(image.convert("RGB"), (width, height), table)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def from_image(image: Image.Image, size: tuple[int, int], table: list[int] | None = None) -> Thumbnail:
    """A thumbnail of `size` (width, height) from its pixels, RGB, which may be fewer."""
    factor = -(-max(image.size) // MAX_SIDE)
    whole = factor == 1 and image.size == size
    pixels = np.asarray(image if factor == 1 else image.reduce(factor))
    steps = np.reshape(np.array(table, float), (8, 8)) if whole and table is not None else None
    return Thumbnail(*size, pixels, steps)
