"""The conditional discriminator D: whether the high-frequency dependencies of a patch are real for a label."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cama.models.body import init_normal_, label_maps
from cama.models.frontends import build_frontend
from cama.settings.networks import DiscriminatorSpec
from cama.storage.weights import save_model


class Discriminator(nn.Module):
    """PatchGAN (Isola et al. 2017) on a front-end's signal; the label maps join after the first layer.

    `kind: patch` uses 4x4 kernels, `kind: pixel` 1x1.
    """

    def __init__(self, classes: int, spec: DiscriminatorSpec) -> None:
        super().__init__()
        self.classes = classes
        features, layers = spec.features, spec.layers
        kernel, padding, stride = (4, 1, 2) if spec.kind == "patch" else (1, 0, 1)
        frontend = build_frontend(spec.frontend)
        self.first = nn.Sequential(
            nn.Conv2d(frontend.channels, features, kernel, stride, padding), nn.LeakyReLU(0.2, inplace=True)
        )
        inputs = features + classes
        rest: list[nn.Module] = []
        for layer in range(1, layers + 1):
            outputs = features * min(2**layer, 8)
            step = stride if layer < layers else 1
            rest += [
                nn.Conv2d(inputs, outputs, kernel, step, padding, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            inputs = outputs
        rest.append(nn.Conv2d(inputs, 1, kernel, 1, padding))
        self.rest = nn.Sequential(*rest)
        init_normal_(self)
        self.frontend = frontend  # after the initialisation, which would break its constraint

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] and labels (N,) to scores (N, 1, h, w): 1 is real."""
        features = self.first(self.frontend(images))
        maps = label_maps(labels, self.classes, *features.shape[-2:]).to(features)
        return self.rest(torch.cat([features, maps], dim=1))


def save_discriminators(
    path: Path,
    discriminators: nn.ModuleList,
    specs: tuple[DiscriminatorSpec, ...],
    labels: tuple[str, ...],
    extra: dict[str, Any],
) -> None:
    """Write the discriminators of a training, which no stage reads. `extra` goes to the header too."""
    header = {"kind": "discriminators", "nets": [spec.model_dump() for spec in specs], "labels": list(labels)}
    save_model(path, discriminators, {**header, **extra})
