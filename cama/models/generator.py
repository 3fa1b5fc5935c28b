"""The generator G, and G as a file, which `mixture` reads."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cama.models.body import build_body, label_maps
from cama.settings.networks import GeneratorSpec, MixtureNetSpec
from cama.storage.model_files import save_model


class Generator(nn.Module):
    """G: an image and a target label to an image that looks the same.

    `output: direct` ends in tanh and gives the picture (the paper); `output: residual` adds its output to its input
    and begins as the identity. `label: maps` gives the target beside the image (the paper), `modulation` in every norm.
    """

    def __init__(self, classes: int, spec: GeneratorSpec) -> None:
        super().__init__()
        self.output = spec.output
        modulated = spec.label == "modulation"
        self.maps = 0 if modulated else classes
        self.body = build_body(3 + self.maps, 3, spec, classes if modulated else 0)
        if spec.output == "residual":
            nn.init.zeros_(self.body[-1].weight)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] and target labels (N,) to images (N, 3, H, W)."""
        inputs = images
        if self.maps:
            inputs = torch.cat([images, label_maps(labels, self.maps, *images.shape[-2:]).to(images)], dim=1)
        features = self.body[:-1](inputs, labels)
        if self.training:
            change = self.body[-1](features)
        else:  # bfloat16 has fewer steps from -1 to 1 than a byte has: enough for a gradient, too few for a picture
            with torch.autocast(features.device.type, enabled=False):
                change = self.body[-1](features.float())
        return images + change if self.output == "residual" else torch.tanh(change)


def save_generator(
    path: Path,
    generator: nn.Module,
    spec: GeneratorSpec | MixtureNetSpec,
    labels: tuple[str, ...],
    extra: dict[str, Any],
) -> None:
    """Write G, or a mixture. `extra` goes to the header too: spec, inputs."""
    save_model(path, generator, {"kind": "generator", "net": spec.model_dump(), "labels": list(labels), **extra})
