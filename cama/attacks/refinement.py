"""Gradient steps on E from G's picture. Of the power of the change that a PSNR allows, G has a share, and the steps the rest.

G knows what most photographs need, the steps what this one needs. They are those of MI-FGSM (Dong et al. 2018), but each goes
by one of E's classifiers, in turn, which takes a fraction of the time of all at each step.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from cama.alignment import MCU
from cama.attacks.steps import fitting_bound
from cama.attacks.tiles import TILE, over_tiles
from cama.compute.psnr import at_psnr

SHARE = 0.7  # of the power, that is G's: chosen among 0.3 to 0.85 on cameras of development
GENERATOR, STEPS = (-10 * np.log10(part) for part in (SHARE, 1 - SHARE))  # dB of each part above that of both
SMALLEST = 64  # pixels a side of a picture that E can judge: a training patch
LARGE = 300_000_000  # bytes of a picture, of 100 megapixels
MARGIN = MCU  # pixels around a tile that its steps see, so that they are not those of a picture's edge


def refine(
    picture: np.ndarray,
    start: np.ndarray,
    walk: Callable[[np.ndarray, float], np.ndarray],
    psnr: float,
    tile: int = TILE,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The picture (H, W, 3), uint8, which has `psnr` dB (see `at_psnr`), that steps on E make of `start`, G's picture of
    `picture`, at `psnr` + `GENERATOR` dB. `walk` makes of such a picture that after the steps, in 0 to 255 and not rounded,
    each pixel within a bound in grey levels (see `momentum_steps`).

    In equal tiles of at most `tile` pixels a side, multiples of 16, each of which E sees as a picture of its own, with some
    pixels around it, in so many threads. `progress` is called with the numbers of tiles done and of all tiles.
    `out` is where the picture goes; it may be `start`.
    """
    rows, columns = (_equal(max(length + -length % MCU, SMALLEST), tile) for length in start.shape[:2])
    # an eighth of a grey level is exact enough, and half the memory; where that is still too much, whole ones must do
    whole = start.nbytes > LARGE
    result = np.empty(start.shape, np.uint8 if whole else np.float16)

    def step(context: np.ndarray) -> np.ndarray:
        walked = walk(context, bound)
        return np.rint(walked) if whole else walked

    bound = fitting_bound("mi_fgsm", psnr + STEPS)
    over_tiles(start, rows, columns, MARGIN, step, result, workers, progress)
    return at_psnr(picture[None], result[None], psnr, out=None if out is None else out[None])[0]


def _equal(length: int, most: int) -> list[tuple[int, int]]:
    """Where parts of a side begin and end, in whole MCUs: as few as fit, and as equal as that allows."""
    count = -(-length // most)
    places = [length // MCU * part // count * MCU for part in range(count + 1)]
    return list(pairwise(places))
