"""The page of one catalogue of cameras or of one data set, from `report.html.jinja`, with every table and picture inside."""

from pathlib import Path
from typing import Any

import pandas as pd

from cama.reporting.formats import merge_intervals
from cama.reporting.html import render

# the columns of the summary, and of the table of each F, that a screen has room for, and what they are called there
SUMMARY = {
    **{name: name for name in ("method", "set", "save", "labels", "targeted", "untargeted", "chance", "oracle")},
    "share_of_oracle": "share of oracle",
    "targeted_worst_classifier": "worst F",
    "targeted_worst_label": "worst label",
    "targeted_worst_cell": "worst cell",
    "targeted_without_scene_readers": "without scene readers",
    "area_shift": "area shift",
}
TRANSFER = {
    **{name: name for name in ("method", "set", "save", "classifier", "role")},
    "reads_scenes": "reads scenes",
    **{name: name for name in ("labels", "clean_accuracy", "clean_accuracy_after_save", "targeted", "untargeted")},
    **{name: name for name in ("chance", "oracle")},
}


PSNR = "PSNR: mean / 5% / worst"


def render_report(plots: Path, tables: dict[str, pd.DataFrame], **values: Any) -> str:
    """The page, with the pictures of the folder `plots`. `tables`: those of the run by name, `summary` and `transfer` among
    them; `values` are the other names that the template uses.
    """
    summary = tables["summary"]
    shown = {**tables, "summary": short_summary(summary), "transfer": short_table(tables["transfer"], TRANSFER)}
    said = {"lpips": "lpips" in summary, "intervals": interval_kinds(summary)}
    return render("report.html.jinja", plots, tables=shown, **said, **values)


def short_table(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The `columns` that a table has, by their headings, rates beside their bounds. Columns without values are left out, and
    `labels` where it is the same everywhere.
    """
    kept = [name for name in columns if name in table and table[name].notna().any()]
    if "labels" in kept and table.labels.nunique() == 1:
        kept.remove("labels")
    return merge_intervals(table, 2)[kept].rename(columns=columns)


def short_summary(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as `short_table`, with an interval for targeted success alone, the distortion in one cell, and last the roles
    of the F.
    """
    short = short_table(summary.drop(columns=["untargeted_low", "untargeted_high"], errors="ignore"), SUMMARY)
    psnr = summary[["psnr", "psnr_p05", "psnr_worst"]]
    short[PSNR] = psnr.map("{:.1f}".format).agg(" / ".join, axis=1).where(psnr.psnr.notna(), "")
    return short.assign(roles=summary.roles.str.replace("_", " "))


def interval_kinds(summary: pd.DataFrame) -> dict[str, list[str]]:
    """The methods whose intervals are of each kind (column `interval`)."""
    return {kind: list(part.method.unique()) for kind, part in summary.groupby("interval", sort=False)}
