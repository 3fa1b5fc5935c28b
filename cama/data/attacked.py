"""Attacked pictures: HDF5 with `images` (T, H, W, 3) uint8, one image a chunk, and for each `set` (in, out), `row` (of the
patch file of that set), `target` (label, -1 where the method has no target: the one picture then serves every target) and
`run` (which training of the generator, from 1); attribute `targets` (the labels' names).
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cama.storage.hdf5 import open_hdf5, read_attribute, read_rows, read_values, write_hdf5

Pair = tuple[str, int, int]  # set, row, target


@dataclass(frozen=True)
class Attacked:
    """An open file of attacked pictures; the arrays are (T,)."""

    file: h5py.File
    sets: np.ndarray
    rows: np.ndarray
    aims: np.ndarray
    runs: np.ndarray
    targets: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, places: slice | int) -> np.ndarray:
        """Pictures (n, H, W, 3) uint8 of a slice of places, or one (H, W, 3)."""
        return read_rows(self.file, "images", places)


@contextlib.contextmanager
def open_attacked(path: Path) -> Iterator[Attacked]:
    """Yield the pictures of a file; a missing or damaged one is an error that names it."""
    file = open_hdf5(path, "images", "set", "row", "target", "run")
    arrays = (read_values(file, name) for name in ("set", "row", "target", "run"))
    yield Attacked(file, *arrays, tuple(read_attribute(file, "targets")))


def write_attacked(
    path: Path,
    count: int,
    attacked: Iterable[tuple[int, Pair, np.ndarray]],
    targets: tuple[str, ...],
    progress: Callable[[int], None],
) -> None:
    """Write so many pictures as they are made, each with the number of its run and its pair; `progress` gets what is done."""
    written: list[tuple[int, str, int, int]] = []
    with write_hdf5(path) as file:
        for place, (run, pair, picture) in enumerate(attacked):
            if not place:
                file.create_images("images", count, picture.shape, np.uint8)
            file.put_images("images", place, picture[None])
            written.append((run, *pair))
            progress(place + 1)
        runs, sets, rows, aims = zip(*written, strict=True)
        file.write_texts("set", sets)
        for name, values in (("row", rows), ("target", aims), ("run", runs)):
            file.write_values(name, np.array(values))
        file.write_attribute("targets", targets)
