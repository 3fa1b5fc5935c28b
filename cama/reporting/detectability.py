"""Tables of what an attack leaves to be seen: that there was one, and the device."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cama.evaluation.rates import FEW_CLUSTERS, rate, wilson
from cama.forensics.match import MATCH_PCE


def detection_table(scores: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method and set: the area under the detector's ROC curve, and the share of attacked pictures found where one
    untouched picture in twenty is accused, with 95% bootstrap intervals over photographs.
    """
    table = []
    for (method, kind), group in scores.groupby(["method", "set"], sort=False):
        cell = {"method": method, "set": kind}
        cell |= {name: int((group.attacked == value).sum()) for value, name in enumerate(("untouched", "attacked"))}
        drawn = _resampled(group, resamples, seed)
        for name, figure in (("auc", _auc), ("found_at_5_percent", _found)):
            mean, *bounds = _with_bounds(figure, drawn, group.photograph.nunique())
            cell |= {name: mean, f"{name}_low": bounds[0], f"{name}_high": bounds[1]}
        table.append(cell)
    return pd.DataFrame(table)


def _auc(scores: np.ndarray) -> float:
    """Of scores (N, 2: attacked, score)."""
    return float(roc_auc_score(scores[:, 0], scores[:, 1]))


def _found(scores: np.ndarray) -> float:
    """The share of attacked pictures above the threshold that one in twenty of the same untouched ones exceeds."""
    untouched, attacked = (scores[scores[:, 0] == value, 1] for value in (0, 1))
    return float((attacked > np.quantile(untouched, 0.95)).mean())


def _resampled(group: pd.DataFrame, resamples: int, seed: int) -> list[np.ndarray]:
    """The scores, and then bootstrap samples of them: photographs with all their pictures, untouched and attacked."""
    parts = [part[["attacked", "score"]].to_numpy() for _, part in group.groupby("photograph")]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(parts), (resamples, len(parts)))
    return [np.concatenate(parts), *(np.concatenate([parts[i] for i in one]) for one in drawn)]


def _with_bounds(
    figure: Callable[[np.ndarray], float], drawn: list[np.ndarray], photographs: int
) -> tuple[float, float, float]:
    """A figure and its percentile bounds; where they have no width, or the photographs are few, Wilson's for as many trials as
    photographs, or the wider of the two.
    """
    mean, *found = (figure(scores) for scores in drawn)
    low, high = np.quantile(found, [0.025, 0.975])
    if high - low < 1e-9 or photographs < FEW_CLUSTERS:
        exact = wilson(mean * photographs, photographs)
        low, high = min(low, exact[0]), max(high, exact[1])
    return mean, float(low), float(high)


def devices_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method, set, and whose fingerprint: the share of pictures that match it, before and after the attack."""
    table = []
    for (method, kind, device), group in rows.groupby(["method", "set", "device"], sort=False):
        cell = {"method": method, "set": kind, "fingerprint": device}
        for name, attacked in (("before", 0), ("after", 1)):
            part = group[group.attacked == attacked]
            share, low, high = rate(part.pce > MATCH_PCE, part.photograph, resamples, seed)
            found = {f"match_{name}": share, f"match_{name}_low": low, f"match_{name}_high": high}
            cell |= {**found, f"pce_{name}": part.pce.median()}
        table.append(cell)
    return pd.DataFrame(table)
