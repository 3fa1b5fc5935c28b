"""Tables, each recomputed from rows. Rates are shares of photographs scored whole, with 95% intervals."""

from pathlib import Path

import numpy as np
import pandas as pd

from cama.errors import CamaError
from cama.files import read_csv
from cama.transfer.rates import rate, wilson

ROW_COLUMNS = (
    *("method", "set", "save", "photograph", "row", "column", "source", "psnr", "ssim"),
    *("classifier", "labels", "target", "predicted"),
)
KEYS = ["method", "set", "save", "classifier"]


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """The rows of all methods, with `clean`: what the same classifier said of the untouched photograph."""
    rows = pd.concat([_read(path) for path in paths], ignore_index=True)
    same = ["classifier", "photograph", "row", "column", "target"]
    clean = rows[rows.method == "identity"].set_index(same).predicted.rename("clean")
    return rows.join(clean, on=same)


def _read(path: Path) -> pd.DataFrame:
    rows = read_csv(path)
    missing = [name for name in ROW_COLUMNS if name not in rows]
    if missing:
        raise CamaError(f"{path}: found no column {missing[0]!r}, expected the rows of an evaluation")
    return rows


def transfer_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method, set, save and classifier; rates per label, then averaged.

    Untargeted success and clean accuracy are undefined where F does not know the source's model (set `out`).
    """
    table = []
    for keys, group in rows.groupby(KEYS, sort=False):
        targeted = rate(group.predicted == group.target, group.photograph, resamples, seed, group.target)
        known = keys[1] == "in"
        once = group.drop_duplicates(["photograph", "row", "column"])
        untargeted = (
            rate(group.predicted != group.source, group.photograph, resamples, seed, group.source)
            if known
            else (np.nan,) * 3
        )
        finite = group.psnr[np.isfinite(group.psnr)]
        table.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "labels": group.labels.iloc[0],
                "photographs": group.photograph.nunique(),
                "transformations": len(group),
                "clean_accuracy": (once.clean == once.source).groupby(once.source).mean().mean() if known else np.nan,
                **dict(zip(("targeted", "targeted_low", "targeted_high"), targeted, strict=True)),
                **dict(zip(("untargeted", "untargeted_low", "untargeted_high"), untargeted, strict=True)),
                "psnr": finite.mean(),
                "psnr_p05": finite.quantile(0.05),
                "ssim": group.ssim.mean(),
            }
        )
    return pd.DataFrame(table)


def per_label_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """Targeted success of each method and classifier towards each label: Wilson's interval, or the clustered one where a
    photograph gave several crops.
    """
    table = []
    for keys, group in rows.groupby([*KEYS, "target"], sort=False):
        hit = group.predicted == group.target
        share, low, high = rate(hit, group.photograph, resamples, seed)
        if group.photograph.is_unique:
            low, high = wilson(int(hit.sum()), len(group))
        cell = {
            "transformations": len(group),
            "targeted": share,
            "targeted_low": low,
            "targeted_high": high,
        }
        table.append({**dict(zip([*KEYS, "target"], keys, strict=True)), **cell})
    return pd.DataFrame(table)


def summary_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method and set: means over F, the worst F, the worst label, and the rates on what F got right before."""
    table = []
    for (method, kind), group in rows.groupby(["method", "set"], sort=False):
        hit = group.predicted == group.target
        mean, low, high = rate(hit, group.photograph, resamples, seed, group.target)
        right = group.clean == group.source
        finite = group.psnr[np.isfinite(group.psnr)]
        table.append(
            {
                "method": method,
                "set": kind,
                "photographs": group.photograph.nunique(),
                "targeted": mean,
                "targeted_low": low,
                "targeted_high": high,
                "targeted_worst_classifier": hit.groupby([group.classifier, group.target])
                .mean()
                .groupby(level=0)
                .mean()
                .min(),
                "targeted_worst_label": hit.groupby(group.target).mean().min(),
                "targeted_where_right": hit[right].mean() if kind == "in" else np.nan,
                "untargeted_where_right": (group.predicted != group.source)[right].mean() if kind == "in" else np.nan,
                "psnr": finite.mean(),
                "ssim": group.ssim.mean(),
            }
        )
    return pd.DataFrame(table)


def to_markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as GitHub Markdown; undefined cells are empty."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.{digits}f}"
        return str(value)

    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"
