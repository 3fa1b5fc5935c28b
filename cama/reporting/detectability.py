"""Tables of what can still be detected after an attack: the attack itself, and the device."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cama.evaluation.rates import FEW_CLUSTERS, rate, wilson
from cama.forensics.thresholds import MATCH_PCE


def detection_table(scores: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method and set: the area under the detector's ROC curve, and the share of attacked pictures that it
    finds at the threshold where it accuses 5% of the untouched ones, with 95% bootstrap intervals over photographs.
    """
    table = []
    for (method, kind), group in scores.groupby(["method", "set"], sort=False):
        row = {"method": method, "set": kind}
        row |= {name: int((group.attacked == value).sum()) for value, name in enumerate(("untouched", "attacked"))}
        samples = _resampled(group, resamples, seed)
        for name, measure in (("auc", _auc), ("found_at_5_percent", _found_at_5_percent)):
            value, low, high = _with_bounds(measure, samples, group.photograph.nunique())
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        table.append(row)
    return pd.DataFrame(table)


def _auc(scores: np.ndarray) -> float:
    """Area under the ROC curve of scores (N, 2: attacked, score)."""
    return float(roc_auc_score(scores[:, 0], scores[:, 1]))


def _found_at_5_percent(scores: np.ndarray) -> float:
    """The share of attacked pictures above the threshold that 5% of the untouched ones among `scores` exceed."""
    untouched, attacked = (scores[scores[:, 0] == value, 1] for value in (0, 1))
    return float((attacked > np.quantile(untouched, 0.95)).mean())


def _resampled(group: pd.DataFrame, resamples: int, seed: int) -> list[np.ndarray]:
    """The scores (N, 2: attacked, score), and then bootstrap samples of them: photographs are drawn with all their pictures,
    untouched and attacked.
    """
    parts = [part[["attacked", "score"]].to_numpy() for _, part in group.groupby("photograph")]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(parts), (resamples, len(parts)))
    return [np.concatenate(parts), *(np.concatenate([parts[i] for i in one]) for one in drawn)]


def _with_bounds(
    measure: Callable[[np.ndarray], float], samples: list[np.ndarray], photographs: int
) -> tuple[float, float, float]:
    """A measure of the first of the samples and the percentile bounds over the others. Where these have no width, or the
    photographs are few, the bounds also cover Wilson's interval for as many trials as photographs.
    """
    value, *resampled = (measure(scores) for scores in samples)
    low, high = np.quantile(resampled, [0.025, 0.975])
    if high - low < 1e-9 or photographs < FEW_CLUSTERS:
        exact = wilson(value * photographs, photographs)
        low, high = min(low, exact[0]), max(high, exact[1])
    return value, float(low), float(high)


def devices_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, set and fingerprint: the share of pictures that match it, before and after the attack."""
    table = []
    for (method, kind, device), group in rows.groupby(["method", "set", "device"], sort=False):
        row = {"method": method, "set": kind, "fingerprint": device}
        for name, attacked in (("before", 0), ("after", 1)):
            part = group[group.attacked == attacked]
            share, low, high = rate(part.pce > MATCH_PCE, part.photograph, resamples, seed)
            row |= {f"match_{name}": share, f"match_{name}_low": low, f"match_{name}_high": high}
            row[f"pce_{name}"] = part.pce.median()
        table.append(row)
    return pd.DataFrame(table)
