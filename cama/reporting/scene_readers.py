"""Tables with and without the target classifiers that read scenes."""

from collections.abc import Collection

import pandas as pd

from cama.reporting.tables import NOT_COUNTED, summary_table

MEANS = ["method", "set", "save", "labels"]  # what the summary has a row for each of
WITHOUT = "targeted_without_scene_readers"


def mark_scene_readers(transfer: pd.DataFrame, readers: Collection[str]) -> pd.DataFrame:
    """The table of each F with a column `reads_scenes`, beside its role; undefined of informed F and judges, which no control
    tries.
    """
    marked = transfer.copy()
    reads = marked.classifier.isin(readers).where(~marked.role.isin(NOT_COUNTED))
    marked.insert(marked.columns.get_loc("role") + 1, "reads_scenes", reads)
    return marked


def means_without_scene_readers(
    summary: pd.DataFrame, rows: pd.DataFrame, readers: Collection[str], resamples: int, seed: int
) -> pd.DataFrame:
    """The table of means with WITHOUT and its bounds as last columns: targeted success over the F that do not read scenes, NaN
    where all do. As it is where no F of the `rows` reads any.
    """
    reading = rows.classifier.isin(readers)
    if not reading.any():
        return summary
    names = {f"targeted{bound}": f"{WITHOUT}{bound}" for bound in ("", "_low", "_high")}
    if reading.all():
        return summary.assign(**dict.fromkeys(names.values(), float("nan")))
    others = summary_table(rows[~reading], resamples, seed)
    return summary.merge(others[[*MEANS, *names]].rename(columns=names), how="left", on=MEANS)
