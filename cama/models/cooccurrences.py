"""The classifier that is no network: a linear function of co-occurrences of residuals."""

import torch
from torch import Tensor, nn

from cama.forensics.cooccurrences import FEATURES, cooccurrences


class CooccurrenceModel(nn.Module):
    """Logits that are linear in standardised co-occurrences. It has no parameters to train by gradients, and gives none."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.register_buffer("weight", torch.zeros(classes, FEATURES))
        self.register_buffer("bias", torch.zeros(classes))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Co-occurrences (N, FEATURES) of images (N, 3, H, W) in [-1, 1], rounded to 8 bits."""
        return cooccurrences(images.float().add(1).mul(127.5).round().clamp(0, 255))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to logits (N, classes), always in float32."""
        standardised = (self.features(images) - self.mean) / self.scale
        return (standardised[:, None] * self.weight).sum(2) + self.bias  # no product that autocast would make coarse
