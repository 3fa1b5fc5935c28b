import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cama.transfer.rates import clustered_interval, rate, wilson


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
