"""An array of a patch file, (N, S, S, 3): a tensor in memory, or read from the file patch by patch."""

from collections.abc import Sequence

import h5py
import numpy as np
import torch
from torch import Tensor

from cama.storage.hdf5 import read_rows


class FileArray:
    """An array that is read patch by patch, for what is larger than the memory; every patch is checked against its checksum."""

    def __init__(self, file: h5py.File, name: str) -> None:
        self._file, self._name = file, name

    def __len__(self) -> int:
        return len(self._file[self._name])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Patches (n, S, S, 3)."""
        return np.stack([read_rows(self._file, self._name, int(row)) for row in rows])


class ConcatenatedArray:
    """Several arrays as one, of which at least one is streamed."""

    def __init__(self, parts: Sequence["PatchArray"]) -> None:
        self._parts, self._ends = list(parts), np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Patches (n, S, S, 3)."""
        places = np.searchsorted(self._ends, rows, side="right")
        starts = np.concatenate([[0], self._ends])[places]
        return np.concatenate(
            [take(self._parts[part], np.array([row])) for part, row in zip(places, rows - starts, strict=True)]
        )


PatchArray = Tensor | FileArray | ConcatenatedArray


def take(array: PatchArray, rows: np.ndarray) -> np.ndarray:
    """Some patches (n, S, S, 3) of an array."""
    return array.numpy()[rows] if isinstance(array, Tensor) else array.take(rows)


def concatenate(arrays: Sequence[PatchArray]) -> PatchArray:
    """Several arrays as one."""
    return torch.cat(arrays) if all(isinstance(array, Tensor) for array in arrays) else ConcatenatedArray(arrays)


def standard_deviation(array: PatchArray, block: int = 1024) -> float:
    """The standard deviation of all values of an array, read block by block."""
    count, total, squares = 0, 0.0, 0.0
    for first in range(0, len(array), block):
        values = take(array, np.arange(first, min(first + block, len(array)))).astype(np.float64)
        count, total, squares = count + values.size, total + values.sum(), squares + np.square(values).sum()
    return float(np.sqrt((squares - total**2 / count) / (count - 1)))
