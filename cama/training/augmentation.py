"""Differentiable augmentation of G's pictures in training: rounding, JPEG saves and resampling."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cama.jpeg.differentiable import jpeg_through, round_to_bytes
from cama.settings.training import AugmentationSpec

SMALLEST_SCALE = 0.6  # of resampling down and up


def draw_augmentation(spec: AugmentationSpec) -> Callable[[Tensor], Tensor]:
    """The augmentation of one training step, drawn from torch's random state: images (N, 3, H, W) to the same shape.

    A share of 0 draws nothing, so that the random numbers of a training do not depend on what it does not use.
    """
    changes: list[Callable[[Tensor], Tensor]] = []
    if spec.resample and torch.rand(()) < spec.resample:
        scale = SMALLEST_SCALE + (1 - SMALLEST_SCALE) * float(torch.rand(()))
        changes.append(lambda images: _resample(images, scale))
    if spec.round:
        changes.append(round_to_bytes)
    if spec.jpeg and torch.rand(()) < spec.jpeg:
        low, high = spec.jpeg_quality
        quality = int(torch.randint(low, high + 1, ()))
        changes.append(lambda images: jpeg_through(images, quality))

    def augment(images: Tensor) -> Tensor:
        for change in changes:
            images = change(images)
        return images

    return augment


def _resample(images: Tensor, scale: float) -> Tensor:
    height, width = images.shape[-2:]
    small = F.interpolate(
        images, (max(1, round(height * scale)), max(1, round(width * scale))), mode="bicubic", antialias=True
    )
    return F.interpolate(small, (height, width), mode="bicubic")
