"""Tables over several catalogues, against figures counted by hand and against what reruns of a toy model show."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from cama.evaluation.rates import clustered_interval
from cama.reporting.joined import (
    ALIKE,
    FIGURE,
    OVER,
    TOO_FEW,
    UNIT,
    figures,
    joined_controls,
    joined_detection,
    joined_scene_readers,
    joined_table,
    paired_figures,
)
from cama.reporting.tables import paired_table, summary_table, transfer_table

MODELS = ("A", "B", "C")
ROLES = {"f": "same_family", "g": "other_family", "spy": "informed"}
# which cells (classifier, source, target) a catalogue's attack wins wholly; the others it loses
WON = {
    "catalogue-1": {("f", "A", "B"), ("f", "A", "C"), ("f", "B", "C"), ("g", "A", "B"), ("spy", "A", "B")},
    "catalogue-2": {("f", "A", "B"), ("g", "B", "A")},
    "catalogue-5": {("f", "A", "B"), ("f", "B", "A"), ("g", "A", "B"), ("g", "C", "B"), ("g", "A", "C")},
}


def rows_of(catalogue: str, method: str = "cama", won: set | None = None, run: int = 1) -> pd.DataFrame:
    """Rows of two photographs of each model, under each F towards each other target, with what `read_rows` joins."""
    won = WON[catalogue] if won is None else won
    rows = [
        {
            **{"catalogue": catalogue, "method": method, "run": run, "set": "in", "save": "png", "labels": 3},
            **{"role": role, "classifier": name, "photograph": f"{source}/{number}", "row": 0, "column": 0},
            **{"source": source, "target": target, "known": True, "clean": source, "clean_saved": source},
            "predicted": target if (name, source, target) in won else source,
            "psnr": 30.0 + number,
            **{"ssim": 0.9, "ms_ssim": 0.95, "area_shift": 0.5},
        }
        for name, role in ROLES.items()
        for source in MODELS
        for number in (0, 1)
        for target in MODELS
        if target != source
    ]
    return pd.DataFrame(rows)


ROWS = pd.concat([rows_of(name) for name in WON], ignore_index=True)


def cell(table: pd.DataFrame, **where: str) -> pd.Series:
    """The one row of `table` in which the columns have these values; of role and classifier `all` where they are not named."""
    where = {"role": "all", "classifier": "all"} | where
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_each_catalogue_has_the_figures_of_its_own_tables():
    values = figures(ROWS)
    for name in WON:
        rows = ROWS[ROWS.catalogue == name]
        own = values[values.catalogue == name]
        summary = summary_table(rows, 100, 1).iloc[0]
        for figure in ("targeted", "targeted_worst_classifier", "targeted_worst_label", "psnr", "psnr_p05"):
            assert cell(own, figure=figure).value == pytest.approx(summary[figure])
        for row in transfer_table(rows, 100, 1).itertuples():
            for figure in ("targeted", "untargeted", "clean_accuracy", "psnr"):
                found = cell(own, figure=figure, role=row.role, classifier=row.classifier).value
                assert found == pytest.approx(getattr(row, figure))


def test_the_worst_catalogue_has_the_lowest_figure_but_the_highest_area_shift():
    shifts = {"catalogue-1": 0.2, "catalogue-2": 0.7, "catalogue-5": 0.1}
    table = joined_table(figures(ROWS.assign(area_shift=ROWS.catalogue.map(shifts))))
    row = cell(table, figure="area_shift", role="all", classifier="all")
    assert (row.worst, row.worst_catalogue) == (pytest.approx(0.7), "catalogue-2")
    assert row.mean_low == 0  # no shift is below none
    row = cell(table, figure="targeted", role="all", classifier="all")
    assert row.worst == pytest.approx(figures(ROWS).query("figure == 'targeted' and role == 'all'").value.min())


def test_means_over_a_role_and_the_worst_cell_by_hand():
    values = figures(ROWS)
    own = values[values.catalogue == "catalogue-1"]
    # f: of targets A none of 4, B half, C all; g: B half
    assert cell(own, figure="targeted", role="same_family").value == pytest.approx((0 + 1 / 2 + 1) / 3)
    assert cell(own, figure="targeted", role="other_family").value == pytest.approx((1 / 2) / 3)
    assert cell(own, figure="targeted").value == pytest.approx((1 / 2 + 1 / 6) / 2)  # without the informed
    assert cell(own, figure="targeted_worst_label").value == 0
    towards_b = figures(ROWS[(ROWS.catalogue == "catalogue-1") & (ROWS.target == "B")])
    assert cell(towards_b, figure="targeted_worst_label", role="other_family").value == 1 / 2
    assert cell(towards_b, figure="targeted_worst_cell", role="other_family").value == 0  # from C
    from_a = figures(ROWS[(ROWS.catalogue == "catalogue-1") & (ROWS.source == "A")])
    assert cell(from_a, figure="targeted_worst_cell", role="same_family").value == 1
    assert cell(own, figure="untargeted", role="same_family").value == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_the_mean_its_interval_and_that_of_a_rerun_by_hand():
    table = joined_table(figures(ROWS))
    row = cell(table, figure="targeted", role="same_family", classifier="f")
    found = np.array([1 / 2, 1 / 6, 1 / 3])  # of the catalogues in their order
    half = t.ppf(0.975, 2) * found.std(ddof=1)
    assert (row.catalogues, row.interval) == (3, OVER)
    assert row["mean"] == pytest.approx(found.mean())
    assert row.deviation == pytest.approx(found.std(ddof=1))
    assert (row.worst, row.worst_catalogue) == (pytest.approx(1 / 6), "catalogue-2")
    assert row.mean_high == pytest.approx(found.mean() + half / math.sqrt(3))
    assert (row.mean_low, row.rerun_low, row.rerun_high) == (0, 0, 1)  # no rate is beyond
    assert math.isnan(row.training_deviation)


def test_figures_that_are_no_rates_have_bounds_that_are_not_cut():
    rows = ROWS.assign(psnr=ROWS.psnr + ROWS.catalogue.map({"catalogue-1": 0, "catalogue-2": 1, "catalogue-5": 5}))
    row = cell(joined_table(figures(rows)), figure="psnr")
    found = np.array([30.5, 31.5, 35.5])
    half = t.ppf(0.975, 2) * found.std(ddof=1) * math.sqrt(1 + 1 / 3)
    assert (row.rerun_low, row.rerun_high) == pytest.approx((found.mean() - half, found.mean() + half))


def test_two_catalogues_or_equal_ones_have_no_interval_and_say_so():
    bounds = ["mean_low", "mean_high", "rerun_low", "rerun_high"]
    two = cell(joined_table(figures(ROWS[ROWS.catalogue != "catalogue-5"])), figure="targeted")
    assert (two.catalogues, two.interval) == (2, TOO_FEW)
    assert two[bounds].isna().all()
    assert two["mean"] == pytest.approx((1 / 3 + 1 / 6) / 2)
    equal = cell(joined_table(figures(ROWS)), figure="clean_accuracy")
    assert (equal["mean"], equal.deviation, equal.interval) == (1, 0, ALIKE)
    assert equal[bounds].isna().all()


def test_more_trainings_of_one_catalogue_give_their_deviation_and_change_nothing_else():
    before = joined_table(figures(ROWS))
    more = [rows_of("catalogue-1", won=set(), run=2), rows_of("catalogue-1", won={("f", "A", "B")}, run=3)]
    after = joined_table(figures(pd.concat([ROWS, *more])))
    same = [name for name in before if not name.startswith("training")]
    pd.testing.assert_frame_equal(before[same], after[same])
    row = cell(after, figure="targeted", role="same_family", classifier="f")
    assert row.training_deviation == pytest.approx(np.std([1 / 2, 0, 1 / 6], ddof=1))
    assert row.trainings == 3


def test_trainings_that_every_catalogue_has_are_averaged_and_their_deviation_pooled():
    again = [rows_of(name, won=set(), run=2) for name in WON]
    row = cell(joined_table(figures(pd.concat([ROWS, *again]))), figure="targeted", role="same_family", classifier="f")
    firsts = np.array([1 / 2, 1 / 6, 1 / 3])
    assert row["mean"] == pytest.approx(firsts.mean() / 2)
    assert row.training_deviation == pytest.approx(math.sqrt((firsts**2 / 2).mean()))
    assert row.trainings == 6


def test_sources_that_no_classifier_knows_have_no_untargeted_rate():
    table = joined_table(figures(ROWS.assign(known=False, set="out")))
    assert "untargeted" not in set(table.figure)
    assert {"targeted", "targeted_worst_cell", "psnr"} <= set(table.figure)
    some = figures(ROWS.assign(known=ROWS.source != "A"))  # as in the tables of one catalogue
    assert not set(some.figure) & {"untargeted", "clean_accuracy"}


# ---- beside a baseline

BETTER = [
    rows_of(name, "better", won | {("f", "C", "A")}).assign(psnr=lambda rows: rows.psnr - 1)
    for name, won in WON.items()
]


def test_differences_of_each_catalogue_are_those_of_its_paired_table():
    rows = pd.concat([ROWS, *BETTER], ignore_index=True)
    values = paired_figures(rows, "cama")
    assert set(values.method) == {"better"}
    for name in WON:
        own = values[values.catalogue == name]
        wanted = paired_table(rows[rows.catalogue == name], "cama", 100, 1).set_index("classifier")
        for figure in ("difference", "fewer_failures", "psnr_difference"):
            assert cell(own, figure=figure).value == pytest.approx(wanted.loc["all", figure])
            found = cell(own, figure=figure, role="same_family", classifier="f").value
            assert found == pytest.approx(wanted.loc["f", figure])


def test_photographs_that_one_of_two_methods_attacked_are_in_no_difference():
    fewer = [part[part.source != "C"] for part in BETTER]
    values = paired_figures(pd.concat([ROWS, *fewer]), "cama")
    assert (values[values.figure == "difference"].value == 0).all()


def test_the_joined_difference_has_an_interval_over_catalogues():
    # towards A, f takes one of C's two sources more, whatever else it takes
    row = cell(
        joined_table(paired_figures(pd.concat([ROWS, *BETTER]), "cama")),
        figure="fewer_failures",
        classifier="f",
        role="same_family",
    )
    found = np.array([(1 / 6) / (1 - before) for before in (1 / 2, 1 / 6, 1 / 3)])
    half = t.ppf(0.975, 2) * found.std(ddof=1) / math.sqrt(3)
    assert (row.mean_low, row.mean_high) == pytest.approx((found.mean() - half, found.mean() + half))
    assert row.interval == OVER


# ---- what else each catalogue measured


def test_controls_have_their_mean_and_extremes_in_their_own_order():
    none = (math.nan, math.nan)
    each = [
        *(("z", "at most 0.3", "yes", 0.1), ("a", *none, 0.9)),
        *(("z", "at most 0.3", "no", 0.4), ("a", *none, 0.8)),
    ]
    columns = ["control", "expected", "holds", "value"]
    controls = pd.DataFrame(each, columns=columns).assign(catalogue=["1", "1", "2", "2"])
    table = joined_controls(controls).set_index("control")
    assert list(table.index) == ["z", "a"]
    assert list(table.loc["z", ["catalogues", "mean", "lowest", "highest"]]) == pytest.approx([2, 0.25, 0.1, 0.4])
    assert list(table.loc["a", ["mean", "lowest", "highest"]]) == pytest.approx([0.85, 0.8, 0.9])
    assert table.expected.fillna("").tolist() == ["at most 0.3", ""]
    assert table.holds.fillna("").tolist() == ["1 of 2", ""]
    unjudged = joined_controls(controls[controls.control == "a"].astype({"holds": float}))
    assert unjudged.holds.isna().all()


def test_scene_readers_are_counted_over_catalogues():
    readers = pd.DataFrame(
        {
            **{"classifier": ["f", "g", "f", "g"], "catalogue": ["1", "1", "2", "2"]},
            **{"clean_accuracy": [1.0, 0.8, 0.9, 0.6], "blurred_accuracy": [0.3, 0.7, 0.4, 0.6], "chance": [0.25] * 4},
            **{"remaining": [0.1, 0.8, 0.3, 1.0], "reads_scenes": [False, True, False, True]},
        }
    )
    table = joined_scene_readers(readers).set_index("classifier")
    assert list(table.read_scenes) == [0, 2]
    assert list(table.loc["f"]) == pytest.approx([2, 0, 0.95, 0.35, 0.2, 0.3])


def test_each_detector_has_its_areas_over_catalogues():
    keys = {"method": "cama", "question": "target", "set": "in"}
    rows = [
        {"catalogue": name, **keys, "detector": detector, "auc": auc}
        for name, areas in (("1", (0.9, 0.5)), ("2", (0.7, 0.6)))
        for detector, auc in zip(("numbers", "pixels"), areas, strict=True)
    ]
    table = joined_detection(pd.DataFrame(rows)).set_index("detector")
    assert list(table.loc["numbers", ["catalogues", "mean", "lowest", "highest"]]) == pytest.approx([2, 0.8, 0.7, 0.9])
    assert list(table.loc["pixels", ["mean", "lowest", "highest"]]) == pytest.approx([0.55, 0.5, 0.6])


# ---- what the intervals are worth


def test_intervals_cover_the_truth_and_a_rerun_as_often_as_they_say():
    """A toy model of what is measured: each rerun decides its cells (F, source, target) anew, wholly or not at all, and
    cameras that are easy are easy in many cells.
    """
    rng = np.random.default_rng(1)
    experiments, catalogues, cells = 1500, 6, 48
    ease = rng.normal(0.3, 0.5, (experiments, catalogues + 1, 1))  # the last is the rerun
    rates = (ease + rng.normal(0, 1.09, (experiments, catalogues + 1, cells)) > 0).mean(axis=2)
    truth = float((rng.normal(0.3, math.hypot(0.5, 1.09), 10**6) > 0).mean())
    values = pd.DataFrame({"value": rates[:, :-1].ravel()})
    values["method"] = np.repeat([f"m{number}" for number in range(experiments)], catalogues)
    values["catalogue"] = np.tile([f"c{number}" for number in range(catalogues)], experiments)
    values = values.assign(run=1, set="in", save="png", labels=4, role="all", classifier="all", figure="targeted")
    assert set(values) == {*UNIT, *FIGURE, "value"}
    table = joined_table(values)
    assert (table.interval == OVER).mean() > 0.99
    covered = (table.mean_low <= truth) & (truth <= table.mean_high)
    reruns = rates[:, -1]
    predicted = (table.rerun_low <= reruns) & (reruns <= table.rerun_high)
    # 1,500 experiments have a standard error of 0.006; rates are not normal, so a little is lost
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    assert predicted.mean() == pytest.approx(0.95, abs=0.02)


def test_a_bootstrap_over_the_photographs_of_one_catalogue_does_not_cover_the_truth():
    """The same toy model, with a few photographs that go their own way."""
    rng = np.random.default_rng(2)
    experiments, cells, photographs = 200, 48, 40
    won = rng.normal(0.3, 0.5, (experiments, 1)) + rng.normal(0, 1.09, (experiments, cells)) > 0
    truth = float((rng.normal(0.3, math.hypot(0.5, 1.09), 10**6) > 0).mean())
    flipped = rng.random((experiments, cells, photographs)) < 0.05
    covered = []
    for success in (won[:, :, None] ^ flipped).reshape(experiments, -1):
        low, high = clustered_interval(success, np.tile(np.arange(photographs), cells), 100, 1)
        covered.append(low <= truth <= high)
    assert np.mean(covered) < 0.3
