"""Patches in HDF5: cutting them from photographs, and reading them for training.

A file holds `rgb` and `remosaic` (N, S, S, 3) uint8 and `residual` (N, S, S, 3) float16 in grey levels, one patch a
chunk, so that a patch is one read; beside them `label` (N,), `validation` (N,) and the origins `photograph` (N,), `scene`
(N,) and `origin` (N, 2: row, column). The attribute `labels` names the classes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cama.config import PHASES, PatchesSpec
from cama.data.manifest import UNKNOWN_SCENE
from cama.errors import CamaError
from cama.images import grid_origins, read_rgb, symmetry
from cama.runs import Progress, atomic
from cama.seeds import derive_seed
from cama.signals.mosaic import remosaic
from cama.signals.residual import noise_residual

FIELDS = ("rgb", "remosaic", "residual")


def crop_origins(height: int, width: int, spec: PatchesSpec, seed: int) -> list[tuple[int, int]]:
    """Origins (row, column) of a photograph's crops: on a centred grid whose phase is aligned to 16, or random."""
    jitter = PHASES if spec.phase == "random" else 0
    rows = grid_origins(height - jitter, spec.crop)
    columns = grid_origins(width - jitter, spec.crop)
    if not rows or not columns:
        raise CamaError(f"found a picture of {width}x{height} pixels, expected at least {spec.crop + jitter} a side")
    centre = ((height - spec.crop) / 2, (width - spec.crop) / 2)
    grid = [(row // PHASES * PHASES, column // PHASES * PHASES) for row in rows for column in columns]
    grid.sort(key=lambda at: (abs(at[0] - centre[0]) + abs(at[1] - centre[1]), at))
    if not jitter:
        return grid[: spec.crops]
    shifts = np.random.default_rng(seed).integers(0, PHASES, (len(grid), 2))
    return [(row + int(dy), column + int(dx)) for (row, column), (dy, dx) in zip(grid, shifts, strict=True)][
        : spec.crops
    ]


def cut(photograph: np.ndarray, origin: tuple[int, int], crop: int, size: int) -> dict[str, np.ndarray]:
    """The three fields of one crop, divided into its grid of patches: (n, size, size, 3) each."""
    row, column = origin
    image = photograph[row : row + crop, column : column + crop]
    fields = {"rgb": image, "remosaic": remosaic(image), "residual": noise_residual(image).astype(np.float16)}
    side = crop // size
    return {
        name: value.reshape(side, size, side, size, 3).swapaxes(1, 2).reshape(-1, size, size, 3)
        for name, value in fields.items()
    }


def extract(
    splits: pd.DataFrame, root: Path, labels: Sequence[str], spec: PatchesSpec, whole: bool, seed: int, out: Path
) -> None:
    """Cut the photographs of `splits` (one role) to patches, or with `whole` to whole crops, and write them to `out`."""
    size = spec.crop if whole else spec.size
    per_crop = (spec.crop // size) ** 2
    progress = Progress("patches", len(splits))
    meta: dict[str, list] = {"label": [], "validation": [], "photograph": [], "scene": [], "origin": []}
    digest = hashlib.sha256()
    with atomic(out) as temporary, h5py.File(temporary, "w") as file:
        for name in FIELDS:
            kind = np.float16 if name == "residual" else np.uint8
            shape = (0, size, size, 3)
            file.create_dataset(name, shape, kind, maxshape=(None, *shape[1:]), chunks=(1, *shape[1:]))
        for done, photo in enumerate(splits.itertuples(), start=1):
            picture = read_rgb(root / photo.path)
            try:
                origins = crop_origins(*picture.shape[:2], spec, derive_seed(seed, "phase", photo.path))
            except CamaError as error:
                raise CamaError(f"{root / photo.path}: {error}") from None
            for origin in origins:
                fields = cut(picture, origin, spec.crop, size)
                first = len(file["rgb"])
                for name, patches in fields.items():
                    file[name].resize(first + per_crop, axis=0)
                    file[name][first:] = patches
                    digest.update(patches.tobytes())
                steps = range(0, spec.crop, size)
                meta["origin"] += [(origin[0] + y, origin[1] + x) for y in steps for x in steps]
                meta["label"] += [labels.index(photo.model)] * per_crop
                meta["validation"] += [photo.part == "validation"] * per_crop
                meta["photograph"] += [photo.path] * per_crop
                meta["scene"] += [photo.scene] * per_crop
            progress.at(done)
        for name, values in meta.items():
            kind = h5py.string_dtype() if name in ("photograph", "scene") else None
            file.create_dataset(name, data=np.array(values, dtype=object if kind else None), dtype=kind)
        digest.update(json.dumps([list(labels), meta["label"], meta["photograph"], meta["origin"]]).encode())
        file.attrs["labels"] = json.dumps(list(labels))
        file.attrs["sha256"] = digest.hexdigest()


@dataclass(frozen=True)
class Patches:
    """Patches in memory: fields (N, S, S, 3) as stored, and their labels."""

    fields: dict[str, Tensor]
    label: np.ndarray
    validation: np.ndarray
    photograph: np.ndarray
    scene: np.ndarray
    origin: np.ndarray
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, *fields: str) -> "Patches":
        """Read the named fields of a patch file."""
        if not path.exists():
            raise CamaError(f"{path}: no such patch file")
        try:
            with h5py.File(path) as file:
                return cls(
                    {name: torch.from_numpy(file[name][:]) for name in fields},
                    file["label"][:],
                    file["validation"][:],
                    file["photograph"].asstr()[:],
                    file["scene"].asstr()[:],
                    file["origin"][:],
                    tuple(json.loads(file.attrs["labels"])),
                )
        except (OSError, KeyError) as error:
            raise CamaError(f"{path}: not a patch file of this project, or damaged ({error})") from error

    def has_scenes(self) -> bool:
        """Whether the scene of every patch is known."""
        return bool((self.scene != UNKNOWN_SCENE).all())


class Sampler:
    """Class-balanced batches with a random symmetry of the square; the batch of a step depends on seed and step alone."""

    def __init__(self, patches: Patches, fields: Sequence[str], batch: int, seed: int) -> None:
        self.patches, self.fields, self.batch, self.seed = patches, tuple(fields), batch, seed
        self.classes = len(patches.labels)
        training = ~patches.validation.astype(bool)
        self.members = [np.flatnonzero(training & (patches.label == label)) for label in range(self.classes)]
        for name, members in zip(patches.labels, self.members, strict=True):
            if not len(members):
                raise CamaError(f"patches: found no training patch of {name}, expected at least one for each label")

    def draw(self, step: int) -> tuple[list[Tensor], Tensor]:
        """The step's batch: each field (batch, S, S, 3) as stored, and labels (batch,)."""
        rng = np.random.default_rng([self.seed, step])
        labels = rng.permutation(np.arange(self.batch) % self.classes)
        rows = np.array([self.members[label][rng.integers(len(self.members[label]))] for label in labels])
        turns = torch.from_numpy(rng.integers(0, 8, self.batch))
        drawn = []
        for name in self.fields:
            chosen = self.patches.fields[name][rows].movedim(-1, 1)
            turned = torch.empty_like(chosen)
            for turn in range(8):
                turned[turns == turn] = symmetry(chosen[turns == turn], turn)
            drawn.append(turned.movedim(1, -1))
        return drawn, torch.from_numpy(labels)
