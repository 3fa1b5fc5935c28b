"""Attribution: the probabilities that classifiers give the camera models for a photograph's pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cama.alignment import MCU
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier
from cama.models.evaluator import Evaluator
from cama.settings.training import ComputeSpec
from cama.storage.images import centre_crop

CROP = 512  # pixels a side of the centre crop that a classifier sees
MIN_SIDE = 64  # pixels


@dataclass(frozen=True)
class Attributor:
    """Classifiers with the same labels, which are camera models."""

    evaluator: Evaluator
    labels: tuple[str, ...]


def load_attributor(path: Path) -> Attributor:
    """An attributor with the one classifier of a model file."""
    classifier, labels = load_classifier(path)
    return Attributor(Evaluator({path.name: classifier}), labels)


@torch.no_grad()
def attribute(picture: np.ndarray, attributor: Attributor) -> list[dict[str, Any]]:
    """For each classifier its name and the probability of each camera model, the most probable first, for the centre crop of a
    picture (H, W, 3), uint8.
    """
    crop = centre_crop(picture, CROP, MCU)
    if min(crop.shape[:2]) < MIN_SIDE:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise CamaError(f"found a picture of {size} pixels, expected at least {MIN_SIDE} a side to attribute")
    compute = Compute(ComputeSpec(device="cpu"))
    evaluator = compute.to_device(attributor.evaluator)
    with compute.autocast():
        outputs = evaluator(compute.images(crop[None].copy()))
    return [
        {"classifier": name, "probabilities": _ranked(attributor.labels, scores[0].exp().tolist())}
        for name, scores in outputs.items()
    ]


def _ranked(labels: tuple[str, ...], probabilities: list[float]) -> dict[str, float]:
    pairs = sorted(zip(labels, probabilities, strict=True), key=lambda pair: -pair[1])
    return {label: round(probability, 4) for label, probability in pairs}
