"""Success rates from rows, with their intervals.

A row is one attacked photograph under one classifier: columns `photograph`, `source`, `target`, `predicted`, `clean`, and
`run` where an attack was trained several times.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import ndtri

FEW_CLUSTERS = 10  # below, a percentile bootstrap is too narrow
Z = float(ndtri(0.975))  # of the normal distribution


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion (Wilson 1927). `successes` may be a fraction, as a weighted mean gives it,
    which scipy's `binomtest` refuses.
    """
    if trials == 0:
        return math.nan, math.nan
    share, scale = successes / trials, Z * Z / trials
    centre = (share + scale / 2) / (1 + scale)
    half = Z * math.sqrt(share * (1 - share) / trials + scale / (4 * trials)) / (1 + scale)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(
    success: np.ndarray,
    cluster: np.ndarray,
    resamples: int,
    seed: int,
    weight: np.ndarray | None = None,
    run: np.ndarray | None = None,
) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean of `success` (N,), weighted by `weight` (N,).

    Whole clusters (N,) are resampled, and where there are several trainings `run` (N,) those too, independently (the
    pigeonhole bootstrap, Owen 2007). Where every outcome is the same, the bootstrap interval has no width: the result is then
    Wilson's interval for as many trials as clusters. With few clusters it is too narrow: the result then covers both.
    """
    if len(success) == 0:
        return math.nan, math.nan
    success = np.asarray(success, float)
    weight = np.ones_like(success) if weight is None else np.asarray(weight, float)
    hits, counts = _by_cluster_and_run(np.stack([success * weight, weight]), cluster, run)
    trials, runs = counts.shape
    exact = wilson(hits.sum() / counts.sum() * trials, trials)
    if success.min() == success.max() or trials < 2:
        return exact
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, trials, (resamples, trials))
    if runs == 1:
        means = hits[drawn, 0].sum(axis=1) / counts[drawn, 0].sum(axis=1)
    else:
        times = rng.multinomial(runs, [1 / runs] * runs, resamples)
        means = (hits[drawn].sum(axis=1) * times).sum(axis=1) / (counts[drawn].sum(axis=1) * times).sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    if trials < FEW_CLUSTERS:
        low, high = min(low, exact[0]), max(high, exact[1])
    return float(low), float(high)


def _by_cluster_and_run(values: np.ndarray, cluster: np.ndarray, run: np.ndarray | None) -> np.ndarray:
    """Sums (V, clusters, runs) of values (V, N)."""
    clusters, row = np.unique(np.asarray(cluster), return_inverse=True)
    runs, column = np.unique(np.zeros(values.shape[1]) if run is None else np.asarray(run), return_inverse=True)
    sums = np.zeros((len(values), len(clusters), len(runs)))
    for total, each in zip(sums, values, strict=True):
        np.add.at(total, (row, column), each)
    return sums


def rate(
    success: pd.Series,
    photographs: pd.Series,
    resamples: int,
    seed: int,
    labels: pd.Series | None = None,
    runs: pd.Series | None = None,
) -> tuple[float, float, float]:
    """Mean, low and high of a success rate, per label and then averaged where `labels` are given (as in the paper's protocol);
    three NaN where there is nothing to count.
    """
    if success.empty:
        return math.nan, math.nan, math.nan
    weight = None if labels is None else (1 / labels.map(labels.value_counts())).to_numpy(float)
    run = None if runs is None else runs.to_numpy()
    low, high = clustered_interval(success.to_numpy(float), photographs.to_numpy(), resamples, seed, weight, run)
    return float(np.average(success, weights=weight)), low, high


def paired(
    success: np.ndarray, baseline: np.ndarray, cluster: np.ndarray, resamples: int, seed: int, weight: np.ndarray
) -> tuple[float, float, float, float, float, float]:
    """Two methods on the same trials, (N,) or (N, trainings) each: the difference of their success, low and high, and the
    share of the baseline's failures that is gone, low and high.

    The bounds are those of the 95% percentile bootstrap over whole clusters (N,) and over the trainings of each method. They
    are NaN where they would be too narrow: with few clusters, where all resamples agree, and, for the share, where the
    baseline has no failure in more than one resample in forty. The share itself is NaN where the baseline never fails.
    """
    after, before = (np.asarray(hits, float).reshape(len(weight), -1) for hits in (success, baseline))
    columns = np.concatenate([after.T, before.T, np.ones((1, len(weight)))]) * weight
    sums = _by_cluster_and_run(columns, cluster, None)[:, :, 0].T
    trials, runs = len(sums), (after.shape[1], before.shape[1])
    rng = np.random.default_rng(seed)
    drawn = sums[rng.integers(0, trials, (resamples, trials))].sum(axis=1)
    times = [rng.multinomial(count, [1 / count] * count, resamples) for count in runs]
    totals = np.concatenate([sums.sum(0, keepdims=True), drawn])
    weights = [np.concatenate([np.ones((1, count)), many]) for count, many in zip(runs, times, strict=True)]
    parts = totals[:, : runs[0]], totals[:, runs[0] : -1]
    rates = [(part * w).sum(1) / (w.sum(1) * totals[:, -1]) for part, w in zip(parts, weights, strict=True)]
    difference, failures = rates[0] - rates[1], 1 - rates[1]
    fewer = np.divide(difference, failures, out=np.full(len(failures), np.nan), where=failures > 1e-12)
    figures = []
    for values in (difference, fewer):
        defined = values[1:][np.isfinite(values[1:])]
        enough = trials >= FEW_CLUSTERS and len(defined) >= 0.975 * resamples and np.ptp(defined) > 1e-9
        figures += [values[0], *(np.quantile(defined, [0.025, 0.975]) if enough else (math.nan, math.nan))]
    return tuple(float(value) for value in figures)
