"""Photographs as scenes: in linear light, and shrunk, so that little is left of the traces of the cameras that took them."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from cama.core.errors import CamaError
from cama.simulation.scenes import expose_scene
from cama.storage.images import load, open_picture, read_file

SHRINK = 3  # pixels of a photograph along each side of a sample of its scene
ENCODED = np.arange(256) / 255
# IEC 61966-2-1: the light of each value of sRGB
LIGHT = np.where(ENCODED <= 0.04045, ENCODED / 12.92, ((ENCODED + 0.055) / 1.055) ** 2.4).astype(np.float32)
Device = tuple[str, int]  # its model and number


def divide(pictures: Sequence[Path], devices: Sequence[Device], seed: int) -> dict[Device, list[Path]]:
    """The pictures of each device, drawn without any that two share, and as many for each, to within one.

    Raises CamaError where one picture lies there under two names: two devices could share it.
    """
    alike: dict[int, list[Path]] = {}  # by the length of the file, since most need not be read for this
    for path in pictures:
        alike.setdefault(path.stat().st_size if path.exists() else 0, []).append(path)
    for paths in alike.values():
        known: dict[str, Path] = {}
        for path in paths if len(paths) > 1 else []:
            other = known.setdefault(hashlib.sha256(read_file(path)).hexdigest(), path)
            if other != path:
                raise CamaError(f"simulation.scenes: found one picture under two names: {other}, {path}")
    order = np.random.default_rng(seed).permutation(len(pictures))
    parts = np.array_split(order, len(devices))
    return {device: [pictures[index] for index in part] for device, part in zip(devices, parts, strict=True)}


def check_pictures(pictures: Sequence[Path], height: int, width: int) -> None:
    """Raise CamaError, which names the first one, where pictures are unreadable or too small for scenes (height, width)."""
    height, width = SHRINK * height, SHRINK * width
    small = []
    for path in pictures:
        with open_picture(read_file(path), str(path)) as image:
            if image.width < width or image.height < height:
                small.append((path, f"{image.width}x{image.height}"))
    if small:
        path, size = small[0]
        more = f", and {len(small) - 1} others that are too small" if len(small) > 1 else ""
        raise CamaError(f"{path}: found {size} pixels{more}, expected at least {width}x{height} for a scene")


@lru_cache(maxsize=1)  # the scenes of one picture follow each other
def read_picture(path: Path) -> np.ndarray:
    """A picture as (H, W, 3), uint8, in sRGB; grey and palettes become colours."""
    with open_picture(read_file(path), str(path)) as image:
        if image.mode.startswith(("I", "F")):
            raise CamaError(
                f"{path}: found a picture of mode {image.mode}, expected 8 bits a channel: convert it first"
            )
        return np.array(load(image, str(path)).convert("RGB"))


def picture_scene(picture: np.ndarray, seed: int, height: int, width: int) -> np.ndarray:
    """Linear RGB radiance (height, width, 3), float32, of a drawn place in a picture (H, W, 3), uint8, whose sides are at least
    three times as long.
    """
    rng = np.random.default_rng(seed)
    sides = SHRINK * height, SHRINK * width
    row, column = (rng.integers(length - side + 1) for length, side in zip(picture.shape[:2], sides, strict=True))
    light = LIGHT[picture[row : row + sides[0], column : column + sides[1]]]
    return expose_scene(rng, light.reshape(height, SHRINK, width, SHRINK, 3).mean(axis=(1, 3)))
