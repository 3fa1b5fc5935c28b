"""Stage `join`: tables over several catalogues of simulated cameras, from the rows of each."""

from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.reporting.formats import write_table
from cama.reporting.joined import figures, joined_table, paired_figures
from cama.reporting.tables import read_rows
from cama.settings.stages import JoinStageSpec


def join(spec: JoinStageSpec, rows: list[Path], out: Path) -> None:
    """Write the tables `joined` and, with a baseline, `joined_paired` to the folder `out`. `rows` are the files of several
    catalogues, CATALOGUE/rows/METHOD.csv each; all must have the same methods.
    """
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
    scored = pd.concat([read_rows(paths).assign(catalogue=folder.name) for folder, paths in parts.items()])
    write_table(out, "joined", joined_table(figures(scored)))
    if spec.baseline:
        write_table(out, "joined_paired", joined_table(paired_figures(scored, spec.baseline)))
