"""The manifest: one row a photograph, whatever the data set. From here on nobody knows where photographs came from.

Columns: path (relative to the root), model, device, number, scene (empty where unknown), width, height, sha256.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from cama.errors import CamaError
from cama.files import read_csv
from cama.images import read_rgb
from cama.progress import Progress

COLUMNS = ("path", "model", "device", "number", "scene", "width", "height", "sha256")
UNKNOWN_SCENE = ""
SUFFIXES = (".jpg", ".jpeg")


def parse_name(path: Path) -> tuple[str, int, int]:
    """Model, device and number of `Make_Model_device_number.JPG`, parsed from the right."""
    parts = path.stem.rsplit("_", 2)
    if len(parts) == 3 and parts[0].partition("_")[0] and parts[0].partition("_")[2]:
        model, device, number = parts
        if (device + number).isascii() and device.isdigit() and number.isdigit():
            return model, int(device), int(number)
    raise CamaError(f"{path}: found a file name outside the convention, expected Make_Model_device_number.JPG")


def scene_unknown(_: int) -> str:
    """Photographs of the Dresden database do not name their scene."""
    return UNKNOWN_SCENE


def scene_by_number(number: int) -> str:
    """A simulated photograph's number is that of its scene: no scene is used twice."""
    return str(number)


def build_manifest(
    folders: Sequence[Path],
    root: Path,
    models: Collection[str],
    scene_of: Callable[[int], str],
    skip_broken: bool,
    smallest: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest of the photographs of `models` in `folders`, and the broken ones (path, reason) that were skipped.

    Every file is decoded once: what cannot be, or is smaller than `smallest` a side, is an error unless `skip_broken`.
    Sorted by name, never by the file system's order. Photographs of other models are left out.
    """
    for folder in folders:
        if not folder.is_dir():
            raise CamaError(f"{folder}: no such folder of photographs")
        if not folder.is_relative_to(root):
            raise CamaError(f"{folder}: found a folder of photographs outside the root {root}")
    paths = sorted({path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES})
    if not paths:
        raise CamaError(f"{folders[0]}: found no JPEG file, expected photographs named Make_Model_device_number.JPG")
    rows, broken = [], []
    progress = Progress("manifest", len(paths))
    for done, path in enumerate(paths, start=1):
        try:
            model, device, number = parse_name(path)
            if model not in models:
                continue
            height, width = read_rgb(path).shape[:2]
            if min(height, width) < smallest:
                raise CamaError(
                    f"{path}: found a picture of {width}x{height} pixels, expected at least {smallest} a side"
                )
        except CamaError as error:
            if not skip_broken:
                raise
            broken.append((path.relative_to(root).as_posix(), str(error)))
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(root).as_posix()
        rows.append((name, model, device, number, scene_of(number), width, height, digest))
        progress.at(done)
    manifest = pd.DataFrame(rows, columns=COLUMNS)
    for model in sorted(models):
        if model not in set(manifest.model):
            raise CamaError(f"{folders[0]}: found no photograph of {model}, which the config names")
    return manifest, pd.DataFrame(broken, columns=("path", "reason"))


def read_table(path: Path) -> pd.DataFrame:
    """A manifest or a split, its texts kept as texts."""
    table = read_csv(path, dtype={"scene": str, "model": str}, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise CamaError(f"{path}: found no column {missing[0]!r}, expected a manifest or a split")
    return table
