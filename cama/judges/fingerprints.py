"""Camera model fingerprints: what residuals of a camera model's photographs have in common, and whose a residual is.

Source: Cozzolino and Verdoliva, "Noiseprint: a CNN-based camera model fingerprint" (2020), for the mean as a reference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cama.core.errors import CamaError
from cama.core.packages import needed_by
from cama.storage.model_files import read_model, save_tensors

KIND = "fingerprints"
FEWEST = 2  # photographs of each camera model
MOST = 2**28  # values of all residuals together that a linear classifier is fitted to
SHRINKAGE = np.logspace(-3, 1, 9)  # of the linear classifier, chosen by leaving one photograph out


@dataclass(frozen=True)
class Fingerprints:
    """What residuals (h, w), of zero mean and unit energy, are multiplied with: weights (L, h, w) and offsets (L,), for these
    labels. Of correlation the weights are the labels' mean residuals, also of zero mean and unit energy.
    """

    labels: tuple[str, ...]
    attribution: str
    weights: np.ndarray
    offsets: np.ndarray

    def scores(self, residual: np.ndarray) -> np.ndarray:
        """The score (L,) of each label for a residual (h, w): its correlation, or the linear classifier's decision value."""
        if residual.shape != self.weights.shape[1:]:
            found, expected = (list(shape) for shape in (residual.shape, self.weights.shape[1:]))
            raise CamaError(f"found a residual of shape {found}, expected {expected} as of the references")
        return np.tensordot(self.weights, normalised(residual), 2) + self.offsets

    def save(self, path: Path) -> None:
        """Write them to a model file."""
        tensors = {name: getattr(self, name) for name in ("weights", "offsets")}
        save_tensors(path, tensors, {"kind": KIND, "labels": list(self.labels), "attribution": self.attribution})


def load_fingerprints(path: Path) -> Fingerprints:
    """Read such a model file."""
    tensors, header = read_model(path, KIND)
    try:
        weights, offsets, labels = tensors["weights"], tensors["offsets"], tuple(header["labels"])
        if weights.ndim != 3 or not len(weights) == len(offsets) == len(labels) or offsets.ndim != 1:
            raise CamaError(
                f"{path}: found weights of shape {list(weights.shape)} and offsets of {list(offsets.shape)}, "
                f"expected those of {len(labels)} labels"
            )
        return Fingerprints(labels, str(header["attribution"]), weights, offsets)
    except (KeyError, TypeError) as error:
        raise CamaError(f"{path}: found no {error} of fingerprints, expected a model file of this project") from error


def fit_fingerprints(
    photographs: Mapping[str, Iterable[np.ndarray]], residual: Callable[[np.ndarray], np.ndarray], attribution: str
) -> Fingerprints:
    """Fingerprints of camera models from pictures (H, W, 3), uint8, of each, and the function that gives a residual (h, w) of a
    picture. `attribution`: `correlation` or `linear`. Too few pictures are a CamaError.
    """
    if len(photographs) < FEWEST:
        raise CamaError(f"found references of {', '.join(photographs) or 'no camera model'}, expected {FEWEST} or more")
    fit = _mean if attribution == "correlation" else _linear
    return fit({label: map(residual, pictures) for label, pictures in photographs.items()})


def _mean(residuals: Mapping[str, Iterator[np.ndarray]]) -> Fingerprints:
    """The mean residual of each label, of which one at a time is in memory."""
    means = []
    for label, found in residuals.items():
        total: np.ndarray | float = 0.0
        count = 0
        for residual in found:
            total, count = total + residual, count + 1
        _check_count(label, count)
        means.append(normalised(total / count))
    return Fingerprints(tuple(residuals), "correlation", np.stack(means), np.zeros(len(means), np.float32))


def _linear(residuals: Mapping[str, Iterator[np.ndarray]]) -> Fingerprints:
    with needed_by("a linear classifier of residuals"):
        from sklearn.linear_model import RidgeClassifierCV
    labels, rows, numbers, values = tuple(residuals), [], [], 0
    for number, label in enumerate(labels):
        for residual in residuals[label]:
            values += residual.size
            if values > MOST:
                raise CamaError(
                    f"found more than {MOST} values in all references, expected fewer, by a smaller `patch`"
                )
            rows.append(normalised(residual))
            numbers.append(number)
        _check_count(label, numbers.count(number))
    model = RidgeClassifierCV(alphas=SHRINKAGE).fit(np.stack([row.ravel() for row in rows]), numbers)
    weights, offsets = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(labels) == 2:  # of two there is one decision value, the second's
        weights, offsets = np.concatenate([-weights, weights]), np.concatenate([-offsets, offsets])
    weights = np.ascontiguousarray(weights.reshape(len(labels), *rows[0].shape), np.float32)
    return Fingerprints(labels, "linear", weights, offsets.astype(np.float32))


def _check_count(label: str, count: int) -> None:
    if count < FEWEST:
        raise CamaError(f"found {count} references of {label}, expected {FEWEST} or more")


def normalised(residual: np.ndarray) -> np.ndarray:
    """A residual, float32, of zero mean and unit energy; a constant one stays 0."""
    centred = residual.astype(np.float64) - residual.mean(dtype=np.float64)
    energy = np.sqrt(np.square(centred).sum())
    return (centred / energy if energy > 0 else centred).astype(np.float32)
