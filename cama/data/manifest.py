"""The manifest: one row a photograph, of the same form for every data set.

Columns: path (relative to the root), model, device, number, scene (empty where unknown), width, height, sha256.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.conventions import CONVENTIONS, Origin
from cama.storage.files import read_csv
from cama.storage.images import read_rgb

COLUMNS = ("path", "model", "device", "number", "scene", "width", "height", "sha256")
UNKNOWN_SCENE = ""
SUFFIXES = (".jpg", ".jpeg")


def build_manifest(
    folders: Sequence[Path], root: Path, models: Collection[str], kind: str, skip_broken: bool, smallest: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest of the photographs of `models` in `folders`, and the broken ones (path, reason) that were skipped.

    `kind`: the convention by which names or EXIF give the camera, one of `conventions.CONVENTIONS`. Devices that a data set
    calls by names count from 0 in the order of these. Every file is decoded once: one that cannot be decoded, or is smaller
    than `smallest` a side, is an error unless `skip_broken`. Sorted by name, never by the file system's order. Photographs of
    other models are left out.
    """
    broken: list[tuple[str, str]] = []

    def reject(path: Path, error: CamaError) -> None:
        if not skip_broken:
            raise error
        broken.append((path.relative_to(root).as_posix(), str(error)))

    origins = _origins(_listed(folders, root), root, kind, reject)
    photographs = {path: origin for path, origin in origins.items() if origin.model in models}
    devices = _numbered(photographs.values())
    rows = []
    counts: Counter[tuple[str, int]] = Counter()
    progress = Progress("manifest", len(photographs))
    for done, (path, origin) in enumerate(photographs.items(), start=1):
        device = devices[origin.model, origin.device]
        counts[origin.model, device] += 1
        try:
            height, width = _decoded_size(path, smallest)
        except CamaError as error:
            reject(path, error)
            continue
        number = counts[origin.model, device] if origin.number is None else origin.number
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(root).as_posix()
        rows.append((name, origin.model, device, number, origin.scene, width, height, digest))
        progress.update(done)
    manifest = pd.DataFrame(rows, columns=COLUMNS)
    for model in sorted(models):
        if model not in set(manifest.model):
            held = ", ".join(sorted({origin.model for origin in origins.values()})) or "no model"
            raise CamaError(f"{folders[0]}: found no photograph of {model}, which the config names; it has {held}")
    for (model, name), device in devices.items():
        print(f"manifest: {model} device {device} is {name}, {counts[model, device]} photographs", flush=True)
    return manifest, pd.DataFrame(sorted(broken), columns=("path", "reason"))


def _listed(folders: Sequence[Path], root: Path) -> list[Path]:
    """The JPEG files of the folders, sorted."""
    for folder in folders:
        if not folder.is_dir():
            raise CamaError(f"{folder}: no such folder of photographs")
        if not folder.is_relative_to(root):
            raise CamaError(f"{folder}: found a folder of photographs outside the root {root}")
    paths = sorted({path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES})
    if not paths:
        raise CamaError(f"{folders[0]}: found no JPEG file, expected photographs")
    return paths


def _origins(
    paths: Iterable[Path], root: Path, kind: str, reject: Callable[[Path, CamaError], None]
) -> dict[Path, Origin]:
    """Camera and number of each photograph; without those that the convention leaves out."""
    origins = {}
    for path in paths:
        try:
            origin = CONVENTIONS[kind](path.relative_to(root).as_posix(), path)
        except CamaError as error:
            reject(path, error)
            continue
        if origin is not None:
            origins[path] = origin
    return origins


def _decoded_size(path: Path, smallest: int) -> tuple[int, int]:
    """Height and width of a photograph, which is decoded; one that is too small is an error."""
    height, width = read_rgb(path).shape[:2]
    if min(height, width) < smallest:
        raise CamaError(f"{path}: found a picture of {width}x{height} pixels, expected at least {smallest} a side")
    return height, width


def _numbered(origins: Iterable[Origin]) -> dict[tuple[str, int | str], int]:
    """A number for each device by model and device: its own, or its place among the sorted names of its model's devices."""
    names: dict[str, set[int | str]] = {}
    for origin in origins:
        names.setdefault(origin.model, set()).add(origin.device)
    numbers = {}
    for model, devices in sorted(names.items()):
        for place, name in enumerate(sorted(devices)):
            numbers[model, name] = name if isinstance(name, int) else place
    return numbers


def read_table(path: Path) -> pd.DataFrame:
    """A manifest or a split, its texts kept as texts."""
    table = read_csv(path, dtype={"scene": str, "model": str}, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise CamaError(f"{path}: found no column {missing[0]!r}, expected a manifest or a split")
    return table
