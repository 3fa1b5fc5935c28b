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

    def attack(images: np.ndarray, target: np.ndarray, bound: float) -> np.ndarray:
        labels = torch.as_tensor(target).to(compute.device)
        if spec.kind == "mi_fgsm":
            return momentum_steps(
                images, bound, spec.steps, compute, lambda _, now: downhill(evaluator, now, labels, compute)
            )
        x = compute.images(images)
        reach, changed = bound / 127.5, x
        if spec.kind == "fgsm":
            steps, rate = 1, reach
        else:
            steps, rate = spec.steps, PGD_REACH * reach / spec.steps
            noise = _uniform(images, seed, "start").to(x)
            changed = (x + reach * (2 * noise - 1)).clamp(-1, 1)
        for _ in range(steps):
            changed = _within(changed + rate * downhill(evaluator, changed, labels, compute).sign(), x, reach)
        return _last(127.5 * (changed.cpu() + 1))

    return attack


def momentum_steps(
    images: np.ndarray, bound: float, steps: int, compute: Compute, direction: Callable[[int, Tensor], Tensor]
) -> np.ndarray:
    """MI-FGSM: images (N, H, W, 3), uint8, after `steps`, each pixel within `bound` grey levels of the image's; float32 in 0 to
    255. `direction` gives, for the number of a step and the images (N, 3, H, W) in [-1, 1] so far, where each is to go.
    """
    x = compute.images(images)
    reach, changed, momentum = bound / 127.5, x, torch.zeros_like(x)
    for step in range(steps):
        way = direction(step, changed)
        momentum = MOMENTUM * momentum + way / way.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-12)
        changed = _within(changed + reach / steps * momentum.sign(), x, reach)
    return _last(127.5 * (changed.cpu() + 1))


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


def _within(changed: Tensor, images: Tensor, reach: float) -> Tensor:
    """The changed images, no pixel further than `reach` from its own, in [-1, 1]."""
    return torch.clamp(changed, images - reach, images + reach).clamp(-1, 1)


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
