"""Stage `join`: tables and a page over several catalogues of simulated cameras, from what each has."""

import os
from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.reporting.formats import write_table
from cama.reporting.joined import (
    figures,
    joined_controls,
    joined_detection,
    joined_scene_readers,
    joined_table,
    paired_figures,
)
from cama.reporting.joined_page import render_joined
from cama.reporting.tables import read_rows
from cama.settings.stages import JoinStageSpec
from cama.storage.files import write_text
from cama.storage.tables import read_csv


def join(
    spec: JoinStageSpec,
    rows: list[Path],
    controls: list[Path] | None,
    readers: list[Path] | None,
    detection: list[Path] | None,
    out: Path,
    page: Path,
) -> None:
    """Write the tables `joined` and, with a baseline, `joined_paired` to the folder `out`, those of `controls`, `readers` (of
    scenes) and `detection` where these are given, and the `page`. The inputs are files of several catalogues, as
    CATALOGUE/rows/METHOD.csv or CATALOGUE/controls/controls.csv; all must have the same methods. The page links to
    CATALOGUE/report/index.html.
    """
    parts = _by_catalogue(rows)
    scored = pd.concat([read_rows(paths).assign(catalogue=folder.name) for folder, paths in parts.items()])
    values = figures(scored)
    tables = {"joined": joined_table(values)}
    if spec.baseline:
        tables["joined_paired"] = joined_table(paired_figures(scored, spec.baseline))
    if controls:
        tables["joined_controls"] = joined_controls(_of_each("controls", controls, parts))
    if readers:
        tables["joined_scene_readers"] = joined_scene_readers(_of_each("readers", readers, parts))
    if detection:
        tables["joined_detection"] = joined_detection(_of_each("detection", detection, parts))
    for name, table in tables.items():
        write_table(out, name, table)
    above = page.resolve().parent
    reports = {folder.name: os.path.relpath(folder / "report" / "index.html", above) for folder in parts}
    write_text(page, render_joined(scored, values, tables, spec.baseline, reports))


def _by_catalogue(rows: list[Path]) -> dict[Path, list[Path]]:
    """The rows of each catalogue's folder. Raises CamaError where two have one name, or other methods."""
    parts: dict[Path, list[Path]] = {}
    for path in rows:
        parts.setdefault(path.resolve().parents[1], []).append(path)
    names = [folder.name for folder in parts]
    if twins := [name for name in names if names.count(name) > 1]:
        raise CamaError(f"--rows: found two catalogues named {twins[0]!r}, expected names that differ")
    methods = [{path.stem for path in paths} for paths in parts.values()]
    for folder, found in zip(parts, methods, strict=True):
        if found != methods[0]:
            raise CamaError(f"{folder}: found rows of {sorted(found)}, expected those of {sorted(methods[0])}")
    return parts


def _of_each(option: str, paths: list[Path], folders: dict[Path, list[Path]]) -> pd.DataFrame:
    """A table of each of these catalogues' folders, in their order, with a column `catalogue`."""
    found = {path.resolve().parents[1]: path for path in paths}
    if len(paths) != len(folders) or set(found) != set(folders):
        names = (sorted(path.resolve().parents[1].name for path in paths), sorted(folder.name for folder in folders))
        raise CamaError(f"--{option}: found tables of {names[0]}, expected one of each of {names[1]}")
    return pd.concat([read_csv(found[folder]).assign(catalogue=folder.name) for folder in folders])
