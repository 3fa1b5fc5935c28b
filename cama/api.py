"""The public API: what `import cama` offers. Each name is imported when it is first used."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cama.attacks.tiles import transform
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.evaluation.rates import rate
from cama.models.classifiers import load_classifier
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.packaged import load_anonymizer
from cama.settings.training import ComputeSpec
from cama.training.classifier import predict


class Model:
    """A model file: a generator with the camera models that it can imitate. Made by `load_model`.

    Attributes: `labels`, the camera models (`Make_Model`) that it can aim at; `card`, the model card in Markdown.
    """

    def __init__(self, path: Path, compute: Compute) -> None:
        anonymizer = load_anonymizer(path)
        self.labels = tuple(anonymizer.header.labels)
        self.card = anonymizer.header.card
        self._spec, self._compute = anonymizer.header.generator, compute
        self._generator = compute.to_device(fuse_batch_norms_(anonymizer.generator))

    def transform(self, picture: np.ndarray, target: str) -> np.ndarray:
        """Change a picture (H, W, 3), uint8, RGB, so that classifiers attribute it to the camera model `target`; same shape and
        type. Pictures of any size: they are processed in tiles. The result depends on the device and its precision.

        The pixels alone are changed: a file for sharing also needs its metadata removed, which `cama anonymize` does.
        """
        if target not in self.labels:
            raise CamaError(f"target: found {target!r}, expected one of {', '.join(self.labels)}")
        _check(picture, "picture")
        return transform(picture, self._generator, self._spec, self.labels.index(target), self._compute)


def load_model(path: str | Path, device: str = "auto", precision: str = "auto") -> Model:
    """Read a model file of the workflow (`results/models/NAME.safetensors`).

    `device`: `auto`, `cpu` or `cuda`; `precision`: `auto`, `float32` or `bfloat16`. A missing, damaged or foreign file is a
    CamaError.
    """
    return Model(Path(path), Compute(ComputeSpec(device=device, precision=precision)))


def score(pictures: Iterable[np.ndarray], classifiers: Sequence[str | Path], device: str = "auto") -> pd.DataFrame:
    """What classifiers attribute pictures to.

    `pictures`: (H, W, 3), uint8, RGB, at least 64 pixels a side, scored whole; `classifiers`: model files of target classifiers
    or of E's. One row each picture and classifier: `picture` (its place, from 0), `classifier` (the file's name without its
    suffix), `predicted`, and for each camera model `p_NAME`, its probability (NaN where a classifier does not know it).
    """
    compute = Compute(ComputeSpec(device=device))
    images = list(pictures)
    for place, image in enumerate(images):
        _check(image, f"pictures[{place}]")
    rows = []
    for path in map(Path, classifiers):
        classifier, labels = load_classifier(path)
        compute.to_device(fuse_batch_norms_(classifier))
        for place, image in enumerate(images):
            (logarithms,) = predict(classifier, torch.from_numpy(image[None].copy()), compute)
            shares = {f"p_{label}": float(share) for label, share in zip(labels, np.exp(logarithms), strict=True)}
            rows.append({"picture": place, "classifier": path.stem, "predicted": labels[logarithms.argmax()], **shares})
    return pd.DataFrame(rows)


def success_rate(
    success: Sequence[Any], photographs: Sequence[Any], resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """A rate with its 95% interval: the mean of `success` (N,), booleans or shares, and the bounds of a bootstrap over whole
    `photographs` (N,), since results of one photograph are not independent. Where all results are equal the bounds are
    Wilson's, and where there are none all three are NaN.
    """
    if len(success) != len(photographs):
        raise CamaError(f"photographs: found {len(photographs)}, expected {len(success)}, one for each result")
    return rate(pd.Series(success, dtype=float), pd.Series(photographs), resamples, seed)


def _check(picture: Any, name: str) -> None:
    """Raise where a picture is not (H, W, 3), uint8."""
    form = (getattr(picture, "shape", None), str(getattr(picture, "dtype", type(picture).__name__)))
    if form[1] != "uint8" or form[0] is None or len(form[0]) != 3 or form[0][2] != 3:
        raise CamaError(f"{name}: found {form[1]} of shape {form[0]}, expected uint8 of shape (H, W, 3)")
