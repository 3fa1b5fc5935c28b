"""Purification: a denoiser that the adversary trained on its own photographs takes away what it takes for noise, and with it
traces of the camera. It knows no labels.

It is the network of E0, trained on noise that was added (see `training.estimator`), as DnCNN is (Zhang et al. 2017).
"""

from pathlib import Path

import numpy as np
import torch

from cama.attacks.classical import Attack
from cama.compute.device import Compute
from cama.compute.pixels import in_levels
from cama.compute.psnr import at_psnr
from cama.models.estimator import load_estimator
from cama.settings.attacks import MethodSpec
from cama.settings.training import ComputeSpec


def purify_attack(path: Path, method: MethodSpec, compute: ComputeSpec) -> Attack:
    """The attack by the denoiser of the model file `path`; what it changes is scaled to `method.psnr` in each picture."""
    compute = Compute(compute)
    denoiser = compute.to_device(load_estimator(path))

    @torch.no_grad()
    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        with compute.autocast():
            _, clean = denoiser.split(compute.images(images))
        return at_psnr(images, in_levels(clean.float().clamp(-1, 1).cpu().numpy()), method.psnr)

    return attack
