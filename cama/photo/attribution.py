"""What classifiers say of a photograph's pixels."""

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

CROP = 512  # pixels a side of what a classifier sees
SMALLEST = 64


@dataclass(frozen=True)
class Witness:
    """Classifiers that know the same camera models, and are asked about a picture."""

    evaluator: Evaluator
    labels: tuple[str, ...]


def load_witness(path: Path) -> Witness:
    """The classifier of a model file."""
    classifier, labels = load_classifier(path)
    return Witness(Evaluator({path.name: classifier}), labels)


@torch.no_grad()
def attribute(picture: np.ndarray, witness: Witness) -> list[dict[str, Any]]:
    """The probabilities that each classifier gives its camera models, the likeliest first, for the centre crop of a picture
    (H, W, 3), uint8.
    """
    crop = centre_crop(picture, CROP, MCU)
    if min(crop.shape[:2]) < SMALLEST:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise CamaError(f"found a picture of {size} pixels, expected at least {SMALLEST} a side to attribute")
    compute = Compute(ComputeSpec(device="cpu"))
    evaluator = compute.to_device(witness.evaluator)
    with compute.autocast():
        scores = evaluator(compute.images(crop[None].copy()))
    return [
        {"classifier": name, "probabilities": _ranked(witness.labels, found[0].exp().tolist())}
        for name, found in scores.items()
    ]


def _ranked(labels: tuple[str, ...], shares: list[float]) -> dict[str, float]:
    pairs = sorted(zip(labels, shares, strict=True), key=lambda pair: -pair[1])
    return {label: round(share, 4) for label, share in pairs}
