"""The attack by a trained generator: the whole image in one pass."""

from pathlib import Path

import numpy as np
import torch

from cama.attacks.classical import Attack
from cama.models.generator import load_generator
from cama.settings.training import ComputeSpec
from cama.signals.mosaic import remosaic
from cama.tensors import to_bytes, to_float
from cama.training.loop import Compute


def learned_attack(path: Path, compute: ComputeSpec) -> tuple[Attack, tuple[str, ...]]:
    """The attack of the model file `path`, and the labels that its targets count. Computes in float32."""
    generator, spec, labels = load_generator(path)
    place = Compute(compute)
    generator = place.place(generator)

    @torch.no_grad()
    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        seen = np.stack([remosaic(image) for image in images]) if spec.input == "remosaic" else images
        changed = [
            to_bytes(generator(place.images(to_float(image[None])), torch.tensor([int(label)], device=place.device)))
            for image, label in zip(seen, target, strict=True)
        ]
        return np.concatenate(changed)

    return attack, labels
