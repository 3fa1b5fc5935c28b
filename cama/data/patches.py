"""Patches, and the batches of a training. `extraction` writes the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.tensors import symmetry
from cama.core.errors import CamaError
from cama.data.arrays import Field, Streamed, cat, take
from cama.storage.hdf5 import open_hdf5, read_attribute, read_values


@dataclass(frozen=True)
class Patches:
    """Patches: fields (N, S, S, 3) as stored, in memory or still in their file, and of each what `extraction` says."""

    fields: dict[str, Field]
    label: np.ndarray
    validation: np.ndarray
    photograph: np.ndarray
    scene: np.ndarray
    origin: np.ndarray
    device: np.ndarray
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, *fields: str, memory: int | None = None) -> "Patches":
        """Read the named fields of a patch file; those together larger than `memory` bytes stay there."""
        about = ("label", "validation", "photograph", "scene", "origin", "device")
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
            for name in ("validation", "photograph", "scene", "origin", "device")
        ),
        labels,
    )


class Sampler:
    """Class-balanced batches with a random symmetry of the square; the batch of a step depends on seed and step alone. Of
    several processes each draws its share of it. Fields that fit there are held on the GPU of `compute`, and drawn there.
    """

    def __init__(self, patches: Patches, fields: Sequence[str], batch: int, seed: int, compute: Compute) -> None:
        self.batch, self.seed, self.classes = batch, seed, len(patches.labels)
        self.fields = [patches.fields[name] for name in fields]
        held = [field for field in self.fields if isinstance(field, Tensor)]
        if len(held) == len(self.fields) and sum(field.nbytes for field in held) <= compute.room():
            self.fields = [field.to(compute.device) for field in held]
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
        labels, rows, turns = (values[processes.rank() :: processes.count()] for values in (labels, rows, turns))
        return [_drawn(field, rows, turns) for field in self.fields], torch.from_numpy(labels)


def _drawn(field: Field, rows: np.ndarray, turns: np.ndarray) -> Tensor:
    """Patches (n, S, S, C) of a field, each by its symmetry of the square."""
    if isinstance(field, Tensor) and field.device.type != "cpu":
        return turned_there(field[torch.from_numpy(rows).to(field.device)], turns)
    images = take(field, rows)
    pixels = np.ascontiguousarray(images).view(f"V{images.itemsize * images.shape[-1]}")[..., 0]  # moved as one thing
    turned = np.empty_like(pixels)
    for turn in range(8):
        at = np.flatnonzero(turns == turn)
        turned[at] = symmetry(pixels[at], turn)
    return torch.from_numpy(turned.view(images.dtype).reshape(images.shape))


def turned_there(images: Tensor, turns: np.ndarray) -> Tensor:
    """Images (n, S, S, C), each by its symmetry of the square, on the device on which they are."""
    turned = torch.empty_like(images)
    for turn in range(8):
        at = torch.from_numpy(np.flatnonzero(turns == turn)).to(images.device)
        some = torch.rot90(images[at], turn % 4, (1, 2))
        turned[at] = some.flip(2) if turn >= 4 else some
    return turned
