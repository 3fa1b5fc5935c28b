"""A field of a patch file, (N, S, S, 3): a tensor in memory, or read from the file patch by patch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cama.storage.hdf5 import open_hdf5, read_rows


class Streamed:
    """A field that is read patch by patch, for what is larger than the memory; every patch is checked against its checksum."""

    def __init__(self, path: Path, name: str) -> None:
        self._file, self._name = open_hdf5(path), name

    def __len__(self) -> int:
        return len(self._file[self._name])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Patches (n, S, S, 3)."""
        return np.stack([read_rows(self._file, self._name, int(row)) for row in rows])


class Joined:
    """Several fields as one, of which at least one is streamed."""

    def __init__(self, parts: Sequence["Field"]) -> None:
        self._parts, self._ends = list(parts), np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Patches (n, S, S, 3)."""
        places = np.searchsorted(self._ends, rows, side="right")
        starts = np.concatenate([[0], self._ends])[places]
        found = zip(places, rows - starts, strict=True)
        return np.concatenate([take(self._parts[at], np.array([row])) for at, row in found])


Field = Tensor | Streamed | Joined


def take(field: Field, rows: np.ndarray) -> np.ndarray:
    """Some patches (n, S, S, 3) of a field."""
    return field.numpy()[rows] if isinstance(field, Tensor) else field.take(rows)


def cat(fields: Sequence[Field]) -> Field:
    """Several fields as one."""
    return torch.cat(fields) if all(isinstance(field, Tensor) for field in fields) else Joined(fields)


def deviation(field: Field, block: int = 1024) -> float:
    """The standard deviation of all values of a field, read block by block."""
    count, total, squares = 0, 0.0, 0.0
    for first in range(0, len(field), block):
        values = take(field, np.arange(first, min(first + block, len(field)))).astype(np.float64)
        count, total, squares = count + values.size, total + values.sum(), squares + np.square(values).sum()
    return float(np.sqrt((squares - total**2 / count) / (count - 1)))
