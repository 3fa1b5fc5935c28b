"""Gradient attacks on the evaluator E alone: what an adversary without a trained generator would do. None touches F.

FGSM (Goodfellow et al. 2015), PGD (Madry et al. 2018) and MI-FGSM (Dong et al. 2018), targeted, bounded in every
pixel. The bound is one that fits the PSNR that each picture is to have; its change is then scaled to that, so that pixels may
pass the bound.
"""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from cama.attacks.classical import Attack
from cama.attacks.steps import fitting_bound, momentum_steps, within
from cama.compute import pixels
from cama.compute.device import Compute
from cama.compute.psnr import at_psnr
from cama.core.seeds import derive_seed
from cama.models.evaluator import Evaluator
from cama.settings.attacks import MethodSpec
from cama.training.losses import evaluator_loss

Bounded = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
PGD_REACH = 2.5  # how far the steps of PGD reach together, in bounds (Madry et al.)


def gradient_attack(spec: MethodSpec, evaluator: Evaluator, compute: Compute, seed: int) -> Attack:
    """The attack, after which each picture has the PSNR `spec.psnr`, in dB (see `at_psnr`)."""
    bounded, bound = bounded_attack(spec, evaluator, compute, seed), fitting_bound(spec.kind, spec.psnr)

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        # rounded at random, or a bound between two grey levels would be one of them in every pixel
        dither = _uniform(images, seed, "dither") - 0.5
        return at_psnr(images, bounded(images, target, bound), spec.psnr, dither.movedim(1, -1).numpy())

    return attack


def bounded_attack(spec: MethodSpec, evaluator: Evaluator, compute: Compute, seed: int) -> Bounded:
    """The attack as a function of images (N, H, W, 3), uint8, targets (N,) and the bound in grey levels; its pictures are
    float32 in 0 to 255, before they are scaled and rounded.
    """
    evaluator = compute.to_device(evaluator)

    def attack(images: np.ndarray, target: np.ndarray, bound: float) -> np.ndarray:
        labels, x = torch.as_tensor(target).to(compute.device), compute.images(images)
        if spec.kind == "mi_fgsm":
            return in_levels(
                momentum_steps(x, bound, spec.steps, lambda _, now: downhill(evaluator, now, labels, compute))
            )
        reach, changed = bound / 127.5, x
        if spec.kind == "fgsm":
            steps, rate = 1, reach
        else:
            steps, rate = spec.steps, PGD_REACH * reach / spec.steps
            noise = _uniform(images, seed, "start").to(x)
            changed = (x + reach * (2 * noise - 1)).clamp(-1, 1)
        for _ in range(steps):
            changed = within(changed + rate * downhill(evaluator, changed, labels, compute).sign(), x, reach)
        return in_levels(changed)

    return attack


def downhill(
    evaluator: Evaluator, images: Tensor, target: Tensor, compute: Compute, names: Sequence[str] | None = None
) -> Tensor:
    """Where the loss of E, or of its classifiers `names`, towards the labels `target` (N,) falls, for each image
    (N, 3, H, W) by itself.
    """
    images = images.detach().requires_grad_(True)
    with torch.enable_grad(), compute.autocast():
        # the sum over images: each one's gradient is its own
        loss = evaluator_loss(evaluator(images, names).values(), target) * len(images)
    (gradient,) = torch.autograd.grad(loss, images)
    return -gradient


def in_levels(images: Tensor) -> np.ndarray:
    """`pixels.in_levels` of images of any device."""
    return pixels.in_levels(images.cpu().numpy())


def _uniform(images: np.ndarray, seed: int, use: str) -> Tensor:
    """Numbers in [0, 1) for each pixel (N, 3, H, W), the same for the same image."""
    drawn = []
    for image in images:
        generator = torch.Generator().manual_seed(derive_seed(seed, use, zlib.crc32(image.tobytes())))
        drawn.append(torch.rand((3, *image.shape[:2]), generator=generator))
    return torch.stack(drawn)
