"""The attack by a trained generator: the whole image, tile by tile where it is large."""

from pathlib import Path

import numpy as np

from cama.attacks.classical import Attack
from cama.attacks.tiles import transform
from cama.compute.device import Compute
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.mixture import load_generator
from cama.settings.training import ComputeSpec


def learned_attack(path: Path, compute: ComputeSpec, psnr: float = 0) -> tuple[Attack, tuple[str, ...]]:
    """The attack of the model file `path`, and the labels that its targets count. With `psnr`, in dB, G's change is scaled so
    that each picture has that.
    """
    generator, spec, labels = load_generator(path)
    compute = Compute(compute)
    generator = compute.to_device(fuse_batch_norms_(generator))

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                transform(image, generator, spec, int(label), compute, psnr)
                for image, label in zip(images, target, strict=True)
            ]
        )

    return attack, labels
