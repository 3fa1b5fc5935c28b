"""The manifest: one row a photograph, of the same form for every data set.

Columns: path (relative to the root), model, device, number, scene (empty where unknown), width, height, sha256 of the file, and
pixels: a hash of what it decodes to, which copies with other metadata share.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.conventions import CONVENTIONS, Origin
from cama.data.listing import left_out_line, list_photographs
from cama.jpeg.names import UNSAFE, label
from cama.storage.images import read_rgb
from cama.storage.tables import read_csv

COLUMNS = ("path", "model", "device", "number", "scene", "width", "height", "sha256", "pixels")
UNKNOWN_SCENE = ""


def build_manifest(
    folders: Sequence[Path], root: Path, models: Collection[str], kind: str, skip_broken: bool, smallest: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest of the photographs of `models` in `folders`, and the broken ones (path, reason) that were skipped.

    `kind`: the convention by which names or EXIF give the camera, one of `conventions.CONVENTIONS`. Devices that a data set
    calls by names count from 0 in the order of these. Every file is decoded once: one that cannot be decoded, or is smaller
    than `smallest` a side, is an error unless `skip_broken`. Sorted by name, never by the file system's order. Photographs of
    other models are left out, as is what is no photograph; a line is printed for each reason.
    """
    broken: list[tuple[str, str]] = []

    def reject(path: Path, error: CamaError) -> None:
        if not skip_broken:
            raise error
        broken.append((path.relative_to(root).as_posix(), str(error)))

    left_out: dict[str, list[Path]] = {}
    paths = _listed(folders, root, left_out, reject)
    origins = _origins(paths, root, kind, reject, left_out)
    origins = {path: _spelt(origin, models) for path, origin in origins.items()}
    photographs = {path: origin for path, origin in origins.items() if origin.model in models}
    _check_cameras(photographs)
    devices = _numbered(photographs.values())
    rows = []
    counts: Counter[tuple[str, int]] = Counter()
    progress = Progress("manifest", len(photographs))
    for done, (path, origin) in enumerate(photographs.items(), start=1):
        device = devices[origin.model, origin.device]
        counts[origin.model, device] += 1
        try:
            height, width, pixels = _decoded(path, smallest)
        except CamaError as error:
            reject(path, error)
            progress.update(done)
            continue
        number = counts[origin.model, device] if origin.number is None else origin.number
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(root).as_posix()
        rows.append((name, origin.model, device, number, origin.scene, width, height, digest, pixels))
        progress.update(done)
    manifest = pd.DataFrame(rows, columns=COLUMNS)
    for model in sorted(models):
        if model not in set(manifest.model):
            held = ", ".join(sorted({origin.model for origin in origins.values()})) or "no model"
            raise CamaError(f"{folders[0]}: found no photograph of {model}, which the config names; it has {held}")
    for path, origin in origins.items():
        if path not in photographs:
            left_out.setdefault(f"of {origin.model}, which the config does not name", []).append(path)
    if broken:
        left_out["that are broken, all in broken.csv"] = [root / name for name, _ in broken]
    held = Counter(zip(manifest.model, manifest.device, strict=True))
    for (model, name), device in devices.items():
        print(f"manifest: {model} device {device} is {name}, {held[model, device]} photographs", flush=True)
    for reason, some in left_out.items():
        print(f"manifest: {left_out_line(reason, some, root)}", flush=True)
    return manifest, pd.DataFrame(sorted(broken), columns=("path", "reason"))


def _listed(
    folders: Sequence[Path], root: Path, left_out: dict[str, list[Path]], reject: Callable[[Path, CamaError], None]
) -> list[Path]:
    """The photographs of the folders, sorted; other files are added to `left_out`."""
    paths: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise CamaError(f"{folder}: no such folder of photographs")
        if not folder.is_relative_to(root):
            raise CamaError(f"{folder}: found a folder of photographs outside the root {root}")
        listing = list_photographs(folder)
        paths.update(listing.photographs)
        for path in listing.dead_links:
            reject(
                path, CamaError(f"{path}: found a link that leads nowhere, expected a photograph or a folder of some")
            )
        for reason, some in listing.left_out.items():
            left_out.setdefault(reason, []).extend(some)
    if not paths:
        raise CamaError(f"{folders[0]}: found no JPEG file, expected photographs")
    return sorted(paths)


def _origins(
    paths: Iterable[Path],
    root: Path,
    kind: str,
    reject: Callable[[Path, CamaError], None],
    left_out: dict[str, list[Path]],
) -> dict[Path, Origin]:
    """Camera and number of each photograph; those that the convention leaves out are added to `left_out`."""
    origins = {}
    for path in paths:
        try:
            origin = CONVENTIONS[kind](path.relative_to(root).as_posix(), path)
        except CamaError as error:
            reject(path, error)
            continue
        if origin is not None:
            origins[path] = origin
        else:
            left_out.setdefault(f"that the convention {kind} leaves out", []).append(path)
    return origins


def _spelt(origin: Origin, models: Collection[str]) -> Origin:
    """The origin with its model as a label that can name a file, in the capital and small letters of the config."""
    if origin.model in models:
        return origin
    if UNSAFE.search(origin.model):
        make, _, model = origin.model.partition("_")
        origin = replace(origin, model=label(make, model), camera=origin.camera or origin.model)
    alike = [model for model in models if model.casefold() == origin.model.casefold()]
    return replace(origin, model=alike[0]) if len(alike) == 1 else origin


def _check_cameras(origins: Mapping[Path, Origin]) -> None:
    """Raise where one label stands for two cameras, whose names differ in what no label can show."""
    cameras: dict[str, tuple[str, Path]] = {}
    for path, origin in origins.items():
        camera, first = cameras.setdefault(origin.model, (origin.camera, path))
        if camera != origin.camera:
            raise CamaError(
                f"{path}: found the camera {origin.camera!r}, expected {camera!r} as in {first}:"
                f" the label of both is {origin.model}"
            )


def _decoded(path: Path, smallest: int) -> tuple[int, int, str]:
    """Height and width of a photograph, which is decoded, and a hash of its pixels; one that is too small is an error."""
    picture = read_rgb(path)
    height, width = picture.shape[:2]
    if min(height, width) < smallest:
        raise CamaError(f"{path}: found a picture of {width}x{height} pixels, expected at least {smallest} a side")
    return height, width, hashlib.sha256(f"{height}x{width} ".encode() + picture.tobytes()).hexdigest()


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
