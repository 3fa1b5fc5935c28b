"""Cutting photographs into patches, and writing them to HDF5.

A file holds some of `rgb` and `remosaic` (N, S, S, 3) uint8 and `residual` (N, S, S, 3) float16 in grey levels, one patch a
chunk, so that a patch is one read; beside them `label` (N,), `validation` (N,) and the origins `photograph` (N,), `device`
(N,: its number among the model's), `scene` (N,) and `origin` (N, 2: row, column). The attribute `labels` names the classes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cama.alignment import MCU
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.forensics.mosaic import remosaic
from cama.forensics.residual import noise_residual
from cama.settings.data import PatchesSpec
from cama.storage.hdf5 import write_hdf5
from cama.storage.images import read_rgb

FIELDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rgb": lambda image: image,
    "remosaic": remosaic,
    "residual": lambda image: noise_residual(image).astype(np.float16),
}


def grid_origins(length: int, size: int, count: int | None = None) -> list[int]:
    """Origins of non-overlapping windows of `size` in `length` pixels, centred; at most `count` of them."""
    fit = length // size
    used = fit if count is None else min(fit, count)
    start = (length - used * size) // 2
    return [start + i * size for i in range(used)]


def crop_origins(height: int, width: int, spec: PatchesSpec, seed: int) -> list[tuple[int, int]]:
    """Origins (row, column) of a photograph's crops, those nearest to the centre first; a single one lies in the middle. They
    never overlap: they lie on a centred grid of multiples of 16 pixels, from which random phase moves each by up to 15 pixels.
    """
    jitter = MCU if spec.phase == "random" else 0
    step = spec.crop + jitter
    count = 1 if spec.crops == 1 else None
    rows, columns = ([start // MCU * MCU for start in grid_origins(side, step, count)] for side in (height, width))
    if not rows or not columns:
        raise CamaError(f"found a picture of {width}x{height} pixels, expected at least {step} a side")
    centre = ((height - spec.crop) / 2, (width - spec.crop) / 2)
    origins = [(row, column) for row in rows for column in columns]
    origins.sort(key=lambda origin: (abs(origin[0] - centre[0]) + abs(origin[1] - centre[1]), origin))
    if not jitter:
        return origins[: spec.crops]
    shifts = np.random.default_rng(seed).integers(0, MCU, (len(origins), 2)).tolist()
    moved = [(row + dy, column + dx) for (row, column), (dy, dx) in zip(origins, shifts, strict=True)]
    return moved[: spec.crops]


def cut(
    photograph: np.ndarray, origin: tuple[int, int], crop: int, size: int, fields: Sequence[str]
) -> dict[str, np.ndarray]:
    """Some of `FIELDS` of one crop, divided into its grid of patches: (n, size, size, 3) each."""
    row, column = origin
    image = photograph[row : row + crop, column : column + crop]
    side = crop // size
    return {
        name: FIELDS[name](image).reshape(side, size, side, size, 3).swapaxes(1, 2).reshape(-1, size, size, 3)
        for name in fields
    }


def extract(
    splits: pd.DataFrame,
    root: Path,
    labels: Sequence[str],
    spec: PatchesSpec,
    whole: bool,
    seed: int,
    fields: Sequence[str],
    out: Path,
) -> None:
    """Cut the photographs of `splits` (one role) to patches, or with `whole` to whole crops, and write these fields of them to
    `out`.
    """
    size = spec.crop if whole else spec.size
    per_crop = (spec.crop // size) ** 2
    progress = Progress("patches", len(splits))
    meta: dict[str, list] = {"label": [], "validation": [], "photograph": [], "device": [], "scene": [], "origin": []}
    with write_hdf5(out) as file:
        for name in fields:
            file.create_images(name, 0, (size, size, 3), np.float16 if name == "residual" else np.uint8)
        for done, photo in enumerate(splits.itertuples(), start=1):
            picture = read_rgb(root / photo.path)
            try:
                origins = crop_origins(*picture.shape[:2], spec, derive_seed(seed, "phase", photo.path))
            except CamaError as error:
                raise CamaError(f"{root / photo.path}: {error}") from None
            for origin in origins:
                for name, patches in cut(picture, origin, spec.crop, size, fields).items():
                    file.put_images(name, len(meta["label"]), patches)
                steps = range(0, spec.crop, size)
                meta["origin"] += [(origin[0] + y, origin[1] + x) for y in steps for x in steps]
                meta["label"] += [labels.index(photo.model)] * per_crop
                meta["validation"] += [photo.part == "validation"] * per_crop
                meta["photograph"] += [photo.path] * per_crop
                meta["device"] += [photo.device] * per_crop
                meta["scene"] += [photo.scene] * per_crop
            progress.update(done)
        for name, values in meta.items():
            if name in ("photograph", "scene"):
                file.write_texts(name, values)
            else:  # with a fixed type and shape, since there may be no values to take them from
                stored = np.array(values, bool if name == "validation" else np.int64)
                file.write_values(name, stored.reshape(-1, 2) if name == "origin" else stored)
        file.write_attribute("labels", list(labels))
