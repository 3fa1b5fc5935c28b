"""Gradient attacks on the evaluator E alone: what an adversary without a trained generator would do. None touches F.

FGSM (Goodfellow et al. 2015), PGD (Madry et al. 2018) and MI-FGSM (Dong et al. 2018), targeted, bounded in every
pixel. The bound is one that fits the PSNR that each picture is to have; its change is then scaled to that, so that pixels may
pass the bound.
"""

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cama.attacks.classical import Attack
from cama.compute.device import Compute
from cama.compute.psnr import at_psnr
from cama.core.seeds import derive_seed
from cama.models.evaluator import Evaluator
from cama.settings.attacks import MethodSpec
from cama.training.losses import evaluator_loss

Bounded = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
MOMENTUM = 1.0  # of MI-FGSM, its authors' value
PGD_REACH = 2.5  # how far the steps of PGD reach together, in bounds (Madry et al.)
REACHED = {"fgsm": 1.0, "pgd": 0.7, "mi_fgsm": 0.7}  # root mean square of a change, in bounds: all pixels of one step


def gradient_attack(spec: MethodSpec, evaluator: Evaluator, compute: Compute, seed: int) -> Attack:
    """The attack, after which each picture has the PSNR `spec.psnr`, in dB (see `at_psnr`)."""
    bounded, bound = bounded_attack(spec, evaluator, compute, seed), fitting_bound(spec.kind, spec.psnr)

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        # rounded at random, or a bound between two grey levels would be one of them in every pixel
        dither = _uniform(images, seed, "dither") - 0.5
        return at_psnr(images, bounded(images, target, bound), spec.psnr, _last(dither))

    return attack


def bounded_attack(spec: MethodSpec, evaluator: Evaluator, compute: Compute, seed: int) -> Bounded:
    """The attack as a function of images (N, H, W, 3), uint8, targets (N,) and the bound in grey levels; its pictures are
    float32 in 0 to 255, before they are scaled and rounded.
    """
    evaluator = compute.to_device(evaluator)

    def downhill(images: Tensor, target: Tensor) -> Tensor:
        images = images.requires_grad_(True)
        with compute.autocast():
            scores = evaluator(images)
        # the sum over images: each one's gradient is its own
        (gradient,) = torch.autograd.grad(evaluator_loss(scores.values(), target) * len(images), images)
        return -gradient

    def attack(images: np.ndarray, target: np.ndarray, bound: float) -> np.ndarray:
        x, labels = compute.images(images), torch.as_tensor(target).to(compute.device)
        reach = bound / 127.5
        changed, momentum = x.clone(), torch.zeros_like(x)
        if spec.kind == "fgsm":
            steps, rate = 1, reach
        elif spec.kind == "pgd":
            steps, rate = spec.steps, PGD_REACH * reach / spec.steps
            noise = _uniform(images, seed, "start").to(x)
            changed = (x + reach * (2 * noise - 1)).clamp(-1, 1)
        else:
            steps, rate = spec.steps, reach / spec.steps
        for _ in range(steps):
            direction = downhill(changed.detach(), labels)
            if spec.kind == "mi_fgsm":
                momentum = MOMENTUM * momentum + direction / direction.abs().mean((1, 2, 3), keepdim=True).clamp_min(
                    1e-12
                )
                direction = momentum
            changed = changed.detach() + rate * direction.sign()
            changed = torch.clamp(changed, x - reach, x + reach).clamp(-1, 1)
        return _last(127.5 * (changed.cpu() + 1))

    return attack


def _last(images: Tensor) -> np.ndarray:
    """(N, 3, H, W) to (N, H, W, 3)."""
    return images.movedim(1, -1).numpy()


def _uniform(images: np.ndarray, seed: int, use: str) -> Tensor:
    """Numbers in [0, 1) for each pixel (N, 3, H, W), the same for the same image."""
    drawn = []
    for image in images:
        generator = torch.Generator().manual_seed(derive_seed(seed, use, zlib.crc32(image.tobytes())))
        drawn.append(torch.rand((3, *image.shape[:2]), generator=generator))
    return torch.stack(drawn)


def fitting_bound(kind: str, psnr: float) -> float:
    """The bound in grey levels at which pictures have about this PSNR in dB, so that little is left to be scaled."""
    return 255 * 10 ** (-psnr / 20) / REACHED[kind]
