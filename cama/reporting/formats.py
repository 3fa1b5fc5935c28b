"""The forms in which a table is printed."""

import numpy as np
import pandas as pd


def with_intervals(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The table for a person: each rate and its bounds `_low` and `_high` in one cell, unknown bounds left out."""
    shown = table.copy()
    for name in [column for column in table if f"{column}_low" in table]:
        triples = table[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        cells = []
        for middle, low, high in triples:
            bounds = "" if np.isnan(low) else f" ({low:.{digits}f} to {high:.{digits}f})"
            cells.append("" if np.isnan(middle) else f"{middle:.{digits}f}{bounds}")
        shown[name] = cells
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    return shown


def to_markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as GitHub Markdown; undefined cells are empty."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.{digits}f}"
        return str(value)

    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def to_latex(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as LaTeX for the packages booktabs and longtable, each rate and its bounds in one cell."""
    shown = with_intervals(table, digits).rename(columns=lambda name: name.replace("_", " "))
    form = f"{{:.{digits}f}}".format
    return shown.to_latex(index=False, longtable=True, escape=True, na_rep="", float_format=form)
