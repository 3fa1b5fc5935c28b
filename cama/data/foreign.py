"""Pictures that another program attacked: a folder with `pairs.csv`, which says what each is made of and for whom."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from cama.core.errors import CamaError
from cama.core.names import PAIRS
from cama.data.attacked import Pair
from cama.data.patches import Patches
from cama.storage.images import read_rgb
from cama.storage.tables import read_csv

COLUMNS = ("photograph", "source", "target")


def picture_name(photograph: str, target: str) -> str:
    """The name of an attacked picture in its folder, where `pairs.csv` has no column `picture`: that of the photograph with
    `.png` behind it.
    """
    return f"{PurePosixPath(target, photograph)}.png"


def read_foreign(
    folder: Path, tests: Mapping[str, Patches], targets: Sequence[str]
) -> tuple[list[Pair], Iterator[np.ndarray]]:
    """The pairs (set, row, target) of a folder's pictures, and the pictures (H, W, 3), uint8, in their order.

    `tests`: the test crops by set. A table without a column, a photograph or target that the run does not have, another
    source, a picture twice, or one that is missing, is a CamaError; so is, when it is read, one of another size.
    """
    table = _read_table(folder)
    places = photographs_apart(tests)
    pairs, paths = [], []
    for line, row in enumerate(table.itertuples(index=False), start=2):
        where = f"{folder / PAIRS}, line {line}"
        if row.photograph not in places:
            raise CamaError(
                f"{where}: photograph: found {row.photograph!r}, expected one of the test, as its own names say"
            )
        kind, place = places[row.photograph]
        source = tests[kind].labels[tests[kind].label[place]]
        if row.source != source:
            raise CamaError(
                f"{where}: source: found {row.source!r}, expected {source!r}, the camera of that photograph"
            )
        if row.target not in targets or row.target == source:
            known = ", ".join(target for target in targets if target != source)
            raise CamaError(f"{where}: target: found {row.target!r}, expected one of {known}")
        pairs.append((kind, place, list(targets).index(row.target)))
        paths.append(folder / row.picture)
        if folder.resolve() not in paths[-1].resolve().parents:
            raise CamaError(f"{where}: picture: found {row.picture!r}, expected a file in {folder}")
        if not paths[-1].is_file():
            raise CamaError(f"{where}: found no picture {paths[-1]}, expected one")
    if len(set(pairs)) < len(pairs):
        raise CamaError(f"{folder / PAIRS}: found a photograph twice with one target, expected it once")
    return pairs, _pictures(pairs, paths, tests)


def _read_table(folder: Path) -> pd.DataFrame:
    table = read_csv(folder / PAIRS, dtype=str, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table]
    if missing or table.empty:
        found = f"no column {missing[0]!r}" if missing else "no rows"
        raise CamaError(
            f"{folder / PAIRS}: found {found}, expected the columns {', '.join(COLUMNS)}, a row for each picture"
        )
    if "picture" not in table:
        table["picture"] = [picture_name(*row) for row in table[["photograph", "target"]].itertuples(index=False)]
    return table


def photographs_apart(tests: Mapping[str, Patches]) -> dict[str, tuple[str, int]]:
    """The set and the row of each test photograph; several crops of one are a CamaError."""
    places: dict[str, tuple[str, int]] = {}
    for kind, test in tests.items():
        for row, name in enumerate(test.photograph):
            if name in places:
                raise CamaError(f"patches.crops: found several crops of {name}, expected one of each photograph")
            places[name] = kind, row
    return places


def _pictures(pairs: list[Pair], paths: list[Path], tests: Mapping[str, Patches]) -> Iterator[np.ndarray]:
    for (kind, row, _), path in zip(pairs, paths, strict=True):
        picture, expected = read_rgb(path), tuple(tests[kind].arrays["rgb"][row].shape)
        if picture.shape != expected:
            found, size = (f"{shape[1]}x{shape[0]}" for shape in (picture.shape, expected))
            raise CamaError(f"{path}: found {found} pixels, expected {size} as of the untouched picture")
        yield picture
