import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cama.evaluation import rates
from cama.evaluation.rates import clustered_interval, paired, rate, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 10), (7, 12), (300, 600), (599, 600), (5, 5), (1, 1)])
def test_wilson_against_scipy(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert all(0 <= bound <= 1 for bound in wilson(successes, trials))


def test_nothing_to_count_has_no_interval():
    assert all(map(math.isnan, wilson(0, 0)))
    assert all(map(math.isnan, clustered_interval(np.array([]), np.array([]), 100, 1)))
    empty = pd.Series([], dtype=float)
    assert all(map(math.isnan, rate(empty, empty, 100, 1)))


def clustered(clusters=60, each=5, seed=0):
    """Outcomes that are all but decided by the cluster."""
    rng = np.random.default_rng(seed)
    chance = np.repeat(rng.choice([0.05, 0.95], clusters), each)
    return (rng.random(clusters * each) < chance).astype(float), np.repeat(np.arange(clusters), each)


def test_the_interval_contains_the_mean_and_is_wider_for_clustered_rows():
    success, cluster = clustered()
    low, high = clustered_interval(success, cluster, 1000, 1)
    assert low < success.mean() < high
    alone_low, alone_high = clustered_interval(success, np.arange(len(success)), 1000, 1)
    assert high - low > 1.6 * (alone_high - alone_low)


def test_rows_of_their_own_give_about_wilsons_interval():
    success = (np.random.default_rng(2).random(600) < 0.4).astype(float)
    low, high = clustered_interval(success, np.arange(600), 4000, 1)
    expected_low, expected_high = wilson(success.sum(), 600)
    assert (low + high) / 2 == pytest.approx((expected_low + expected_high) / 2, abs=0.005)
    assert high - low == pytest.approx(expected_high - expected_low, rel=0.08)  # one of 90% is 16% narrower


def test_copies_of_rows_add_no_certainty():
    success = (np.random.default_rng(3).random(200) < 0.3).astype(float)
    once = clustered_interval(success, np.arange(200), 500, 1)
    assert clustered_interval(np.repeat(success, 5), np.repeat(np.arange(200), 5), 500, 1) == pytest.approx(once)


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    success, cluster = clustered(seed=4)
    names = np.array([f"{index:03d}.JPG" for index in cluster])
    order = np.random.default_rng(5).permutation(len(success))
    expected = clustered_interval(success, names, 300, 1)
    assert clustered_interval(success[order], names[order], 300, 1) == pytest.approx(expected)
    assert clustered_interval(success, names, 300, 2) != expected


def test_a_large_cluster_weighs_as_many_rows_as_it_has():
    """The interval is of the mean over rows: about 0.9 here, where the mean over clusters is 0.5."""
    cluster = np.concatenate([np.repeat(np.arange(20), 45), np.repeat(np.arange(20, 40), 5)])
    success = (cluster < 20).astype(float)
    low, high = clustered_interval(success, cluster, 1000, 1)
    assert 0.8 < low < 0.9 < high < 0.97


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_equal_outcomes_take_wilsons_interval_of_the_clusters(outcome):
    interval = clustered_interval(np.full(30, outcome), np.repeat(np.arange(6), 5), 1000, 1)
    expected = binomtest(int(6 * outcome), 6).proportion_ci(0.95, method="wilson")
    assert interval == pytest.approx((expected.low, expected.high))


def test_a_rate_is_the_mean_over_rows_with_its_interval():
    """The rows of a table that was filtered keep their old index."""
    success, cluster = clustered()
    rows = pd.DataFrame({"success": success > 0, "photograph": cluster}, index=np.arange(1000, 1000 + len(success)))
    mean, low, high = rate(rows.success, rows.photograph, 300, 1)
    assert mean == pytest.approx(success.mean())
    assert (low, high) == clustered_interval(success, cluster, 300, 1)
    constant = rows[rows.success]
    assert rate(constant.success, constant.photograph, 300, 1)[0] == 1


def test_a_rate_over_labels_is_the_mean_of_their_rates():
    rows = pd.DataFrame({"hit": [1, 0, 0, 0, 1, 1], "label": list("aaaabb"), "photograph": range(6)})
    mean, low, high = rate(rows.hit, rows.photograph, 300, 1, rows.label)
    assert mean == pytest.approx((1 / 4 + 1) / 2)
    assert low < mean < high


# Four photographs, one with three rows; the weights differ.
SUCCESS = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
BASELINE = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
WEIGHT = np.array([1.0, 1.0, 1.0, 2.0, 1.0, 2.0])
CLUSTER = np.array(["a", "a", "a", "b", "c", "d"])


def test_paired_figures_as_by_hand():
    """4 of 8 against 2 of 8: a quarter more, and a third of the six failures gone."""
    difference, _, _, fewer, _, _ = paired(SUCCESS, BASELINE, CLUSTER, 100, 1, WEIGHT)
    assert difference == pytest.approx(1 / 4)
    assert fewer == pytest.approx(1 / 3)
    assert all(type(figure) is float for figure in paired(SUCCESS, BASELINE, CLUSTER, 100, 1, WEIGHT))


def test_paired_weights_count_outcomes():
    even = np.ones(6)
    assert paired(SUCCESS, BASELINE, CLUSTER, 100, 1, even)[0] == pytest.approx(1 / 6)
    assert paired(SUCCESS, BASELINE, CLUSTER, 100, 1, even)[3] == pytest.approx(1 / 4)
    seven = paired(SUCCESS, BASELINE, CLUSTER, 100, 1, 7 * WEIGHT)
    assert seven == pytest.approx(paired(SUCCESS, BASELINE, CLUSTER, 100, 1, WEIGHT), nan_ok=True)


def test_paired_bounds_are_empty_with_few_photographs():
    found = paired(SUCCESS, BASELINE, CLUSTER, 100, 1, WEIGHT)
    assert [math.isnan(figure) for figure in found] == [False, True, True, False, True, True]


def test_paired_bounds_are_empty_where_resamples_cannot_tell_them():
    cluster, even, before = np.arange(40), np.ones(40), np.arange(40) % 10 > 0
    never = paired(np.ones(40), before, cluster, 500, 1, even)  # four failures, all gone, also in each resample
    assert never[3] == 1
    assert [math.isnan(figure) for figure in never] == [False, False, False, False, True, True]
    alike = paired(before, before, cluster, 500, 1, even)
    assert [figure if figure == figure else None for figure in alike] == [0, None, None, 0, None, None]
    seldom = paired(np.arange(40) > 0, np.arange(40) > 1, cluster, 500, 1, even)  # of two failures one is gone
    assert seldom[3] == pytest.approx(1 / 2)
    assert [math.isnan(figure) for figure in seldom] == [False, False, False, False, True, True]


def test_several_trainings_of_a_method_widen_its_interval():
    rng = np.random.default_rng(3)
    good, bad, before = ((rng.random(60) < share).astype(float) for share in (0.9, 0.5, 0.4))
    cluster, even = np.arange(60), np.ones(60)
    both = paired(np.stack([good, bad], 1), before, cluster, 500, 1, even)
    alone = paired((good + bad) / 2, before, cluster, 500, 1, even)
    assert both[0] == pytest.approx(alone[0]) == pytest.approx((good.mean() + bad.mean()) / 2 - before.mean())
    assert both[2] - both[1] > 1.3 * (alone[2] - alone[1])


def test_the_paired_interval_against_every_resample_of_the_photographs(monkeypatch):
    """All 4^4 of them, each as likely as the others."""
    differences, fewer = [], []
    for names in itertools.product("abcd", repeat=4):
        rows = np.concatenate([np.flatnonzero(name == CLUSTER) for name in names])
        first, second = (np.average(outcome[rows], weights=WEIGHT[rows]) for outcome in (SUCCESS, BASELINE))
        differences.append(first - second)
        if second < 1:
            fewer.append((first - second) / (1 - second))
    monkeypatch.setattr(rates, "FEW_CLUSTERS", 1)
    found = paired(SUCCESS, BASELINE, CLUSTER, 20_000, 1, WEIGHT)
    assert found[1:3] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.05)
    assert found[4:] == pytest.approx(np.quantile(fewer, [0.025, 0.975]), abs=0.1)


def two_methods(photographs=60, each=4, seed=0):
    """Outcomes of two methods, decided mostly by the photograph; on average the first has 0.15 more success."""
    rng = np.random.default_rng(seed)
    easy = np.repeat(rng.beta(0.6, 0.6, photographs), each)
    gain = np.repeat(rng.choice([0.0, 0.3], photographs), each)
    chance = 0.7 * easy
    rows = photographs * each
    success, baseline = rng.random(rows) < chance + gain, rng.random(rows) < chance
    return success.astype(float), baseline.astype(float), np.repeat(np.arange(photographs), each)


def test_copies_of_rows_of_a_photograph_do_not_narrow_the_paired_interval():
    success, baseline, cluster = two_methods(each=1)
    even = np.ones(len(success))
    once = paired(success, baseline, cluster, 500, 1, even)
    copies = [np.repeat(values, 6) for values in (success, baseline, cluster)]
    assert paired(*copies, 500, 1, np.repeat(even, 6)) == pytest.approx(once)
    apart = paired(*copies[:2], np.arange(len(copies[0])), 500, 1, np.repeat(even, 6))
    assert apart[2] - apart[1] < 0.6 * (once[2] - once[1])  # what taking copies for photographs would give


def test_pairing_is_narrower_than_two_intervals():
    """What both methods find hard cancels."""
    success, baseline, cluster = two_methods(200, 5)
    low, high = paired(success, baseline, cluster, 1000, 1, np.ones(len(success)))[1:3]
    widths = [np.subtract(*clustered_interval(outcome, cluster, 1000, 1)[::-1]) for outcome in (success, baseline)]
    assert high - low < 0.8 * np.hypot(*widths)


def test_swapped_methods_have_the_opposite_difference():
    success, baseline, cluster = two_methods()
    even = np.ones(len(success))
    difference, low, high = paired(success, baseline, cluster, 500, 1, even)[:3]
    assert paired(baseline, success, cluster, 500, 1, even)[:3] == pytest.approx((-difference, -high, -low))


def test_a_method_that_equals_its_baseline_differs_by_nothing():
    success, _, cluster = two_methods()
    weight = np.random.default_rng(0).random(len(success)) + 0.1
    found = paired(success, success, cluster, 300, 1, weight)
    assert (found[0], found[3]) == (0, 0)
    assert np.isnan(found[1:3] + found[4:]).all()  # no resample differs, which does not show that nothing would


def test_a_baseline_that_never_fails_has_no_failures_to_take_away():
    success, _, cluster = two_methods()
    weight = np.random.default_rng(0).random(len(success)) + 0.1  # sums that rounding keeps from being equal
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = paired(success, np.ones(len(success)), cluster, 300, 1, weight)
    assert found[0] == pytest.approx(np.average(success, weights=weight) - 1)
    assert found[1] <= found[0] <= found[2] < 0
    assert all(map(math.isnan, found[3:]))


def test_a_baseline_that_fails_once_gives_its_share_no_bounds():
    baseline = np.ones(12)
    baseline[3] = 0
    found = paired(np.ones(12), baseline, np.arange(12), 400, 1, np.ones(12))
    assert found[0] == pytest.approx(1 / 12)
    assert found[3:] == pytest.approx((1, math.nan, math.nan), nan_ok=True)


def test_the_paired_interval_contains_the_true_difference_about_as_often_as_it_says():
    """In 95% of draws; if the rows of a photograph counted as photographs, in far fewer."""
    draws, clustered_hits, naive_hits = 300, 0, 0
    for seed in range(draws):
        success, baseline, cluster = two_methods(50, 12, seed=seed)
        even = np.ones(len(success))
        low, high = paired(success, baseline, cluster, 200, seed, even)[1:3]
        clustered_hits += low <= 0.15 <= high
        low, high = paired(success, baseline, np.arange(len(success)), 200, seed, even)[1:3]
        naive_hits += low <= 0.15 <= high
    assert 0.90 < clustered_hits / draws < 0.985  # a standard deviation is 1.3%
    assert naive_hits < clustered_hits - 0.05 * draws
