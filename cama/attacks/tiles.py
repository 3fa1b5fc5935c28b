"""A picture of any size changed tile by tile, as if in one pass."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from typing import Any

import numpy as np

from cama.alignment import MCU
from cama.compute.psnr import at_psnr, change_at_psnr
from cama.compute.regions import even_out

TILE = 512  # pixels a side, on multiples of 16, so that Bayer phase and JPEG grid are the same in each
Change = Callable[[np.ndarray], np.ndarray]  # of a picture (H, W, 3), uint8, to one of that shape


def transform(
    picture: np.ndarray,
    change: Change,
    reach: int,
    psnr: float = 0,
    headroom: float = 0,
    tile: int = TILE,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """The picture (H, W, 3), uint8, that `change` makes of such a picture. Each tile, a multiple of 16 pixels a side, goes
    through it with the `reach` pixels around it that can change it, so the result is that of one pass, and memory is bounded by
    the tile, of which `workers` threads have one each. `progress` is called with the numbers of tiles done and of all tiles.
    With `psnr`, in dB, the change of the whole picture is scaled to that at last (`at_psnr`), and with `headroom`, in dB, made
    even before (`even_out`).
    """
    # to multiples of 16: G may need even sides
    sides = [length + -length % MCU for length in picture.shape[:2]]
    margin = max(MCU, -(-reach // MCU) * MCU)
    rows, columns = ([(first, min(first + tile, side)) for first in range(0, side, tile)] for side in sides)
    result = np.empty_like(picture)
    over_tiles(picture, rows, columns, margin, change, result, workers, progress)
    if not psnr:
        return result
    if headroom:
        return change_at_psnr(picture, even_out(picture, result, psnr, headroom), psnr, result)
    return at_psnr(picture[None], result[None], psnr, out=result[None])[0]


def over_tiles(
    picture: np.ndarray,
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    margin: int,
    change: Change,
    result: np.ndarray,
    workers: int,
    progress: Callable[[int, int], None],
) -> None:
    """Fill `result` (H, W, 3) tile by tile, each from `change` of the picture (H, W, 3) there, with so many pixels around it.
    `rows` and `columns`: where tiles begin and end; what of them lies behind the picture is mirrored, tile by tile, since a
    large photograph should be in memory once.
    """
    height, width = picture.shape[:2]

    def fill(place: tuple[tuple[int, int], tuple[int, int]]) -> None:
        (top, bottom), (left, right) = place
        above, before = max(0, top - margin), max(0, left - margin)
        below, after = min(bottom + margin, rows[-1][1]), min(right + margin, columns[-1][1])
        context = picture[above:below, before:after]
        missing = below - above - context.shape[0], after - before - context.shape[1]
        if any(missing):
            context = np.pad(context, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
        bottom, right = min(bottom, height), min(right, width)
        changed = change(context)
        result[top:bottom, left:right] = changed[top - above : bottom - above, left - before : right - before]

    places = list(product(rows, columns))
    for done, _ in enumerate(_each(fill, places, workers), start=1):
        progress(done, len(places))


def _each(fill: Callable[[Any], None], places: Sequence[Any], workers: int) -> Iterator[None]:
    """Do it for each place, and say after each that it is done. After an error no other begins."""
    if workers == 1:
        yield from map(fill, places)
        return
    failed = threading.Event()

    def unless_failed(place: Any) -> None:
        if failed.is_set():
            return
        try:
            fill(place)
        except BaseException:
            failed.set()  # by the thread itself: the others may begin many before this one hears of it
            raise

    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(unless_failed, place) for place in places]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
