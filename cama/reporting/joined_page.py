"""The page of several catalogues of cameras, from `joined.html.jinja`: what holds over all, and the report of each."""

import pandas as pd

from cama.reporting.formats import merge_intervals
from cama.reporting.html import render
from cama.reporting.joined import FEWEST, by_catalogue

CELL = ["method", "set", "save", "labels"]
PSNR = "PSNR: mean / 5%"
HEADINGS = {"targeted_worst_classifier": "worst F", "targeted_worst_cell": "worst cell", "area_shift": "area shift"}


def render_joined(
    rows: pd.DataFrame, values: pd.DataFrame, tables: dict[str, pd.DataFrame], baseline: str, reports: dict[str, str]
) -> str:
    """The page. `rows`: those of all catalogues, as `figures` takes them, and `values` what it makes of them; `tables`: the
    joined ones by name; `reports`: where the report of each catalogue lies, relative to the page.
    """
    joined, order = tables["joined"], {name: list(rows[name].unique()) for name in ("method", "save")}
    return render(
        "joined.html.jinja",
        save=order["save"][0],
        reports=reports,
        intervals=len(reports) >= FEWEST,
        catalogues=catalogues_table(rows, values),
        headline=headline_table(joined, order),
        baseline=baseline,
        paired=differences_table(tables["joined_paired"], order) if baseline else None,
        figures={method: _all_figures(joined[joined.method == method]) for method in order["method"]},
        tables=tables,
    )


def catalogues_table(rows: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Of each catalogue its photographs and trainings, and the targeted success of each method in-distribution, as the headline
    has it. The index has their names.
    """
    photographs = rows.groupby(["catalogue", "set"]).photograph.nunique().unstack(fill_value=0)
    runs = rows.groupby(["catalogue", "method"], sort=False).run.nunique()
    table = photographs.add_prefix("photographs_")
    table["trainings"] = [_trainings(runs[name]) for name in table.index]
    first = _headline_part(by_catalogue(values).reset_index(), rows.save.iloc[0])
    targeted = first[(first.figure == "targeted") & (first.set == "in")].pivot(
        index="catalogue", columns="method", values="value"
    )
    return table.join(targeted.reindex(columns=rows.method.unique())).loc[rows.catalogue.unique()]


def _trainings(runs: pd.Series) -> str:
    """How many trainings of its generator each method has."""
    several = [f"{number} of {method}" for method, number in runs.items() if number > 1]
    return ", ".join([*several, "1 of the others"]) if several else "1 of each method"


def headline_table(joined: pd.DataFrame, order: dict[str, list]) -> pd.DataFrame:
    """One row for each set and method: means over the F of the fewest labels after the first save, beside chance and oracle."""
    wide = _wide(_headline_part(joined, order["save"][0]), ["targeted"], order)
    wide["oracle"] = wide.set.map(wide[wide.method == "oracle"].set_index("set").targeted)
    wide["share_of_oracle"] = wide.targeted / wide.oracle.where(wide.oracle > 0)
    psnr = wide[["psnr", "psnr_p05"]]
    wide[PSNR] = psnr.map("{:.1f}".format).agg(" / ".join, axis=1).where(psnr.psnr.notna())
    wide = wide.rename(columns=HEADINGS)
    shown = ["set", "method", "targeted", "rerun", "lowest", "deviation of trainings", "chance", "oracle"]
    shown += ["share_of_oracle", "worst F", "worst cell", PSNR, "area shift"]
    wide = wide.sort_values("set", kind="stable").dropna(axis="columns", how="all")
    return merge_intervals(wide, 2)[[name for name in shown if name in wide]]


def differences_table(paired: pd.DataFrame, order: dict[str, list]) -> pd.DataFrame:
    """One row for each method, set, save and number of labels: the differences from the baseline, over all F."""
    wide = _wide(_of_all(paired), ["difference", "fewer_failures", "psnr_difference"], order)
    shown = [*CELL, "difference", "rerun", "lowest", "fewer_failures", "psnr_difference"]
    return merge_intervals(wide, 2)[[name for name in shown if name in wide]]


def _of_all(table: pd.DataFrame) -> pd.DataFrame:
    """What is over all F but informed ones and judges."""
    return table[(table.role == "all") & (table.classifier == "all")]


def _headline_part(table: pd.DataFrame, save: str) -> pd.DataFrame:
    """What is over all F of the fewest labels, after this save."""
    return _of_all(table[(table.save == save) & (table.labels == table.labels.min())])


def _wide(table: pd.DataFrame, bounded: list[str], order: dict[str, list]) -> pd.DataFrame:
    """Of a joined table, one row for each CELL, and the figures as columns: with bounds those in `bounded` that it has (beside
    untouched photographs there is no difference in dB), and of the first of these what a rerun would show, the lowest catalogue
    and the deviation of trainings. `order`: of values of columns.
    """
    cells = table.set_index([*CELL, "figure"])
    wide = cells["mean"].unstack()
    for name in wide.columns.intersection(bounded):
        for bound in ("low", "high"):
            wide[f"{name}_{bound}"] = cells[f"mean_{bound}"].unstack()[name]
    first = cells.xs(bounded[0], level="figure")
    wide["rerun"] = _rerun(first, 2)
    wide["lowest"] = first.worst.map("{:.2f}".format) + " (" + first.worst_catalogue + ")"
    wide["deviation of trainings"] = first.training_deviation
    places = {name: {value: place for place, value in enumerate(values)} for name, values in order.items()}
    return wide.reset_index().sort_values(
        CELL, key=lambda column: column.map(places[column.name]) if column.name in places else column
    )


def _rerun(table: pd.DataFrame, digits: int) -> pd.Series:
    """The prediction intervals as text, missing where there are none."""
    low, high = (table[name].map(f"{{:.{digits}f}}".format) for name in ("rerun_low", "rerun_high"))
    return (low + " to " + high).where(table.rerun_low.notna())


def _all_figures(joined: pd.DataFrame) -> pd.DataFrame:
    """The joined table of one method for a reader."""
    shown = joined.assign(rerun=_rerun(joined, 2), trainings=joined.trainings.map("{:.0f}".format, na_action="ignore"))
    shown = merge_intervals(shown.drop(columns=["method", "catalogues", "interval", "rerun_low", "rerun_high"]), 2)
    shown.insert(shown.columns.get_loc("mean") + 1, "rerun", shown.pop("rerun"))
    return shown.dropna(axis="columns", how="all").fillna({"trainings": "", "rerun": ""})
