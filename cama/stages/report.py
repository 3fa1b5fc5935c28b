"""Stage `report`: one HTML page that explains the run, with every table and picture inside."""

from pathlib import Path

import pandas as pd

from cama.data.manifest import read_table
from cama.reporting.report_page import render_report
from cama.reporting.tables import headline
from cama.settings.stages import ReportStageSpec
from cama.storage.files import write_text
from cama.storage.tables import read_csv

LONG_COLUMNS = (
    "colour_matrix",
    "white_balance",
    "response",
    "varies_tables",
)  # of a camera: each cell has many numbers


def report(
    spec: ReportStageSpec, splits: Path, broken: Path, tables: Path, plots: Path, controls: Path, out: Path
) -> None:
    """Write the page to `out`."""
    names = (
        "summary",
        "transfer",
        *(name for name in ("paired", "auto", "detection", "devices") if name in spec.parts),
    )
    shown = {name: read_csv(tables / f"{name}.csv") for name in names}
    summary = shown["summary"]
    first = headline(summary)
    first = first[(first.set == "in") & (first.labels == first.labels.min())]
    first = first.set_index("method")
    simulated = spec.dataset.kind == "simulated"
    page = render_report(
        plots,
        simulated=simulated,
        one_body=spec.dataset.one_body,
        parts=spec.parts,
        headlines={method: first.loc[method] for method in spec.shown},
        tables=shown,
        controls=read_csv(controls / "controls.csv"),
        readers=read_csv(controls / "scene_readers.csv"),
        cue_swap=read_csv(controls / "cue_swap.csv") if simulated else None,
        photographs=read_csv(controls / "photographs.csv"),
        skipped=read_csv(broken),
        roles=_roles(splits),
        cameras=_cameras(controls) if simulated else None,
    )
    write_text(out, page)


def _roles(splits: Path) -> pd.DataFrame:
    """How many devices and photographs of each camera model each role has."""
    counted = {"devices": ("device", "nunique"), "photographs": ("path", "size")}
    return read_table(splits).groupby(["role", "part", "model"]).agg(**counted).reset_index()


def _cameras(controls: Path) -> pd.DataFrame:
    """The simulated cameras, one a column, without the parameters that are too long for a page."""
    cameras = read_csv(controls / "cameras.csv").set_index("name")
    short = cameras.drop(columns=[name for name in cameras if name.endswith("table") or name in LONG_COLUMNS])
    texts = short.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    return texts.T.reset_index(names="parameter")
