"""Finding parts of a picture that are much smoother than the rest: blurred or painted over, or a plain sky."""

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

BLOCK = 8  # pixels
SHARE = 0.006  # of the area: of the windows
MAX_LEVEL = 0.135  # grey levels of the mean absolute second difference in a smooth part
MAX_RATIO = 0.3  # of that of the picture's median window
ENDS = 16, 250  # grey levels: darker and brighter parts are smooth by nature
MAX_ENDS = 0.2  # share of such pixels in a window that is looked at


def smooth_parts(picture: np.ndarray) -> np.ndarray:
    """Which blocks of 8x8 pixels of a picture (H, W, 3), uint8, have next to no noise and texture around them, in 0.6 % of the
    area, though it is neither black nor white there: (H // 8, W // 8), bool.
    """
    luma = np.asarray(Image.fromarray(picture).convert("L")).astype(np.int16)
    if min(luma.shape) < 8 * BLOCK:
        return np.zeros([max(1, length // BLOCK) for length in luma.shape], bool)
    level = _blocks(np.abs(_second_difference(luma)))
    ends = _blocks((luma < ENDS[0]) | (luma > ENDS[1]))
    side = max(3, round(float(np.sqrt(SHARE * level.size))))
    means = uniform_filter(level, side, mode="constant", cval=1e3)  # windows over the edge are left out
    limit = min(MAX_LEVEL, MAX_RATIO * float(np.median(means)) + 1e-9)
    return (means < limit) & (uniform_filter(ends, side) < MAX_ENDS)


def _second_difference(luma: np.ndarray) -> np.ndarray:
    """The second difference across of that down, a sixth of it, which slopes and straight edges do not have."""
    down = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    return np.pad((down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]).astype(np.float32) / 6, 1, "edge")


def _blocks(values: np.ndarray) -> np.ndarray:
    height, width = (length // BLOCK for length in values.shape)
    cut = values[: height * BLOCK, : width * BLOCK].astype(np.float32)
    return cut.reshape(height, BLOCK, width, BLOCK).mean((1, 3))
