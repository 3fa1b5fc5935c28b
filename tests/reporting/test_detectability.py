"""Tables of detectors and of devices, against figures counted by hand."""

import numpy as np
import pandas as pd
import pytest

from cama.evaluation.rates import wilson
from cama.reporting.detectability import detection_table, devices_table, with_detection


def scores(untouched: list[float], attacked: list[float], photographs: int = 4) -> pd.DataFrame:
    """Scores of untouched and attacked pictures, photographs taking turns."""
    rows = [(0, score, i % photographs) for i, score in enumerate(untouched)]
    rows += [(1, score, i % photographs) for i, score in enumerate(attacked)]
    table = pd.DataFrame(rows, columns=["attacked", "score", "photograph"])
    return table.assign(method="cama", set="in", question="attacked", detector="numbers", target="")


def test_the_area_under_the_curve_by_hand():
    # of the nine pairs, attacked scores higher in 6, and one is a tie
    found = detection_table(scores([0, 1, 2], [1, 3, 4 - 3.5], 3), 100, 1).iloc[0]
    pairs = [(a > u) + 0.5 * (a == u) for a in (1, 3, 0.5) for u in (0, 1, 2)]
    assert found.auc == pytest.approx(np.mean(pairs))
    assert (found.untouched, found.attacked) == (3, 3)
    assert found.auc_low <= found.auc <= found.auc_high


def test_what_is_told_apart_wholly_or_not_at_all():
    rng = np.random.default_rng(0)
    told = detection_table(scores(list(rng.normal(0, 1, 40)), list(rng.normal(50, 1, 80)), 40), 100, 1).iloc[0]
    assert (told.auc, told.auc_high, told.found_at_5_percent) == pytest.approx((1, 1, 1))
    assert told.auc_low == pytest.approx(wilson(40, 40)[0])  # 40 photographs cannot show more
    alike = detection_table(scores(list(rng.normal(0, 1, 400)), list(rng.normal(0, 1, 400)), 400), 200, 1).iloc[0]
    assert alike.auc_low < 0.5 < alike.auc_high
    assert alike.found_at_5_percent < 0.12


def test_the_share_found_is_as_uncertain_as_its_threshold():
    """One untouched photograph sets the threshold: where it is not drawn, all attacked pictures are found."""
    untouched, attacked = [0.0] * 18 + [9, 9], [5.0] * 20
    found = detection_table(scores(untouched, attacked, 20), 500, 1).iloc[0]
    assert (found.found_at_5_percent, found.found_at_5_percent_low, found.found_at_5_percent_high) == (0, 0, 1)


def test_pictures_of_one_photograph_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    once = scores(list(rng.normal(0, 1, 20)), list(rng.normal(0.5, 1, 20)), 20)
    widths = []
    for table in (once, pd.concat([once] * 10)):
        found = detection_table(table, 300, 1).iloc[0]
        widths.append(found.auc_high - found.auc_low)
    assert widths[0] == pytest.approx(widths[1])


def test_methods_and_sets_stand_apart():
    table = pd.concat(
        [scores([0, 1], [2, 3], 2).assign(method=method, set=kind) for method in "ab" for kind in ("in", "out")]
    )
    found = detection_table(table, 100, 1)
    assert list(zip(found.method, found.set, strict=True)) == [(m, k) for m in "ab" for k in ("in", "out")]


def test_the_areas_of_several_targets_are_a_mean_of_each():
    """All pictures of one target score higher than all of the other: pooled, they would be compared."""
    told, reversed_ = scores([0, 1], [2, 3], 2).assign(target="A"), scores([-8, -7], [-10, -9], 2).assign(target="B")
    one_true = scores([5], [], 1).assign(target="C")  # nothing was made to look like it
    table = pd.concat([told, reversed_, one_true])
    found = detection_table(table.assign(question="target"), 100, 1).iloc[0]
    assert (found.auc, found.found_at_5_percent) == (0.5, 0.5)
    assert (found.untouched, found.attacked) == (5, 4)
    pooled = detection_table(table.assign(question="attacked"), 100, 1).iloc[0]
    assert pooled.auc == pytest.approx((4 + 4 + 0 + 0) / 20)  # pairs by hand


def test_resamples_without_true_photographs_of_any_target_do_not_count():
    """Those of the other set are other photographs than the attacked ones: all may be drawn without any."""
    true = scores([0, 1], [], 2).assign(target="A", photograph=["t0", "t1"])
    made = scores([], [2, 3], 2).assign(target="A", photograph=["m0", "m1"])
    found = detection_table(pd.concat([true, made]).assign(question="target", set="out"), 200, 1).iloc[0]
    assert found.auc == 1
    assert 0 < found.auc_low < found.auc_high == 1


def test_the_best_detector_is_marked_and_stands_in_the_summary():
    blind, sharp = scores([0, 1], [0, 1], 2), scores([0, 1], [2, 3], 2)
    table = pd.concat(
        [
            blind.assign(detector="a"),
            sharp.assign(detector="b"),
            sharp.assign(detector="a", question="target", target="T"),
            blind.assign(detector="b", question="target", target="T"),
        ]
    )
    found = detection_table(table, 100, 1)
    assert list(found[found.best].detector) == ["b", "a"]
    summary = pd.DataFrame(
        {"method": ["cama", "cama", "other"], "set": ["in", "in", "in"], "save": ["png", "x", "png"]}
    )
    joined = with_detection(summary, found)
    assert joined.auc_attacked.tolist()[:2] == joined.auc_target.tolist()[:2] == [1, 1]
    assert joined.iloc[2][["auc_attacked", "auc_target"]].isna().all()


def test_matches_of_devices_by_hand():
    rows = [
        *(("p1", "own", 0, 100.0), ("p2", "own", 0, 70.0), ("p1", "own", 1, 61.0), ("p1", "own", 1, 59.0)),
        *(("p2", "own", 1, 10.0), ("p2", "own", 1, 300.0), ("p1", "other", 0, 5.0), ("p2", "other", 0, -8.0)),
        *(("p1", "other", 1, 60.0), ("p2", "other", 1, 2.0)),
    ]
    table = pd.DataFrame(rows, columns=["photograph", "device", "attacked", "pce"]).assign(method="cama", set="in")
    found = devices_table(table, 100, 1).set_index("fingerprint")
    assert found.loc["own", "match_before"] == 1
    assert found.loc["own", "match_after"] == pytest.approx(2 / 4)
    assert found.loc["own", "pce_before"] == 85
    assert found.loc["own", "pce_after"] == 60
    assert (found.loc["other", ["match_before", "match_after"]] == 0).all()  # 60 is no match, more than 60 is
    assert found.loc["own", "match_after_low"] <= 0.5 <= found.loc["own", "match_after_high"]


def test_where_untouched_photographs_do_not_match_their_device_nothing_is_said_of_attacked_ones():
    """Nineteen of twenty that match are enough, eighteen are not."""
    for matching, silent in ((19, False), (18, True)):
        before = [(f"p{n}", "own", 0, 100.0 if n < matching else 1.0) for n in range(20)]
        rows = [
            *before,
            *((name, device, 1, 80.0) for name, device, *_ in before),
            *(("p1", "other", n, 1.0) for n in (0, 1)),
        ]
        table = pd.DataFrame(rows, columns=["photograph", "device", "attacked", "pce"]).assign(method="cama", set="in")
        found = devices_table(table, 100, 1)
        after = [name for name in found if "_after" in name]
        assert len(after) == 4
        assert found[after].isna().all(axis=None) == found[after].isna().any(axis=None) == silent
        assert found.match_before.notna().all()
