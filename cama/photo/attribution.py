"""Attribution: the probabilities that classifiers give the camera models for a photograph's pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cama.alignment import MCU
from cama.compute.pixels import to_float
from cama.core.errors import CamaError
from cama.core.packages import needed_by
from cama.models.packaged import SMALLEST, Anonymizer
from cama.storage.images import centre_crop

CROP = 512  # pixels a side of the centre crop that a classifier sees


@dataclass(frozen=True)
class Attributor:
    """A classifier of camera models, `labels`. `classify` gives the logarithms of their probabilities (N, L) of pictures
    (N, H, W, 3), uint8, whose sides are multiples of 16 pixels, at least 64.
    """

    name: str
    labels: tuple[str, ...]
    classify: Callable[[np.ndarray], np.ndarray]


def load_attributor(path: Path) -> Attributor:
    """The classifier of a model file of the workflow, which needs torch."""
    with needed_by(path):
        import torch  # a large package, which only this needs here

        from cama.compute.device import Compute
        from cama.models.classifiers import load_predictor
        from cama.settings.training import ComputeSpec
        from cama.training.classifier import predict
    compute = Compute(ComputeSpec(device="cpu"))
    network, labels = load_predictor(path, compute)
    return Attributor(path.name, labels, lambda pictures: predict(network, torch.from_numpy(pictures.copy()), compute))


def packaged_attributors(model: Anonymizer) -> tuple[Attributor, ...]:
    """The judges of a model file."""
    labels = tuple(model.header.labels)

    def asked(judge: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda pictures: judge(to_float(pictures))

    return tuple(Attributor(name, labels, asked(judge)) for name, judge in model.judges.items())


def attribute(picture: np.ndarray, attributors: Sequence[Attributor]) -> list[dict[str, Any]]:
    """For each classifier its name and the probability of each camera model, the most probable first, for the centre crop of a
    picture (H, W, 3), uint8.
    """
    if not attributors:
        return []
    check_sides(picture)
    crop = centre_crop(picture, CROP, MCU)
    return [{"classifier": each.name, "probabilities": _ranked(each, crop)} for each in attributors]


def check_sides(picture: np.ndarray) -> None:
    """An error where a picture (H, W, 3) is too small for a classifier."""
    if min(picture.shape[:2]) < SMALLEST:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise CamaError(f"found a picture of {size} pixels, expected at least {SMALLEST} a side to attribute")


def _ranked(attributor: Attributor, crop: np.ndarray) -> dict[str, float]:
    (scores,) = np.exp(attributor.classify(crop[None]).astype(np.float64))
    pairs = sorted(zip(attributor.labels, scores, strict=True), key=lambda pair: -pair[1])
    return {label: round(float(probability), 4) for label, probability in pairs}
