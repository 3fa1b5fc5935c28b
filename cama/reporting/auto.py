"""The table of methods that choose one target for each source camera: how well they do, and what their choice tells."""

import pandas as pd

from cama.reporting.tables import counted, rate_with_bounds

CELL = ["method", "set", "save"]


def auto_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, set and save, over the F that know the targets alone and have seen no attack.

    `targeted`, `untargeted`: shares of all photographs under all F, with bounds; `targets`: how many were chosen;
    `source_guessed`: how often who knows the choice for each camera model guesses that of a photograph from its target;
    `source_chance`: how often without it, as the most frequent one.
    """
    own = counted(rows)
    table = []
    for keys, group in own[own.labels == own.labels.min()].groupby(CELL, sort=False):
        known = group[group.known]
        once = group.drop_duplicates(["run", "photograph"])
        guessed = once.groupby(["run", "target"]).source.agg(lambda sources: sources.value_counts().max()).sum()
        table.append(
            {
                **dict(zip(CELL, keys, strict=True)),
                "photographs": group.photograph.nunique(),
                **rate_with_bounds("targeted", group.predicted == group.target, group, resamples, seed),
                **rate_with_bounds("untargeted", known.predicted != known.source, known, resamples, seed),
                "targets": once.target.nunique(),
                "source_guessed": guessed / len(once),
                "source_chance": once.source.value_counts(normalize=True).max(),
            }
        )
    return pd.DataFrame(table)
