"""Tables of what can still be detected after an attack: the attack itself, and the device."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from cama.evaluation.rates import FEW_CLUSTERS, rate, wilson
from cama.forensics.thresholds import MATCH_PCE

LEAST_MATCH = 0.95  # of untouched photographs with their own device, where matches of attacked ones say something
QUESTIONS = {"attacked": "attacked or not?", "target": "true photograph of the target,\nor made to look so?"}


def detection_table(scores: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, question, set and detector: the area under its ROC curve, and the share of attacked pictures
    that it finds at the threshold where it accuses 5% of the others, with 95% bootstrap intervals over photographs. Under the
    question `target` both are for each target, then averaged. `best`: the detector of the highest area.
    """
    table, order = [], {name: place for place, name in enumerate(scores.method.unique())}
    groups = scores.groupby(["method", "question", "set", "detector"])
    for (method, question, kind, detector), group in sorted(groups, key=lambda item: order[item[0][0]]):
        row = {"method": method, "question": question, "set": kind, "detector": detector, "best": False}
        row |= {name: int((group.attacked == value).sum()) for value, name in enumerate(("untouched", "attacked"))}
        samples = _resampled(group, resamples, seed, by_target=question == "target")
        for name, measure in (("auc", _auc), ("found_at_5_percent", _found_at_5_percent)):
            value, low, high = _with_bounds(measure, samples, group.photograph.nunique())
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        table.append(row)
    found = pd.DataFrame(table)
    found.loc[found.groupby(["method", "question", "set"]).auc.idxmax(), "best"] = True
    return found


def with_detection(summary: pd.DataFrame, detection: pd.DataFrame) -> pd.DataFrame:
    """The summary with the area of the best detector for each question, `auc_attacked` and `auc_target`. They are of pictures
    that nobody has saved since, and so the same for all saves.
    """
    best = detection[detection.best].pivot(index=["method", "set"], columns="question", values="auc")
    return summary.join(best.add_prefix("auc_"), on=["method", "set"])


def _auc(scores: np.ndarray) -> float:
    """Area under the ROC curve of scores (N, 2: attacked, score): the share of pairs in which the attacked picture scores
    higher, ties counting half (Mann and Whitney 1947). Over thousands of resamples scikit-learn's takes minutes.
    """
    attacked = scores[:, 0] == 1
    positives = int(attacked.sum())
    above = rankdata(scores[:, 1])[attacked].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(scores) - positives)))


def _found_at_5_percent(scores: np.ndarray) -> float:
    """The share of attacked pictures above the threshold that 5% of the untouched ones among `scores` exceed."""
    untouched, attacked = (scores[scores[:, 0] == value, 1] for value in (0, 1))
    return float((attacked > np.quantile(untouched, 0.95)).mean())


Sample = list[np.ndarray]  # scores (n, 2: attacked, score) of all targets, or of each


def _resampled(group: pd.DataFrame, resamples: int, seed: int, by_target: bool) -> list[Sample]:
    """The scores, and then bootstrap samples of them: photographs are drawn with all their pictures, untouched and attacked."""
    values = group[["attacked", "score"]].to_numpy(float)
    targets = group.target.to_numpy() if by_target else np.zeros(len(group))
    parts = list(group.groupby("photograph").indices.values())
    drawn = np.random.default_rng(seed).integers(0, len(parts), (resamples, len(parts)))
    chosen = [np.arange(len(group)), *(np.concatenate([parts[i] for i in one]) for one in drawn)]
    names = np.unique(targets)
    return [[values[rows[targets[rows] == name]] for name in names] for rows in chosen]


def _with_bounds(
    measure: Callable[[np.ndarray], float], samples: list[Sample], photographs: int
) -> tuple[float, float, float]:
    """A measure of the first of the samples, a mean over targets, and the percentile bounds over the others. Where these have
    no width, or the photographs are few, the bounds also cover Wilson's interval for as many trials as photographs.
    """
    value, *resampled = (_mean(measure, sample) for sample in samples)
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    if high - low < 1e-9 or photographs < FEW_CLUSTERS:
        exact = wilson(value * photographs, photographs)
        low, high = min(low, exact[0]), max(high, exact[1])
    return value, float(low), float(high)


def _mean(measure: Callable[[np.ndarray], float], sample: Sample) -> float:
    """The mean of a measure over the targets of which there are both kinds of pictures; undefined where there is none."""
    values = [measure(scores) for scores in sample if 0 < scores[:, 0].sum() < len(scores)]
    return float(np.mean(values)) if values else math.nan


def devices_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, set and fingerprint: the share of pictures that match it, before and after the attack. What
    matches after is undefined where fewer than LEAST_MATCH of the untouched photographs match their own device, since then
    a picture that does not match says nothing.
    """
    table = []
    for (method, kind, device), group in rows.groupby(["method", "set", "device"], sort=False):
        row = {"method": method, "set": kind, "fingerprint": device}
        for name, attacked in (("before", 0), ("after", 1)):
            part = group[group.attacked == attacked]
            share, low, high = rate(part.pce > MATCH_PCE, part.photograph, resamples, seed)
            row |= {f"match_{name}": share, f"match_{name}_low": low, f"match_{name}_high": high}
            row[f"pce_{name}"] = part.pce.median()
        table.append(row)
    found = pd.DataFrame(table)
    own = found[found.fingerprint == "own"].set_index(["method", "set"]).match_before
    weak = own.reindex(pd.MultiIndex.from_frame(found[["method", "set"]])).lt(LEAST_MATCH).to_numpy()
    found.loc[weak, [name for name in found if "_after" in name]] = np.nan
    return found
