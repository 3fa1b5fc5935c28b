"""A package of somebody else's that extends cama through entry points: one entry for each registry.

Its entry points stand in `cama_sample-1.0.dist-info/entry_points.txt`, as a build of its pyproject.toml would write them.
"""

import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cama.data.conventions import Origin

KERNEL = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


class Laplacian(nn.Module):
    """Images (N, 3, H, W) to their Laplacians (N, 3, H - 2, W - 2)."""

    channels = 3

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.conv2d(images, KERNEL.to(images).repeat(3, 1, 1, 1), groups=3)


def laplacian() -> nn.Module:
    """The front-end."""
    return Laplacian()


def pooled(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
    """An architecture: (N, channels, H, W) to logits (N, classes)."""
    layers = [nn.Conv2d(channels, width, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(width, classes))


class Posterise:
    """An attack that makes one picture for every target: fewer grey levels."""

    targeted = False

    def __init__(self, options: dict, targets: tuple[str, ...], seed: int) -> None:
        self.step = int(options["step"])

    def __call__(self, images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return images // self.step * self.step


class TowardsGrey:
    """An attack that makes one picture for each target: the further down the list, the greyer."""

    targeted = True

    def __init__(self, options: dict, targets: tuple[str, ...], seed: int) -> None:
        self.targets = targets

    def __call__(self, images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        share = (target + 1)[:, None, None, None] / (len(self.targets) + 1)
        return np.rint(images * (1 - share) + 128 * share).astype(np.uint8)


class Misshapen:
    """An attack with a fault: it gives pictures of another size and type."""

    def __init__(self, options: dict, targets: tuple[str, ...], seed: int) -> None:
        pass

    def __call__(self, images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return images[:, ::2] / 2


def dashed(name: str, path: Path) -> Origin | None:
    """A convention: `Make-Model-DEVICE-NUMBER.jpg`."""
    parts = re.fullmatch(r"(\w+)-(\w+)-(\d+)-(\d+)\.jpg", Path(name).name)
    return Origin(f"{parts[1]}_{parts[2]}", int(parts[3]), int(parts[4])) if parts else None


def brightest(patches: np.ndarray) -> np.ndarray:
    """A judge: patches (N, h, w, 3), uint8, to the share of each channel, (N, 3)."""
    means = patches.mean((1, 2))
    return means / means.sum(1, keepdims=True)


def fails(patches: np.ndarray) -> np.ndarray:
    """A judge with a fault: it raises."""
    return patches / (1 // 0)


def misshapen_judge(patches: np.ndarray) -> float:
    """A judge with a fault: it gives one number for all patches."""
    return 0.5
