"""What a judge's network takes of a picture, and how its answers for patches become one."""

import numpy as np

from cama.alignment import MCU
from cama.core.errors import CamaError
from cama.forensics.luminance import GREY
from cama.settings.judges import JudgeSpec

FROM_ONE = 0.02  # how far from 1 the sum of a network's probabilities may be


def cut(picture: np.ndarray, spec: JudgeSpec) -> np.ndarray:
    """The patches (N, h, w, 3), uint8, of a picture (H, W, 3), uint8, with origins at multiples of 16 pixels, as JPEG blocks
    have them. A picture smaller than a patch is a CamaError.
    """
    side = spec.patch
    if not side:
        return picture[None]
    height, width = picture.shape[:2]
    if min(height, width) < side:
        raise CamaError(f"found a picture of {width}x{height} pixels, expected at least {side} a side for a judge")
    if spec.kind == "fingerprint" or spec.patches == "centre":
        row, column = ((length - side) // 2 // MCU * MCU for length in (height, width))
        return picture[None, row : row + side, column : column + side]
    step = -(-side // MCU) * MCU
    rows, columns = (_origins(length, side, step) for length in (height, width))
    places = [(row, column) for row in rows for column in columns]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(spec.most, len(places))).round().astype(int))
    return np.stack(
        [picture[row : row + side, column : column + side] for row, column in (places[at] for at in chosen)]
    )


def _origins(length: int, side: int, step: int) -> range:
    """Where patches begin along a side, as near the centre as the grid of 16 pixels lets them."""
    count = (length - side) // step + 1
    first = (length - (count - 1) * step - side) // 2 // MCU * MCU
    return range(first, first + count * step, step)


def network_input(patches: np.ndarray, spec: JudgeSpec) -> np.ndarray:
    """Patches (N, h, w, 3), uint8, as float32 in the channels, range and layout of the judge's network."""
    low, high = spec.range
    values = patches.astype(np.float32)
    if spec.channels == "luma":
        values = (values @ GREY)[..., None]
    elif spec.channels == "bgr":
        values = values[..., ::-1]
    values *= np.float32((high - low) / 255)  # in place, since a whole photograph may be one patch
    values += np.float32(low)
    if spec.mean:
        values -= np.array(spec.mean, np.float32)
    if spec.deviation:
        values /= np.array(spec.deviation, np.float32)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if spec.layout == "nchw" else values)


def probabilities(scores: np.ndarray, output: str) -> np.ndarray:
    """The probabilities (N, classes) of scores that are `logits`, `logarithms` or `probabilities`, whose sums are 1 but for
    rounding. Logarithms may be -inf, but not all of a patch.
    """
    scores = scores.astype(np.float64)
    if not np.isfinite(scores.max(1)).all() or (output != "logarithms" and not np.isfinite(scores).all()):
        raise CamaError("found scores that are not finite")
    if output == "probabilities":
        sums = scores.sum(1, keepdims=True)
        if scores.min() < 0 or np.abs(sums - 1).max() > FROM_ONE:
            raise CamaError("found scores that are no probabilities, expected `output: logits` or `logarithms`")
        return scores / sums
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def vote(shares: np.ndarray, how: str) -> np.ndarray:
    """One answer (classes,) of the probabilities (N, classes) of patches: their mean, or the share of patches for each."""
    if how == "mean":
        return shares.mean(0)
    return np.bincount(shares.argmax(1), minlength=shares.shape[1]) / len(shares)
