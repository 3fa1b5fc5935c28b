"""A change of a picture made even: none of its low frequencies, and no region of the picture changed much more than the whole.

A PSNR of the whole picture lets a change be spent on few places, where it is seen: sharp edges, dark areas, single colours.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cama.alignment import MCU
from cama.compute.psnr import LARGE, MOST

REGION = MCU  # pixels a side
STRIP = 4 * REGION  # rows of pixels at a time: a large photograph does not fit into memory as floats


def even_out(before: np.ndarray, after: np.ndarray, psnr: float, headroom: float) -> np.ndarray:
    """The change from `before` to `after`, pictures (H, W, 3), uint8, without means over regions of 16x16 pixels, and weaker in
    some, so that once it is scaled to `psnr` dB (`change_at_psnr`) no region has over `headroom` dB more of it than the
    picture. In grey levels, float16, or of a picture of more than 300 MB int8, to save memory.

    Means and factors of regions are interpolated between their centres, so that no border is seen; each factor is the least of
    a region and those around it, so that interpolation leaves none more.
    """
    height, width = before.shape[:2]
    tops, lefts = np.arange(0, height, REGION), np.arange(0, width, REGION)
    means = np.empty((len(tops), len(lefts), 3), np.float32)
    powers = np.empty(means.shape[:2], np.float64)
    pixels = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    for rows, regions in _strips(height):
        change = after[rows].astype(np.float32) - before[rows]
        count = pixels[regions, :, None]
        means[regions] = _sums(change, lefts) / count
        powers[regions] = (_sums(np.square(change), lefts) / count - np.square(means[regions])).mean(-1).clip(0)
    factors = _factors(powers, pixels, 255**2 * 10 ** (-psnr / 10), 10 ** (headroom / 10))
    result = np.empty(after.shape, np.int8 if after.nbytes > LARGE else np.float16)
    for rows, _ in _strips(height):
        low, factor = (_interpolated(one, rows, width) for one in (means, factors[..., None]))
        change = (after[rows].astype(np.float32) - before[rows] - low) * factor
        result[rows] = change if result.dtype == np.float16 else np.clip(np.rint(change), -128, 127)
    return result


def _strips(height: int) -> Iterator[tuple[slice, slice]]:
    """Rows of pixels, and of regions."""
    for top in range(0, height, STRIP):
        yield slice(top, min(top + STRIP, height)), slice(top // REGION, (top + STRIP) // REGION)


def _sums(values: np.ndarray, lefts: np.ndarray) -> np.ndarray:
    """Sums over the regions of a strip (rows, W, 3)."""
    return np.add.reduceat(np.add.reduceat(values, np.arange(0, len(values), REGION), axis=0), lefts, axis=1)


def _factors(powers: np.ndarray, pixels: np.ndarray, power: float, most: float) -> np.ndarray:
    """A factor, 1 at most, for the change of each region, of these `powers` and numbers of `pixels`, so that once all are
    scaled to a mean of `power`, none has more than `most` times that.
    """
    limits = np.sqrt(most * power / powers.clip(1e-9))
    limits = sliding_window_view(np.pad(limits, 1, mode="edge"), (3, 3)).min((2, 3))
    low, high = 0.0, 10 ** (MOST / 20)  # of the scale, which is that of all that stay below
    for _ in range(30):  # to a billionth
        scale = (low + high) / 2
        found = np.average(np.square(np.minimum(scale, limits)) * powers, weights=pixels)
        low, high = (scale, high) if found < power else (low, scale)
    return np.minimum(1, limits / scale).astype(np.float32)


def _interpolated(values: np.ndarray, rows: slice, width: int) -> np.ndarray:
    """Values (h, w, C) of regions, between their centres, at these rows and all columns of pixels."""
    top, bottom, weight = _between(np.arange(rows.start, rows.stop), len(values))
    across = values[top] + (values[bottom] - values[top]) * weight[:, None, None]
    left, right, weight = _between(np.arange(width), values.shape[1])
    return across[:, left] + (across[:, right] - across[:, left]) * weight[:, None]


def _between(pixels: np.ndarray, regions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The regions before and after each pixel of a side, and how far between their centres it lies, 0 to 1."""
    place = np.clip((pixels + 0.5) / REGION - 0.5, 0, regions - 1)
    first = place.astype(int)
    return first, np.minimum(first + 1, regions - 1), (place - first).astype(np.float32)
