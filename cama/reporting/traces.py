"""Tables of what an attack leaves to be seen: that there was one, and the device."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cama.transfer.rates import FEW_CLUSTERS, rate, wilson

MATCH = 60.0  # a PCE above counts as a match (Goljan, Fridrich and Filler 2009)


def detection_table(scores: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method and set: the area under the detector's ROC curve, with its 95% bootstrap interval over photographs, and
    the share of attacked pictures found where one untouched picture in twenty is accused.
    """
    table = []
    for (method, kind), group in scores.groupby(["method", "set"], sort=False):
        low, high = _auc_interval(group, resamples, seed)
        threshold = group.score[group.attacked == 0].quantile(0.95)
        seen = group[group.attacked == 1]
        share = rate(seen.score > threshold, seen.photograph, resamples, seed)
        table.append(
            {
                "method": method,
                "set": kind,
                "untouched": int((group.attacked == 0).sum()),
                "attacked": int((group.attacked == 1).sum()),
                "auc": roc_auc_score(group.attacked, group.score),
                "auc_low": low,
                "auc_high": high,
                **dict(zip([f"found_at_5_percent{end}" for end in ("", "_low", "_high")], share, strict=True)),
            }
        )
    return pd.DataFrame(table)


def _auc_interval(group: pd.DataFrame, resamples: int, seed: int) -> tuple[float, float]:
    """Percentile bootstrap of the AUC, drawing photographs with all their pictures; where it has no width, or the photographs
    are few, Wilson's for as many trials as photographs, or the wider of the two.
    """
    parts = [part[["attacked", "score"]].to_numpy() for _, part in group.groupby("photograph")]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))])
        found.append(roc_auc_score(drawn[:, 0], drawn[:, 1]))
    low, high = np.quantile(found, [0.025, 0.975])
    if high - low < 1e-9 or len(parts) < FEW_CLUSTERS:
        exact = wilson(roc_auc_score(group.attacked, group.score) * len(parts), len(parts))
        low, high = min(low, exact[0]), max(high, exact[1])
    return float(low), float(high)


def devices_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method, set, and whose fingerprint: the share of pictures that match it, before and after the attack."""
    table = []
    for (method, kind, device), group in rows.groupby(["method", "set", "device"], sort=False):
        cell = {"method": method, "set": kind, "fingerprint": device}
        for name, attacked in (("before", 0), ("after", 1)):
            part = group[group.attacked == attacked]
            share, low, high = rate(part.pce > MATCH, part.photograph, resamples, seed)
            found = {f"match_{name}": share, f"match_{name}_low": low, f"match_{name}_high": high}
            cell |= {**found, f"pce_{name}": part.pce.median()}
        table.append(cell)
    return pd.DataFrame(table)
