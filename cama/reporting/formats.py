"""The forms in which a table is printed."""

from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import DataRow, TableFormat

from cama.storage.files import write_text

DIGITS = "%.6g"  # of a table's CSV
SET_NAMES = {"in": "in-distribution", "out": "out-of-distribution"}
# GitHub's Markdown without padding, so that a longer cell changes its own line alone
_ROW = DataRow("|", "|", "|")
_MARKDOWN = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, alignments: "|" + " --- |" * len(widths),
    linebetweenrows=None,
    linebelow=None,
    headerrow=_ROW,
    datarow=_ROW,
    padding=1,
    with_header_hide=None,
)


def format_cell(value: object, digits: int = 3) -> str:
    """A value as text: a float with `digits` decimals, or nothing where it is undefined."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.{digits}f}"
    return str(value)


def merge_intervals(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The table for a reader: each rate and its bounds `_low` and `_high` in one cell, unknown bounds left out."""
    shown = table.copy()
    for name in [column for column in table if f"{column}_low" in table]:
        bounds = [f"{name}_low", f"{name}_high"]
        shown[name] = [_with_bounds(*values, digits) for values in table[[name, *bounds]].itertuples(index=False)]
        shown = shown.drop(columns=bounds)
    return shown


def _with_bounds(rate: float, low: float, high: float, digits: int) -> str:
    if np.isnan(rate) or np.isnan(low):
        return format_cell(rate, digits)
    return f"{rate:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def to_markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as GitHub Markdown; undefined cells are empty."""
    cells = table.map(lambda value: format_cell(value, digits))
    # cells are texts by now: without these options tabulate would parse numbers anew and align columns
    options = {"disable_numparse": True, "stralign": None, "numalign": None}
    return cells.to_markdown(index=False, tablefmt=_MARKDOWN, **options) + "\n"


def to_latex(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as LaTeX for the packages booktabs and longtable, each rate and its bounds in one cell."""
    shown = merge_intervals(table, digits).rename(columns=lambda name: name.replace("_", " "))
    form = f"{{:.{digits}f}}".format
    return shown.to_latex(index=False, longtable=True, escape=True, na_rep="", float_format=form)


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write a table to `folder` as NAME.csv, NAME.md and NAME.tex."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, float_format=DIGITS))
    write_text(folder / f"{name}.md", to_markdown(table))
    write_text(folder / f"{name}.tex", to_latex(table))
