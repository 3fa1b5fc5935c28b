"""Which classifiers read scenes: those that are still right where the traces of the camera are gone."""

import math

import numpy as np
from scipy.ndimage import gaussian_filter

BLUR = 2.0  # standard deviation in pixels: leaves a thousandth of the amplitude at a quarter of the sampling rate
MOST = 0.5  # of its accuracy above chance that may remain of a classifier that reads cameras


def without_high_frequencies(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3), uint8, blurred by BLUR and rounded."""
    blurred = gaussian_filter(image.astype(np.float32), (BLUR, BLUR, 0))
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def remaining(clean: float, blurred: float, chance: float) -> float:
    """The share of a classifier's accuracy above chance that remains without high frequencies; NaN where there was none."""
    return (blurred - chance) / (clean - chance) if clean > chance else math.nan


def reads_scenes(clean: float, blurred: float, chance: float) -> bool:
    """Whether more than MOST of it remains."""
    return remaining(clean, blurred, chance) > MOST
