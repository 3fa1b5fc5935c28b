"""The estimator E0, and E0 as a file."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cama.models.body import build_body
from cama.settings.networks import BodySpec
from cama.settings.spec import parse
from cama.storage.model_files import read_model
from cama.storage.weights import load_weights, save_model


class Estimator(nn.Module):
    """E0: estimates the noise residual of an image, in units of `scale`, the residual's standard deviation.

    `scale` is in image units: a residual of r grey levels is r / 127.5.
    """

    def __init__(self, spec: BodySpec) -> None:
        super().__init__()
        self.spec = spec
        self.body = build_body(3, 3, spec)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to residuals over `scale` (N, 3, H, W)."""
        return self.body(images)

    def split(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, H, W) to their residuals over `scale`, and to what is left of the images without them."""
        residual = self(images)
        return residual, images - residual * self.scale


def save_estimator(path: Path, estimator: Estimator, extra: dict[str, Any]) -> None:
    """Write E0. `extra` goes to the header too: spec, inputs."""
    save_model(path, estimator, {"kind": "estimator", "net": estimator.spec.model_dump(), **extra})


def load_estimator(path: Path) -> Estimator:
    """Read E0, in evaluation mode."""
    state, header = read_model(path, "estimator")
    spec = parse(BodySpec, header["net"], str(path))
    return load_weights(lambda: Estimator(spec), state, path)
