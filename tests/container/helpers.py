"""JPEG files that the tests of the container share."""

import io

import numpy as np
from PIL import Image


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
