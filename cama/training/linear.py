"""Fitting of the classifiers that are no networks."""

import numpy as np
import pandas as pd
import torch

from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.patches import Sampler
from cama.models.linear import LinearModel


def fit_linear(
    model: LinearModel, sampler: Sampler, compute: Compute, labels: tuple[str, ...], steps: int, name: str
) -> pd.DataFrame:
    """Fit `model` to the patches of `steps` batches by linear discriminant analysis with a shrunk covariance (Ledoit and Wolf
    2004); gives its curve, which is one row. It takes seconds, so that there is no state to go on from.
    """
    # imported here, since all that predicts imports this file, and scikit-learn takes a second
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import StandardScaler

    features, numbers = _features(model, sampler, compute, steps, name)
    counts = np.bincount(numbers, minlength=len(labels))
    if counts.min() < 2:
        raise CamaError(
            f"training of {name}: found {counts.min()} drawn patches of {labels[counts.argmin()]}, expected at least 2:"
            " more steps, or larger batches"
        )
    scaler = StandardScaler().fit(features)
    standardised = scaler.transform(features)
    fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(standardised, numbers)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(labels) == 2:  # then there is one row, the difference
        weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    values = {"mean": scaler.mean_, "scale": scaler.scale_, "weight": weight, "bias": bias}
    for key, value in values.items():
        getattr(model, key).copy_(torch.from_numpy(value))
    loss = log_loss(numbers, fitted.predict_proba(standardised), labels=range(len(labels)))
    accuracy = fitted.score(standardised, numbers)
    return pd.DataFrame([{"step": steps, "loss": loss, "accuracy": accuracy}])


def _features(
    model: LinearModel, sampler: Sampler, compute: Compute, steps: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """The features (N, number), float32, and the labels (N,) of the patches of `steps` batches."""
    progress = Progress(name, steps)
    features, numbers = [], []
    for step in range(steps):
        (rgb,), labels = sampler.draw(step)
        features.append(model.features(compute.images(rgb)).cpu().numpy())
        numbers.append(labels.numpy())
        progress.update(step + 1)
    return np.concatenate(features), np.concatenate(numbers)
