"""Patches, and the batches of a training. `extraction` writes the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cama import distributed
from cama.data.field import Field, Streamed, cat, take
from cama.errors import CamaError
from cama.hdf5 import open_hdf5, read_attribute, read_values
from cama.tensors import symmetry


@dataclass(frozen=True)
class Patches:
    """Patches: fields (N, S, S, 3) as stored, in memory or still in their file, and their labels."""

    fields: dict[str, Field]
    label: np.ndarray
    validation: np.ndarray
    photograph: np.ndarray
    scene: np.ndarray
    origin: np.ndarray
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, *fields: str, memory: int | None = None) -> "Patches":
        """Read the named fields of a patch file; those together larger than `memory` bytes stay there."""
        about = ("label", "validation", "photograph", "scene", "origin")
        with open_hdf5(path, *fields, *about) as file:
            streamed = memory is not None and sum(file[name].nbytes for name in fields) > memory
            return cls(
                {
                    name: Streamed(path, name) if streamed else torch.from_numpy(read_values(file, name))
                    for name in fields
                },
                *(read_values(file, name) for name in about),
                tuple(read_attribute(file, "labels")),
            )


def join(parts: Sequence[Patches]) -> Patches:
    """Patch files of several roles as one; its labels are all of theirs, in the order in which they are first named."""
    if len(parts) == 1:
        return parts[0]
    labels = tuple(dict.fromkeys(name for part in parts for name in part.labels))
    renamed = [np.array([labels.index(name) for name in part.labels])[part.label] for part in parts]
    return Patches(
        {name: cat([part.fields[name] for part in parts]) for name in parts[0].fields},
        np.concatenate(renamed),
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("validation", "photograph", "scene", "origin")
        ),
        labels,
    )


class Sampler:
    """Class-balanced batches with a random symmetry of the square; the batch of a step depends on seed and step alone. Of
    several processes each draws its share of it.
    """

    def __init__(self, patches: Patches, fields: Sequence[str], batch: int, seed: int) -> None:
        self.patches, self.fields, self.batch, self.seed = patches, tuple(fields), batch, seed
        self.classes = len(patches.labels)
        training = ~patches.validation.astype(bool)
        self.members = [np.flatnonzero(training & (patches.label == label)) for label in range(self.classes)]
        for name, members in zip(patches.labels, self.members, strict=True):
            if not len(members):
                raise CamaError(f"patches: found no training patch of {name}, expected at least one for each label")

    def draw(self, step: int) -> tuple[list[Tensor], Tensor]:
        """The step's batch: each field (batch, S, S, 3) as stored, and labels (batch,); or this process's share of it."""
        rng = np.random.default_rng([self.seed, step])
        labels = rng.permutation((np.arange(self.batch) + rng.integers(self.classes)) % self.classes)
        rows = np.array([self.members[label][rng.integers(len(self.members[label]))] for label in labels])
        turns = rng.integers(0, 8, self.batch)
        labels, rows, turns = (values[distributed.rank() :: distributed.count()] for values in (labels, rows, turns))
        drawn = [_turned(take(self.patches.fields[name], rows), turns) for name in self.fields]
        return drawn, torch.from_numpy(labels)


def _turned(images: np.ndarray, turns: np.ndarray) -> Tensor:
    """Images (N, S, S, C), each by its symmetry of the square."""
    pixels = np.ascontiguousarray(images).view(f"V{images.itemsize * images.shape[-1]}")[..., 0]  # moved as one thing
    turned = np.empty_like(pixels)
    for turn in range(8):
        at = np.flatnonzero(turns == turn)
        turned[at] = symmetry(pixels[at], turn)
    return torch.from_numpy(turned.view(images.dtype).reshape(images.shape))
