"""What happens to pictures on their way to a classifier, as steps through which gradients pass."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cama.jpeg.differentiable import jpeg_through, round_to_bytes
from cama.settings.training import HandlingSpec

SMALLEST_SCALE = 0.6  # of resampling down and up


def draw_handling(spec: HandlingSpec) -> Callable[[Tensor], Tensor]:
    """What happens in one training step, drawn from torch's random state: images (N, 3, H, W) to the same shape.

    A share of 0 draws nothing, so that trainings without handling have the random numbers that they always had.
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

    def handle(images: Tensor) -> Tensor:
        for change in changes:
            images = change(images)
        return images

    return handle


def _resample(images: Tensor, scale: float) -> Tensor:
    height, width = images.shape[-2:]
    small = F.interpolate(
        images, (max(1, round(height * scale)), max(1, round(width * scale))), mode="bicubic", antialias=True
    )
    return F.interpolate(small, (height, width), mode="bicubic")
