"""Annex K's quantisation tables (ITU-T T.81), their scaling by a quality, and the zigzag order in which files store them.

Tables are of 64 steps in the order of the 8x8 block, row by row.
"""

from collections.abc import Sequence

import numpy as np

# fmt: off
LUMINANCE = np.array([
    [16, 11, 10, 16,  24,  40,  51,  61],
    [12, 12, 14, 19,  26,  58,  60,  55],
    [14, 13, 16, 24,  40,  57,  69,  56],
    [14, 17, 22, 29,  51,  87,  80,  62],
    [18, 22, 37, 56,  68, 109, 103,  77],
    [24, 35, 55, 64,  81, 104, 113,  92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103,  99],
])
CHROMINANCE = np.array([
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *[[99] * 8] * 4,
])
# ZIGZAG[i] is the index in the block of the step that is stored in place i (T.81, figure 5).
ZIGZAG = (
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
)
# fmt: on


def scale_table(table: np.ndarray, quality: int) -> np.ndarray:
    """A table (8, 8) at a quality of 1 to 100, as the encoder of the Independent JPEG Group scales it: integers of 1 to 255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255)


def standard_quality(tables: Sequence[Sequence[int]]) -> int | None:
    """The one quality (1 to 100) at which the Independent JPEG Group's encoder writes these tables, each component's in their
    order, or None. It has the chrominance table for Cb and Cr, and the luminance table for all else.
    """
    wanted = [CHROMINANCE if number in (1, 2) and len(tables) > 2 else LUMINANCE for number in range(len(tables))]
    if len(tables) == 4 and tuple(tables[1]) == tuple(tables[0]):  # inks rather than luminance and chrominance
        wanted = [LUMINANCE] * 4
    for quality in range(100, 0, -1):
        if all(np.array_equal(scale_table(own, quality).ravel(), t) for own, t in zip(wanted, tables, strict=True)):
            return quality
    return None
