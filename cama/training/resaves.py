"""Changes of a classifier's patches in training that keep it from reading the place of the JPEG grid, or the last save alone.

They are real saves, without gradients; `augmentation` changes G's pictures.
"""

import io
from functools import partial

import numpy as np
from PIL import Image

from cama.alignment import MCU
from cama.data.patches import Change
from cama.settings.training import ResavesSpec

SUBSAMPLINGS = ("4:4:4", "4:2:0")


def changes(spec: ResavesSpec) -> Change | None:
    """What changes the patches of a training, which are uint8; None where nothing does."""
    return partial(_change, spec) if spec.jpeg or spec.rounding else None


def _change(spec: ResavesSpec, patches: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Each patch changed by what is drawn from its own seed: rounded first, then saved."""
    changed = np.empty_like(patches)
    for index, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        rounded, saved = rng.random(2) < (spec.rounding, spec.jpeg)
        patch = _round_again(patches[index], rng) if rounded else patches[index]
        changed[index] = _save(patch, spec.jpeg_quality, rng) if saved else patch
    return changed


def _round_again(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each value changed by -1, 0 or 1, with shares of 1/4, 1/2 and 1/4."""
    bits = np.frombuffer(rng.bytes(patch.size), np.uint8).reshape(patch.shape)
    steps = (bits & 1).astype(np.int16) - (bits >> 1 & 1)
    return np.clip(patch + steps, 0, 255).astype(np.uint8)


def _save(patch: np.ndarray, qualities: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The patch (S, S, 3) after a save as JPEG of a drawn quality and subsampling, on a grid that begins at a drawn place.

    The patch lies in a picture of whole MCUs, which is filled by reflection. The place is drawn among the 16 x 16 of an MCU,
    not the 8 x 8 of a block, since chroma's grid is as coarse with 4:2:0.
    """
    side = len(patch)
    quality = int(rng.integers(qualities[0], qualities[1] + 1))
    subsampling = SUBSAMPLINGS[rng.integers(len(SUBSAMPLINGS))]
    top, left = rng.integers(0, MCU, 2).tolist()
    around = [(start, -(start + side) % MCU) for start in (top, left)]
    buffer = io.BytesIO()
    picture = Image.fromarray(np.pad(patch, [*around, (0, 0)], mode="reflect"))
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(buffer, formats=("JPEG",)) as decoded:
        return np.asarray(decoded)[top : top + side, left : left + side]
