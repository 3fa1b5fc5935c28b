"""High-pass filters at the input of classifiers and discriminators, as functions of images (N, C, H, W)."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Finite difference of third order along one axis.
THIRD_DIFFERENCE = torch.tensor([-1.0, 3.0, -3.0, 1.0])

# Kodovsky-Voloshynovskiy (KV) kernel of the spatial rich model (Fridrich and Kodovsky 2012).
KV_KERNEL = torch.tensor([
    [-1.0, 2.0, -2.0, 2.0, -1.0],
    [2.0, -6.0, 8.0, -6.0, 2.0],
    [-2.0, 8.0, -12.0, 8.0, -2.0],
    [2.0, -6.0, 8.0, -6.0, 2.0],
    [-1.0, 2.0, -2.0, 2.0, -1.0],
]) / 12.0  # fmt: skip


def finite_difference(images: Tensor) -> Tensor:
    """Third-order differences of (N, C, H, W), the horizontal ones before the vertical ones: (N, 2C, H - 3, W - 3)."""
    kernel = THIRD_DIFFERENCE.to(images)
    channels = images.shape[1]
    horizontal = F.conv2d(images, kernel.view(1, 1, 1, 4).repeat(channels, 1, 1, 1), groups=channels)
    vertical = F.conv2d(images, kernel.view(1, 1, 4, 1).repeat(channels, 1, 1, 1), groups=channels)
    return torch.cat([horizontal[:, :, : vertical.shape[2]], vertical[:, :, :, : horizontal.shape[3]]], dim=1)


def fixed_high_pass(images: Tensor) -> Tensor:
    """Each channel of (N, C, H, W) filtered with the KV kernel: (N, C, H - 4, W - 4)."""
    channels = images.shape[1]
    kernel = KV_KERNEL.to(images).repeat(channels, 1, 1, 1)
    return F.conv2d(images, kernel, groups=channels)


# of the weights around the centre; a quarter of the initial slices have less. With 1e-3, a slice was more than ten times as
# strong as the median in a third of all initialisations: chance decided what a network could learn
LEAST_SUM = 0.1


def constrain_(weight: Tensor) -> Tensor:
    """Project kernels (O, I, k, k) in place so that each slice (k, k) has -1 at its centre and its other weights sum to 1.

    Bayar and Stamm, "Constrained convolutional neural networks" (2018). If the other weights sum to nearly zero, so that
    scaling would make them huge, they are set to equal values.
    """
    if weight.is_meta:  # has no values, and takes seconds: torch imports its compiler for it
        return weight
    with torch.no_grad():
        middle = weight.shape[-1] // 2
        weight[:, :, middle, middle] = 0
        total = weight.sum(dim=(2, 3), keepdim=True)
        places = weight.shape[-1] * weight.shape[-2] - 1
        safe = total.abs() > LEAST_SUM
        weight.copy_(torch.where(safe, weight / torch.where(safe, total, torch.ones_like(total)), 1.0 / places))
        weight[:, :, middle, middle] = -1
    return weight
