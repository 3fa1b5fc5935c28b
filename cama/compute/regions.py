"""A change of a picture made even: its low frequencies taken out, and no region changed much more than the whole.

A PSNR of the whole picture lets a change be spent on few places, where it is seen: sharp edges, dark areas, single colours.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cama.alignment import MCU
from cama.compute.psnr import MOST

REGION = MCU  # pixels a side
Rows = Callable[[slice], np.ndarray]  # of rows of a picture to their values (rows, W, C)


def even_out(before: np.ndarray, after: np.ndarray, psnr: float, headroom: float) -> Rows:
    """The change from `before` to `after`, pictures (H, W, 3), uint8, of some rows, float32: without what varies over more than
    about 32 pixels, and weaker in some regions of 16x16 pixels, so that once it is scaled to `psnr` dB (`change_at_psnr`) none
    has over `headroom` dB more of it than that is on average. It reads no other rows.

    Means and factors of regions are interpolated between their centres, so that no border is seen; each factor is the least of
    a region and those around it, so that interpolation leaves none more.
    """
    grid = _Grid(*before.shape[:2])

    def change(rows: slice) -> np.ndarray:
        return after[rows].astype(np.float32) - before[rows]

    means = grid.means(change)
    low = 2 * means - grid.between(means)  # what is interpolated between them has means nearly theirs

    def detail(rows: slice) -> np.ndarray:
        return change(rows) - grid.at(low, rows)

    powers = grid.means(lambda rows: np.square(detail(rows))).mean(-1)
    factors = _factors(powers, grid.pixels, 255**2 * 10 ** (-psnr / 10), 10 ** (headroom / 10))[..., None]
    return lambda rows: detail(rows) * grid.at(factors, rows)


class _Grid:
    """The regions of a picture. A rest of less than half a region belongs to the one before."""

    def __init__(self, height: int, width: int) -> None:
        self.edges = [np.append(np.arange(0, max(side - REGION // 2 + 1, 1), REGION), side) for side in (height, width)]
        self.centres = [(edges[1:] + edges[:-1]) / 2 for edges in self.edges]
        self.pixels = np.outer(*map(np.diff, self.edges))  # of each region

    def means(self, values: Rows) -> np.ndarray:
        """Means (h, w, C) of values over the regions, by a row of them at a time, since a large photograph does not fit into
        memory as floats.
        """
        bottoms, lefts = self.edges[0], self.edges[1][:-1]
        rows = (slice(top, bottom) for top, bottom in pairwise(bottoms))
        sums = [np.add.reduceat(values(one).sum(0, dtype=np.float64), lefts, axis=0) for one in rows]
        return (np.stack(sums) / self.pixels[..., None]).astype(np.float32)

    def at(self, values: np.ndarray, rows: slice) -> np.ndarray:
        """Values (h, w, C) of regions, between their centres, at rows of pixels."""
        height, width = (int(edges[-1]) for edges in self.edges)
        across = _between(values, np.arange(*rows.indices(height)) + 0.5, self.centres[0])
        return _between(across.swapaxes(0, 1), np.arange(width) + 0.5, self.centres[1]).swapaxes(0, 1)

    def between(self, values: np.ndarray) -> np.ndarray:
        """About the means over regions of what `at` gives of values (h, w, C)."""
        for axis in (0, 1):
            along = np.moveaxis(values, axis, 0)
            around = np.pad(along, ((1, 1), (0, 0), (0, 0)), mode="edge")
            values = np.moveaxis((around[:-2] + 6 * along + around[2:]) / 8, 0, axis)
        return values


def _between(values: np.ndarray, pixels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Values (n, m, C) along a side, at its pixels (N,): (N, m, C)."""
    place = np.interp(pixels, centres, np.arange(len(centres)))
    first = place.astype(int)
    one, other = values[first], values[np.minimum(first + 1, len(centres) - 1)]
    return one + (other - one) * (place - first).astype(np.float32)[:, None, None]


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
