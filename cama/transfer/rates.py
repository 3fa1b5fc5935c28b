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
