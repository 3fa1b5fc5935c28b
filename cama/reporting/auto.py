"""The table of methods that choose the target of each photograph: how well they do, and what their choice tells."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cama.evaluation.rates import rate

CELL = ["method", "set", "save"]


def auto_table(rows: pd.DataFrame, methods: Sequence[str], resamples: int, seed: int) -> pd.DataFrame:
    """One row for each of these methods, set and save, over the F that know the targets alone and have seen no attack.

    `targeted`, `untargeted`: shares of all photographs under all F, with bounds; `targets`: how many were chosen;
    `source_guessed`: how often a photograph's camera model is guessed from its target, as that of most other photographs with
    this target; `source_chance`: how often without it, as the most frequent one.
    """
    own = rows[rows.method.isin(methods) & (rows.role != "informed") & (rows.labels == rows.labels.min())]
    table = []
    for keys, group in own.groupby(CELL, sort=False):
        once = group.drop_duplicates(["run", "photograph", "row", "column"])
        known = group[group.known]
        table.append(
            {
                **dict(zip(CELL, keys, strict=True)),
                "photographs": group.photograph.nunique(),
                **_bounded("targeted", group.predicted == group.target, group, resamples, seed),
                **_bounded("untargeted", known.predicted != known.source, known, resamples, seed),
                "targets": once.target.nunique(),
                "source_guessed": _guessed(once.source, once.target),
                "source_chance": once.source.value_counts(normalize=True).max(),
            }
        )
    return pd.DataFrame(table)


def _bounded(name: str, hit: pd.Series, group: pd.DataFrame, resamples: int, seed: int) -> dict[str, float]:
    figures = rate(hit, group.photograph, resamples, seed, None, group.run)
    return dict(zip((name, f"{name}_low", f"{name}_high"), figures, strict=True))


def _guessed(source: pd.Series, target: pd.Series) -> float:
    """The share of photographs whose source is the most frequent one of the others with their target; of several such, in as
    many parts.
    """
    counts = pd.crosstab(target, source)
    hits = []
    for own, aim in zip(source, target, strict=True):
        others = counts.loc[aim].copy()
        others[own] -= 1
        best = others == others.max()
        hits.append(best[own] / best.sum())
    return float(np.mean(hits)) if hits else np.nan
