"""Success rates from rows, with their intervals.

A row is one attacked photograph under one classifier: columns `photograph`, `source`, `target`, `predicted`, `clean`.
"""

import math

import numpy as np
import pandas as pd

Z = 1.959963984540054  # the normal quantile of 97.5 percent


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return math.nan, math.nan
    share, scale = successes / trials, Z * Z / trials
    centre = (share + scale / 2) / (1 + scale)
    half = Z * math.sqrt(share * (1 - share) / trials + scale / (4 * trials)) / (1 + scale)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(success: np.ndarray, cluster: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean of `success` (N,), resampling whole clusters (N,).

    Where every outcome is the same the bootstrap has no width; then it is Wilson's for as many trials as clusters.
    """
    if len(success) == 0:
        return math.nan, math.nan
    totals = pd.Series(np.asarray(success, float)).groupby(np.asarray(cluster)).agg(["sum", "count"])
    if success.min() == success.max():
        return wilson(float(success[0]) * len(totals), len(totals))
    drawn = np.random.default_rng(seed).integers(0, len(totals), (resamples, len(totals)))
    means = totals["sum"].to_numpy()[drawn].sum(axis=1) / totals["count"].to_numpy()[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def rate(success: pd.Series, photographs: pd.Series, resamples: int, seed: int) -> tuple[float, float, float]:
    """Mean, low and high of a success rate; three NaN where there is nothing to count."""
    if success.empty:
        return math.nan, math.nan, math.nan
    low, high = clustered_interval(success.to_numpy(float), photographs.to_numpy(), resamples, seed)
    return float(success.mean()), low, high
