"""Success rates from rows, with their intervals.

A row is one attacked photograph under one classifier: columns `photograph`, `source`, `target`, `predicted`, `clean`.
"""

import math

import numpy as np
import pandas as pd

FEW_CLUSTERS = 10  # below, a percentile bootstrap is too narrow
Z = 1.959963984540054  # the normal quantile of 97.5 percent


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return math.nan, math.nan
    share, scale = successes / trials, Z * Z / trials
    centre = (share + scale / 2) / (1 + scale)
    half = Z * math.sqrt(share * (1 - share) / trials + scale / (4 * trials)) / (1 + scale)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(
    success: np.ndarray, cluster: np.ndarray, resamples: int, seed: int, weight: np.ndarray | None = None
) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean of `success` (N,), resampling whole clusters (N,).

    `weight` (N,) counts outcomes unequally. Where every outcome is the same the bootstrap has no width, and with few
    clusters too little: then it is Wilson's for as many trials as clusters, or the wider of the two.
    """
    if len(success) == 0:
        return math.nan, math.nan
    success = np.asarray(success, float)
    weight = np.ones_like(success) if weight is None else np.asarray(weight, float)
    table = pd.DataFrame({"hit": success * weight, "weight": weight}).groupby(np.asarray(cluster)).sum()
    trials = len(table)
    exact = wilson(table.hit.sum() / table.weight.sum() * trials, trials)
    if success.min() == success.max() or trials < 2:
        return exact
    drawn = np.random.default_rng(seed).integers(0, trials, (resamples, trials))
    means = table.hit.to_numpy()[drawn].sum(axis=1) / table.weight.to_numpy()[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    if trials < FEW_CLUSTERS:
        low, high = min(low, exact[0]), max(high, exact[1])
    return float(low), float(high)


def rate(
    success: pd.Series, photographs: pd.Series, resamples: int, seed: int, labels: pd.Series | None = None
) -> tuple[float, float, float]:
    """Mean, low and high of a success rate, per label and then averaged where `labels` are given (the protocol's way);
    three NaN where there is nothing to count.
    """
    if success.empty:
        return math.nan, math.nan, math.nan
    weight = None if labels is None else (1 / labels.map(labels.value_counts())).to_numpy(float)
    low, high = clustered_interval(success.to_numpy(float), photographs.to_numpy(), resamples, seed, weight)
    return float(np.average(success, weights=weight)), low, high


def paired(
    success: np.ndarray, baseline: np.ndarray, cluster: np.ndarray, resamples: int, seed: int, weight: np.ndarray
) -> tuple[float, float, float, float, float, float]:
    """Two methods on the same trials (N,): the difference of their success, low and high, and the share of the baseline's
    failures that is gone, low and high: 95% percentile bootstrap over whole clusters. NaN where the baseline never fails.
    """
    columns = {"success": success * weight, "baseline": baseline * weight, "weight": weight}
    table = pd.DataFrame(columns).groupby(np.asarray(cluster)).sum().to_numpy()
    drawn = np.random.default_rng(seed).integers(0, len(table), (resamples, len(table)))
    sums = np.concatenate([table.sum(0, keepdims=True), table[drawn].sum(axis=1)])
    rates = sums[:, :2] / sums[:, 2:]
    difference = rates[:, 0] - rates[:, 1]
    failures = 1 - rates[:, 1]
    fewer = np.divide(difference, failures, out=np.full(len(failures), np.nan), where=failures > 1e-12)
    bounds = [0.025, 0.975]
    tail = np.nanquantile(fewer[1:], bounds) if np.isfinite(fewer[1:]).any() else (math.nan, math.nan)
    found = (difference[0], *np.quantile(difference[1:], bounds), fewer[0], *tail)
    return tuple(float(value) for value in found)
