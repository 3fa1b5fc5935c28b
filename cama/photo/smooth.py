"""Finding parts of a picture that have less noise than their structure lets expect: blurred, in a mosaic, or a plain sky."""

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

BLOCK = 8  # pixels
HALF = (
    2  # pixels: noise is looked at in the picture reduced by this, where the rounding of grey levels hides less of it
)
SHARE = 0.006  # of the area: of the windows
# The limit of noise, in grey levels of the mean absolute second difference, grows with the structure, the standard deviation
# within blocks: what is blurred keeps its slopes but loses its noise.
LIMIT, POWER = 0.16, 0.3
LEAST_NOISE, LEAST_STRUCTURE = 0.01, 0.05  # grey levels, added to both
FLAT_STEP, MAX_FLAT = (
    0.6,
    0.62,
)  # grey levels to each neighbour of a flat pixel; share of these, which cells of a mosaic exceed
ENDS = 16, 250  # grey levels: darker and brighter parts are smooth by nature
MAX_ENDS = 0.2  # share of such pixels in a window that is looked at
MAX_MEAN = 245  # grey levels of such a window


def smooth_parts(picture: np.ndarray) -> np.ndarray:
    """Which blocks of 8x8 pixels of a picture (H, W, 3), uint8, have next to no noise around them, in 0.6 % of the area, though
    it is neither black nor white there: (H // 8, W // 8), bool.
    """
    shape = tuple(length // BLOCK for length in picture.shape[:2])
    if min(shape) < BLOCK:
        return np.zeros([max(1, length) for length in shape], bool)
    luma = _luma(picture[: shape[0] * BLOCK, : shape[1] * BLOCK])
    mean, square = _reduced(luma, BLOCK), _reduced(luma * luma, BLOCK)
    noise = _reduced(np.abs(_second_difference(_reduced(luma, HALF))), BLOCK // HALF)
    structure = np.sqrt(np.maximum(0, square - mean**2))
    ends = _reduced(((luma < ENDS[0]) | (luma > ENDS[1])).astype(np.float32), BLOCK)
    flat = _reduced(_flat(luma), BLOCK)
    side = max(3, round(float(np.sqrt(SHARE * mean.size))))
    whole = uniform_filter(np.ones(shape), side, mode="constant") > 0.999  # windows over the edge are left out
    noise, structure, flat, ends, mean = (uniform_filter(v, side) for v in (noise, structure, flat, ends, mean))
    little = noise + LEAST_NOISE < LIMIT * (structure + LEAST_STRUCTURE) ** POWER
    return (little | (flat > MAX_FLAT)) & whole & (ends < MAX_ENDS) & (mean < MAX_MEAN)


def _luma(picture: np.ndarray) -> np.ndarray:
    """Luminance (H, W), float32, not rounded: rounding would be noise."""
    channels = (np.float32(share) * picture[..., n] for n, share in enumerate((0.299, 0.587, 0.114)))
    return next(channels) + next(channels) + next(channels)


def _flat(luma: np.ndarray) -> np.ndarray:
    """Which pixels (H, W) equal their four neighbours, as 1 and 0 in float32."""
    flat = np.ones(luma.shape, bool)
    across, down = (np.abs(np.diff(luma, axis=axis)) < FLAT_STEP for axis in (1, 0))
    flat[:, 1:] &= across
    flat[:, :-1] &= across
    flat[1:] &= down
    flat[:-1] &= down
    return flat.astype(np.float32)


def _reduced(values: np.ndarray, factor: int) -> np.ndarray:
    """The means of squares of `factor` pixels a side."""
    return np.asarray(Image.fromarray(values).reduce(factor))


def _second_difference(luma: np.ndarray) -> np.ndarray:
    """The second difference across of that down, a sixth of it, which slopes and straight edges do not have."""
    down = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    return np.pad((down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]) / 6, 1, "edge")
