"""JPEG files that the tests of the container share."""

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from cama.jpeg.segments import FRAMES, Jpeg, Segment, read_segments


def scene(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A picture (height, width, 3), uint8, with coarse and fine structure."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    coarse = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float)
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray | None = None, **options: object) -> bytes:
    """A JPEG file as Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(scene() if picture is None else picture).save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def with_frame(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with another frame header."""
    parts = [
        Segment(part.marker, change(part.payload) if part.marker in FRAMES else part.payload, part.scan)
        for part in read_segments(data).segments
    ]
    return Jpeg(tuple(parts)).to_bytes()


def many_scans(side: int, count: int) -> bytes:
    """A small file with `count` scans over a picture of `side` pixels a side."""
    large = with_frame(jpeg(progressive=True), lambda frame: frame[:1] + struct.pack(">HH", side, side) + frame[5:])
    *parts, end = read_segments(large).segments
    return Jpeg((*parts, *[parts[-1]] * count, end)).to_bytes()
