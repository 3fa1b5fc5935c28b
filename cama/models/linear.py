"""Classifiers that are no networks: linear functions of features of a picture."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cama.compute.tensors import single_precision
from cama.forensics.cooccurrences import FEATURES, cooccurrences
from cama.forensics.cues import NUMBERS, cue_numbers

TILE = 64  # pixels a side of the parts of which `numbers` are a mean, since some of these go by the size of the picture


def _numbers(pixels: Tensor) -> Tensor:
    """Cues (N, NUMBERS) of images (N, 3, H, W) in whole grey levels, means over the tiles that fit."""
    height, width = (TILE if side >= TILE else side for side in pixels.shape[2:])
    rows, columns = pixels.shape[2] // height, pixels.shape[3] // width
    tiles = pixels[..., : rows * height, : columns * width].reshape(-1, 3, rows, height, columns, width)
    values = cue_numbers(tiles.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, height, width))
    return values.reshape(pixels.shape[0], rows * columns, NUMBERS).mean(1).float()


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
        with single_precision(images):
            return self.of(images.float().add(1).mul(127.5).round().clamp(0, 255))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to logits (N, classes), always in float32."""
        standardised = (self.features(images) - self.mean) / self.scale
        return (standardised[:, None] * self.weight).sum(2) + self.bias  # no product that autocast would make coarse
