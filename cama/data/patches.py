"""Patches, and the batches of a training. `crops` writes the files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cama.compute import processes
from cama.compute.device import Compute, upload
from cama.compute.tensors import symmetry
from cama.core.errors import CamaError
from cama.data.arrays import FileArray, PatchArray, concatenate, take
from cama.storage.hdf5 import open_hdf5, read_attribute, read_values

Change = Callable[
    [np.ndarray, np.ndarray], np.ndarray
]  # patches (n, S, S, 3) and a seed for each, (n,), to such patches


@dataclass(frozen=True)
class Patches:
    """Patches: arrays (N, S, S, 3) by name as stored, in memory or in their file, and what `crops` stores with each."""

    arrays: dict[str, PatchArray]
    label: np.ndarray
    validation: np.ndarray
    photograph: np.ndarray
    scene: np.ndarray
    origin: np.ndarray
    device: np.ndarray
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, *names: str, memory: int | None = None) -> "Patches":
        """Read the named arrays of a patch file; those together larger than `memory` bytes stay there."""
        about = ("label", "validation", "photograph", "scene", "origin", "device")
        file = open_hdf5(path, *names, *about)
        streamed = memory is not None and sum(file[name].nbytes for name in names) > memory
        return cls(
            {name: FileArray(file, name) if streamed else torch.from_numpy(read_values(file, name)) for name in names},
            *(read_values(file, name) for name in about),
            tuple(read_attribute(file, "labels")),
        )


def join(parts: Sequence[Patches]) -> Patches:
    """The patches of several roles as one; its labels are those of all roles, in the order of their first appearance."""
    if len(parts) == 1:
        return parts[0]
    labels = tuple(dict.fromkeys(name for part in parts for name in part.labels))
    renamed = [np.array([labels.index(name) for name in part.labels])[part.label] for part in parts]
    return Patches(
        {name: concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays},
        np.concatenate(renamed),
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("validation", "photograph", "scene", "origin", "device")
        ),
        labels,
    )


class Sampler:
    """Class-balanced batches with a random symmetry of the square; the batch of a step depends on seed and step alone. Of
    several processes each draws its share of it. Arrays that fit there are held on the GPU of `compute`, and drawn there.

    With `change` the processor changes what is drawn, each patch by a seed of its own. Unless `turned`, patches stay as they
    lie in their photographs.
    """

    def __init__(
        self,
        patches: Patches,
        names: Sequence[str],
        batch: int,
        seed: int,
        compute: Compute,
        change: Change | None = None,
        turned: bool = True,
    ) -> None:
        self.batch, self.seed, self.classes = batch, seed, len(patches.labels)
        self.change, self.turned, self.origin = change, turned, patches.origin
        self.arrays = [patches.arrays[name] for name in names]
        held = [array for array in self.arrays if isinstance(array, Tensor)]
        fits = len(held) == len(self.arrays) and sum(array.nbytes for array in held) <= compute.free_gpu_memory()
        if fits and change is None:
            self.arrays = [array.to(compute.device) for array in held]
        training = ~patches.validation.astype(bool)
        self.members = [np.flatnonzero(training & (patches.label == label)) for label in range(self.classes)]
        for name, members in zip(patches.labels, self.members, strict=True):
            if not len(members):
                raise CamaError(f"patches: found no training patch of {name}, expected at least one for each label")

    def draw(self, step: int) -> tuple[list[Tensor], Tensor]:
        """The step's batch: each array (batch, S, S, 3) as stored, and labels (batch,); or this process's share of it."""
        labels, rows, turns, seeds = self._chosen(step)
        drawn = [_drawn(array, rows, turns if self.turned else 0 * turns) for array in self.arrays]
        if self.change is not None:
            drawn = [torch.from_numpy(self.change(images.numpy(), seeds)) for images in drawn]
        return drawn, torch.from_numpy(labels)

    def places(self, step: int) -> Tensor:
        """Where the step's patches begin in their photographs: rows and columns (batch, 2), or this process's share of them."""
        return torch.from_numpy(self.origin[self._chosen(step)[1]])

    def _chosen(self, step: int) -> tuple[np.ndarray, ...]:
        """The labels, rows, symmetries and seeds (n,) of this process's share of the step's batch."""
        rng = np.random.default_rng([self.seed, step])
        labels = rng.permutation((np.arange(self.batch) + rng.integers(self.classes)) % self.classes)
        rows = np.array([self.members[label][rng.integers(len(self.members[label]))] for label in labels])
        turns = rng.integers(0, 8, self.batch)
        seeds = rng.integers(0, 2**63, self.batch)
        share = slice(processes.rank(), None, processes.count())
        return labels[share], rows[share], turns[share], seeds[share]


def _drawn(array: PatchArray, rows: np.ndarray, turns: np.ndarray) -> Tensor:
    """Patches (n, S, S, C) of an array, each by its symmetry of the square."""
    if isinstance(array, Tensor) and array.device.type != "cpu":
        return turn_on_device(array[upload(torch.from_numpy(rows), array.device)], turns)
    images = take(array, rows)
    pixels = np.ascontiguousarray(images).view(f"V{images.itemsize * images.shape[-1]}")[..., 0]  # a pixel as one value
    turned = np.empty_like(pixels)
    for turn in range(8):
        at = np.flatnonzero(turns == turn)
        turned[at] = symmetry(pixels[at], turn)
    return torch.from_numpy(turned.view(images.dtype).reshape(images.shape))


def turn_on_device(images: Tensor, turns: np.ndarray) -> Tensor:
    """Images (n, S, S, C), each by its symmetry of the square as `symmetry` defines it, computed on their own device."""
    quarters, mirrored = turns % 4, turns >= 4
    transposed, rows_flipped, columns_flipped = (
        upload(torch.from_numpy(chosen)[:, None, None, None], images.device)
        for chosen in (quarters % 2 == 1, (quarters == 1) | (quarters == 2), (quarters >= 2) ^ mirrored)
    )
    images = torch.where(transposed, images.transpose(1, 2), images)
    images = torch.where(rows_flipped, images.flip(1), images)
    return torch.where(columns_flipped, images.flip(2), images)
