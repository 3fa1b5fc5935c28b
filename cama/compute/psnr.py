"""PSNR, and the change of a picture made as strong as a PSNR allows, in the picture as it is delivered: in 8 bits."""

import math

import numpy as np
from scipy.optimize import brentq

TOLERANCE = 0.02  # dB
LEAST, MOST = -100.0, 20 * np.log10(4.0)  # factors of a change in dB: from one that rounding takes away to fourfold
CAP = 120.0  # dB, in place of infinity where nothing changed
STRIP = 256  # rows of pixels that are compared at a time


def psnr(image: np.ndarray, changed: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all channels; infinite for equal images."""
    # in integers, which is exact, and strip by strip, so that a large photograph fits into memory
    strips = (slice(first, first + STRIP) for first in range(0, len(image), STRIP))
    total = sum(int(np.square(image[s].astype(np.int32) - changed[s]).sum(dtype=np.int64)) for s in strips)
    return 10 * math.log10(255**2 * image.size / total) if total else math.inf


def at_psnr(before: np.ndarray, after: np.ndarray, psnr: float, dither: np.ndarray | None = None) -> np.ndarray:
    """Pictures (N, H, W, 3), uint8: `before`, of that type, plus the change towards `after`, of that shape in 0 to 255, times
    a factor of each picture's own, with which it has the PSNR `psnr`, 20 to 60 dB, after rounding: that or 0.02 dB more.

    A change that is too small is enlarged, up to fourfold, beyond which the picture has a higher PSNR; no change stays none.
    It is higher too where a step of rounding leaps over it, as in a change of equal strength everywhere. `dither`, of that
    shape in [-0.5, 0.5), is added before rounding, which spreads such steps.
    """
    noise = np.zeros((len(before), 1, 1, 1)) if dither is None else dither
    return np.stack([_at_psnr(*one, psnr) for one in zip(before, after, noise, strict=True)])


def _at_psnr(before: np.ndarray, after: np.ndarray, dither: np.ndarray, level: float) -> np.ndarray:
    change, offset = (after - before.astype(np.float32)).astype(np.float32), dither.astype(np.float32) + 0.5
    strongest, best = LEAST, before

    def excess(factor: float) -> float:
        nonlocal strongest, best
        # the step is rounded, not the sum, which would lose digits of the dither
        step = np.floor(change * np.float32(10 ** (factor / 20)) + offset)
        changed = np.clip(before + step, 0, 255).astype(np.uint8)
        above = min(psnr(before, changed), CAP) - level
        if above >= 0 and factor > strongest:
            strongest, best = factor, changed
        return 0 if 0 <= above < TOLERANCE else above

    # it falls as the factor grows, since no pixel's step shrinks: by nearly a dB for each dB, or in leaps
    if excess(MOST) < 0:
        brentq(excess, LEAST, MOST, xtol=TOLERANCE / 100)
    return best
