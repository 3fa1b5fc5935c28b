"""Tables over several catalogues of simulated cameras, recomputed from the rows of each.

Success is decided by cell (F, source, target), so more photographs of the same cameras say little of others, and a rerun of
the same cameras trains other networks. The unit is therefore a catalogue with its own trainings: Student's t over catalogues
gives the interval of the mean, and the prediction interval of what one more catalogue, or a rerun, would show (Hahn and
Meeker, Statistical Intervals, 1991).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from cama.reporting.tables import NOT_COUNTED, PICTURE

FEWEST = 3  # catalogues of which an interval is shown
EQUAL = 1e-9  # deviation over catalogues that agree
OVER, TOO_FEW, ALIKE = "over catalogues and trainings", "none: fewer than 3 catalogues", "none: all catalogues agree"
BOUNDS = ["mean_low", "mean_high", "rerun_low", "rerun_high"]
UNIT = ["catalogue", "run"]
GROUP = ["method", "set", "save", "labels", "role", "classifier"]
FIGURE = [*GROUP, "figure"]
Filter = Callable[[Any], Any]  # of a table, or of one of its columns, that has the role in its index


def figures(rows: pd.DataFrame) -> pd.DataFrame:
    """The figures of each catalogue and training, from the rows of all with a column `catalogue`: those of each F, and as
    role or classifier `all` those over several F. Columns UNIT, FIGURE and value.

    Rates are for each label and then averaged, as in the tables of one catalogue; `untargeted` and `clean_accuracy` are
    missing where F does not know the source. Informed F and judges are not in role `all`.
    """
    every = [*UNIT, *GROUP]
    known = rows.known.astype(bool).groupby([rows[key] for key in every]).transform("all")
    scored = rows.assign(
        hit=rows.predicted == rows.target,
        untouched=rows.clean_saved == rows.target,
        miss=(rows.predicted != rows.source).astype(float).where(known),
        right=(rows.clean == rows.source).astype(float).where(known),
        finite=rows.psnr.where(np.isfinite(rows.psnr)),
    )
    cells = scored.groupby([*every, "source", "target"]).hit.mean()
    by_target = scored.groupby([*every, "target"])[["hit", "untouched"]].mean()
    of_target = by_target.hit
    of_source = scored.groupby([*every, "source"])[["miss", "right"]].mean().groupby(every).mean()
    groups = scored.groupby(every).finite
    each = pd.DataFrame(
        {
            "targeted": of_target.groupby(every).mean(),
            "chance": by_target.untouched.groupby(every).mean(),
            "untargeted": of_source.miss,
            "clean_accuracy": of_source.right,
            "psnr": groups.mean(),
            "psnr_p05": groups.quantile(0.05),
            "area_shift": scored.groupby(every).area_shift.mean(),
        }
    )

    def over(keep: Filter, keys: list[str]) -> pd.DataFrame:
        worst = {
            "targeted_worst_classifier": keep(each).targeted.groupby(keys).min(),
            "targeted_worst_label": keep(of_target).groupby([*keys, "target"]).mean().groupby(keys).min(),
            "targeted_worst_cell": keep(cells).groupby(keys).min(),
        }
        return keep(each).groupby(keys).mean().assign(**worst)

    return _over_classifiers(over)


def paired_figures(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The differences of each method from `baseline` on the same photographs and targets, of each catalogue and training, as
    `figures` has them: in targeted success (`difference`), the share of the baseline's failures that is gone
    (`fewer_failures`), and in PSNR. Trainings of both methods are taken in their order.
    """
    scored = rows.assign(
        hit=(rows.predicted == rows.target).astype(float), finite=rows.psnr.where(np.isfinite(rows.psnr))
    )
    # F may have another role to the baseline; what counts is the one to the method that stands beside it
    trials = [*UNIT, *[key for key in GROUP if key not in ("method", "role")], *PICTURE, "target"]
    before = scored[scored.method == baseline].set_index(trials)[["hit", "finite"]].add_suffix("_before")
    both = scored[~scored.method.isin([baseline, "identity"])].join(before, on=trials, how="inner")
    both["psnr_difference"] = both.finite - both.finite_before
    every = [*UNIT, *GROUP]
    each = both.groupby([*every, "target"])[["hit", "hit_before"]].mean().groupby(every).mean()
    each["psnr_difference"] = both.groupby(every).psnr_difference.mean()

    def over(keep: Filter, keys: list[str]) -> pd.DataFrame:
        means = keep(each).groupby(keys).mean()
        difference, failures = means.hit - means.hit_before, 1 - means.hit_before
        fewer = difference / failures.where(failures > 1e-12)
        return pd.DataFrame(
            {"difference": difference, "fewer_failures": fewer, "psnr_difference": means.psnr_difference}
        )

    return _over_classifiers(over)


def _over_classifiers(over: Callable[[Filter, list[str]], pd.DataFrame]) -> pd.DataFrame:
    """`over` of all F that count in means, of the F of each role, and of each F, in long form: UNIT, FIGURE and value."""
    parts = []
    for keep, several in ((_counted, ["role", "classifier"]), (_all, ["classifier"]), (_all, [])):
        keys = [key for key in [*UNIT, *GROUP] if key not in several]
        parts.append(over(keep, keys).reset_index().assign(**dict.fromkeys(several, "all")))
    return pd.concat(parts).melt([*UNIT, *GROUP], var_name="figure").dropna(subset="value")


def _counted(table: Any) -> Any:
    return table[~table.index.get_level_values("role").isin(NOT_COUNTED)]


def _all(table: Any) -> Any:
    return table


def joined_table(values: pd.DataFrame) -> pd.DataFrame:
    """One row for each figure (columns FIGURE) of `values`, which are those of `figures` or `paired_figures`.

    `mean` over catalogues with its 95% t interval; `deviation` over catalogues; `rerun_low` and `rerun_high`, the 95%
    prediction interval of one catalogue more; the `worst` catalogue: the lowest, of `area_shift` the highest. Catalogues with
    more trainings than another count with as many as it, so that all are draws alike; from all their trainings comes
    `training_deviation`, that of trainings on the same cameras, pooled, and `trainings` is how many it comes from.

    There are no bounds with fewer than FEWEST catalogues, nor where all agree, whose deviation says nothing; `interval` says
    so, or of what kind they are. Bounds of rates are cut to 0 and 1.
    """
    catalogues = by_catalogue(values)
    grouped = catalogues.groupby(FIGURE, sort=False)
    table = pd.DataFrame({"catalogues": grouped.size(), "mean": grouped.mean()})
    table["deviation"] = grouped.std()
    half = t_width(table.catalogues, table.deviation)
    for name, width in (("mean", np.sqrt(1 / table.catalogues)), ("rerun", np.sqrt(1 + 1 / table.catalogues))):
        table[f"{name}_low"], table[f"{name}_high"] = table["mean"] - half * width, table["mean"] + half * width
    worst = catalogues.where(catalogues.index.get_level_values("figure") != "area_shift", -catalogues)
    found = worst.groupby(FIGURE, sort=False).idxmin()
    table["worst"], table["worst_catalogue"] = catalogues.loc[list(found)].to_numpy(), found.str[-1]
    table = table.join(_trainings(values)).reset_index()
    table["interval"] = np.select([table.catalogues < FEWEST, table.deviation < EQUAL], [TOO_FEW, ALIKE], OVER)
    rates = table.figure.str.contains("targeted|chance|clean")
    table.loc[rates, BOUNDS] = table.loc[rates, BOUNDS].clip(0, 1)
    shifts = table.figure == "area_shift"
    table.loc[shifts, BOUNDS] = table.loc[shifts, BOUNDS].clip(lower=0)
    first = [*FIGURE, "catalogues", "mean", "mean_low", "mean_high", "deviation", "rerun_low", "rerun_high"]
    return table[[*first, *(name for name in table if name not in first)]]


def t_width(catalogues: pd.Series, deviation: pd.Series) -> pd.Series:
    """Student's t at 97.5% times the deviation over so many catalogues; none of fewer than FEWEST, nor where all agree."""
    return (t.ppf(0.975, catalogues - 1) * deviation).where((catalogues >= FEWEST) & (deviation >= EQUAL))


def by_catalogue(values: pd.DataFrame) -> pd.Series:
    """The mean of each figure over the trainings of a catalogue, of which all count with as many; by FIGURE and catalogue."""
    fewest = values.groupby(["method", "catalogue"]).run.nunique().groupby("method").min()
    alike = values[values.run <= values.method.map(fewest)]
    return alike.groupby([*FIGURE, "catalogue"], sort=False).value.mean()


def _trainings(values: pd.DataFrame) -> pd.DataFrame:
    """The deviation over trainings of each figure, pooled over the catalogues that have several, and their number."""
    found = values.groupby([*FIGURE, "catalogue"], sort=False).value.agg(["count", "var"])
    found = found[found["count"] > 1]
    squares = (found["var"] * (found["count"] - 1)).groupby(FIGURE, sort=False).sum()
    freedom = (found["count"] - 1).groupby(FIGURE, sort=False).sum()
    number = found["count"].groupby(FIGURE, sort=False).sum()
    return pd.DataFrame({"training_deviation": np.sqrt(squares / freedom), "trainings": number})


# ---- what else each catalogue measured: tables of all with a column `catalogue`


def joined_controls(controls: pd.DataFrame) -> pd.DataFrame:
    """Each control: its mean, lowest and highest value over the catalogues, what is expected of each, and in how many of them
    that holds, as text; missing where nothing is expected.
    """
    table = _spread(controls, ["control"], "value")
    expected = controls.drop_duplicates("control").set_index("control").expected
    judged = controls.dropna(subset="holds").groupby("control").holds
    held = judged.agg(lambda said: f"{(said == 'yes').sum()} of {len(said)}")
    return table.assign(expected=table.control.map(expected), holds=table.control.map(held))


def joined_scene_readers(readers: pd.DataFrame) -> pd.DataFrame:
    """How many of the catalogues found that an F reads scenes, its mean accuracies, and the mean and highest share of accuracy
    above chance that remains without high frequencies.
    """
    grouped = readers.groupby("classifier", sort=False)
    return grouped.agg(
        catalogues=("catalogue", "size"),
        read_scenes=("reads_scenes", "sum"),
        clean_accuracy=("clean_accuracy", "mean"),
        blurred_accuracy=("blurred_accuracy", "mean"),
        remaining=("remaining", "mean"),
        remaining_highest=("remaining", "max"),
    ).reset_index()


def joined_detection(detection: pd.DataFrame) -> pd.DataFrame:
    """The mean, lowest and highest AUC over the catalogues of each detector, for each method, question and set."""
    return _spread(detection, ["method", "question", "set", "detector"], "auc")


def _spread(table: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    grouped = table.groupby(keys, sort=False)
    spread = {"mean": (value, "mean"), "lowest": (value, "min"), "highest": (value, "max")}
    return grouped.agg(catalogues=("catalogue", "size"), **spread).reset_index()
