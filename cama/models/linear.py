"""Classifiers that are no networks: linear functions of features of a picture."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cama.forensics.cooccurrences import FEATURES, cooccurrences
from cama.forensics.cues import NUMBERS, cue_numbers

TILE = 64  # pixels a side of the parts of which `numbers` are a mean, since some of these go by the size of the picture


def _numbers(pixels: Tensor) -> Tensor:
    """Cues (N, NUMBERS) of images (N, 3, H, W) in whole grey levels, means over the tiles that fit."""
    height, width = (min(TILE, side) for side in pixels.shape[2:])
    parts = pixels.unfold(2, height, height).unfold(3, width, width).permute(0, 2, 3, 4, 5, 1)
    images = parts.to(torch.uint8).cpu().numpy().reshape(len(pixels), -1, height, width, 3)
    values = np.array([np.mean([cue_numbers(part) for part in image], axis=0) for image in images], dtype=np.float32)
    return torch.from_numpy(values).to(pixels.device)


class Features(NamedTuple):
    """How many features a kind of classifier takes, and what they are of images (N, 3, H, W), float32, 0 to 255, whole."""

    number: int
    of: Callable[[Tensor], Tensor]


KINDS = {"cooccurrences": Features(FEATURES, cooccurrences), "numbers": Features(NUMBERS, _numbers)}


class LinearModel(nn.Module):
    """Logits that are linear in standardised features. It has no parameters to train by gradients, and gives none."""

    def __init__(self, classes: int, kind: str) -> None:
        super().__init__()
        number, self.of = KINDS[kind]
        self.register_buffer("mean", torch.zeros(number))
        self.register_buffer("scale", torch.ones(number))
        self.register_buffer("weight", torch.zeros(classes, number))
        self.register_buffer("bias", torch.zeros(classes))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Features (N, number) of images (N, 3, H, W) in [-1, 1], rounded to 8 bits."""
        return self.of(images.float().add(1).mul(127.5).round().clamp(0, 255))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to logits (N, classes), always in float32."""
        standardised = (self.features(images) - self.mean) / self.scale
        return (standardised[:, None] * self.weight).sum(2) + self.bias  # no product that autocast would make coarse
