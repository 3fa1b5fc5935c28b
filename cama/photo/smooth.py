"""Finding parts of a picture that are smoother than its noise and texture elsewhere: blurred or painted over, or a plain sky."""

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

BLOCK = 8  # pixels
SHARE = 0.006  # of the area: of the windows
MAX_LEVEL = 0.1  # grey levels of the mean absolute second difference in a smooth part
MAX_RATIO = 0.35  # of that of the picture's median window
ENDS = 4, 250  # grey levels: darker and brighter parts are smooth by nature
MAX_ENDS = 0.2  # share of such pixels in a window that is looked at


def smooth_part(picture: np.ndarray) -> list[int] | None:
    """The box (left, top, right, bottom) in pixels around the parts of a picture (H, W, 3), uint8, that have next to no noise
    and texture, of 0.6 % of the area or more, though they are neither black nor white; None where there are none.
    """
    luma = np.asarray(Image.fromarray(picture).convert("L")).astype(np.int16)
    if min(luma.shape) < 8 * BLOCK:
        return None
    level = _blocks(np.abs(_second_difference(luma)))
    ends = _blocks((luma < ENDS[0]) | (luma > ENDS[1]))
    side = max(3, round(float(np.sqrt(SHARE * level.size))))
    half = side // 2
    inner = slice(half, -half), slice(half, -half)
    means = uniform_filter(level, side)[inner]
    usable = uniform_filter(ends, side)[inner] < MAX_ENDS
    smooth = usable & (means < min(MAX_LEVEL, MAX_RATIO * float(np.median(means)) + 1e-9))
    if not smooth.any():
        return None
    rows, columns = np.nonzero(smooth.any(1))[0], np.nonzero(smooth.any(0))[0]
    box = columns[0], rows[0], columns[-1] + side, rows[-1] + side
    height, width = luma.shape
    return [min(int(place) * BLOCK, limit) for place, limit in zip(box, (width, height) * 2, strict=True)]


def _second_difference(luma: np.ndarray) -> np.ndarray:
    """The second difference across of that down, a sixth of it, which slopes and straight edges do not have."""
    down = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    return np.pad((down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]).astype(np.float32) / 6, 1)


def _blocks(values: np.ndarray) -> np.ndarray:
    height, width = (length // BLOCK for length in values.shape)
    cut = values[: height * BLOCK, : width * BLOCK].astype(np.float32)
    return cut.reshape(height, BLOCK, width, BLOCK).mean((1, 3))
