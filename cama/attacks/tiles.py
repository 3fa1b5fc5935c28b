"""A picture of any size changed tile by tile, as if in one pass."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from typing import Any

import numpy as np

from cama.alignment import MCU
from cama.compute.psnr import at_psnr

TILE = 512  # pixels a side, on multiples of 16, so that Bayer phase and JPEG grid are the same in each
Change = Callable[[np.ndarray], np.ndarray]  # of a picture (H, W, 3), uint8, to one of that shape


def transform(
    picture: np.ndarray,
    change: Change,
    reach: int,
    psnr: float = 0,
    tile: int = TILE,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """The picture (H, W, 3), uint8, that `change` makes of such a picture. Each tile, a multiple of 16 pixels a side, goes
    through it with the `reach` pixels around it that can change it, so the result is that of one pass, and memory is bounded by
    the tile, of which `workers` threads have one each. `progress` is called with the numbers of tiles done and of all tiles.
    With `psnr`, in dB, the change of the whole picture is scaled to that at last (`at_psnr`).
    """
    height, width = picture.shape[:2]
    # to multiples of 16 by mirroring: G may need even sides, and no photograph ends with a jump
    below, right = -height % MCU, -width % MCU
    padded = picture if not (below or right) else np.pad(picture, ((0, below), (0, right), (0, 0)), mode="symmetric")
    margin = -(-reach // MCU) * MCU
    rows, columns = ([(first, first + tile) for first in range(0, length, tile)] for length in padded.shape[:2])
    result = np.empty_like(padded)
    over_tiles(padded, rows, columns, margin, change, result, workers, progress)
    changed = result[:height, :width]
    return at_psnr(picture[None], changed[None], psnr)[0] if psnr else changed


def over_tiles(
    padded: np.ndarray,
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    margin: int,
    change: Change,
    result: np.ndarray,
    workers: int,
    progress: Callable[[int, int], None],
) -> None:
    """Fill `result` (H, W, 3) tile by tile, each from `change` of the picture `padded` (H, W, 3) there, with so many pixels
    around it. `rows` and `columns`: where tiles begin and end.
    """

    def fill(place: tuple[tuple[int, int], tuple[int, int]]) -> None:
        (top, bottom), (left, right) = place
        above, before = max(0, top - margin), max(0, left - margin)
        changed = change(padded[above : bottom + margin, before : right + margin])
        result[top:bottom, left:right] = changed[top - above : bottom - above, left - before : right - before]

    places = list(product(rows, columns))
    for done, _ in enumerate(_each(fill, places, workers), start=1):
        progress(done, len(places))


def _each(fill: Callable[[Any], None], places: Sequence[Any], workers: int) -> Iterator[None]:
    """Do it for each place, and say after each that it is done. After an error no other begins."""
    if workers == 1:
        yield from map(fill, places)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(fill, place) for place in places]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
