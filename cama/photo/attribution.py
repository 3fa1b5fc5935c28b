"""What classifiers say of a photograph's pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from cama.errors import CamaError
from cama.grid import PHASES
from cama.images import centre
from cama.models.classifiers import load_classifier
from cama.models.folding import fold_norms_
from cama.settings.training import ComputeSpec
from cama.training.classifier import predict
from cama.training.loop import Compute

CROP = 512  # pixels a side of what a classifier sees
SMALLEST = 64


def attribute(picture: np.ndarray, path: Path) -> dict[str, Any]:
    """The probabilities that the classifier of the model file `path` gives its camera models, the likeliest first, for the
    centre crop of (H, W, 3), uint8.
    """
    crop = centre(picture, CROP, PHASES)
    if min(crop.shape[:2]) < SMALLEST:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise CamaError(f"found a picture of {size} pixels, expected at least {SMALLEST} a side to attribute")
    classifier, labels = load_classifier(path)
    place = Compute(ComputeSpec(device="cpu"))
    classifier = place.place(fold_norms_(classifier))
    shares = np.exp(predict(classifier, torch.from_numpy(crop[None].copy()), place)[0])
    ranked = sorted(zip(labels, shares.tolist(), strict=True), key=lambda pair: -pair[1])
    return {"classifier": path.name, "probabilities": {label: round(share, 4) for label, share in ranked}}
