"""A JPEG save through which gradients pass: what a decoder gives back, with rounding counted as the identity."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cama.jpeg.tables import CHROMINANCE, LUMINANCE, scale_table

# full-range BT.601, as JFIF has it
TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], dtype=torch.float32
)


def round_through(values: Tensor) -> Tensor:
    """Rounded values whose gradient is that of the values (Bengio et al. 2013)."""
    return values + (values.detach().round() - values.detach())


def round_to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] on the 256 levels of 8 bits, gradients passing through; outside the range they end."""
    return round_through(images.add(1).mul(127.5)).clamp(0, 255).div(127.5).sub(1)


def jpeg_through(images: Tensor, quality: int) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1], sides multiples of 16, as decoded after a save at `quality`, chroma 4:2:0."""
    if images.shape[-1] % 16 or images.shape[-2] % 16:
        raise ValueError(f"found images of {tuple(images.shape[-2:])}, expected sides that are multiples of 16")
    matrix = TO_YCC.to(images)
    ycc = torch.einsum("ij,njhw->nihw", matrix, round_through(images.add(1).mul(127.5)).clamp(0, 255))
    ycc = round_through(ycc)  # here and below, where libjpeg rounds
    luma, chroma = ycc[:, :1] - 128, round_through(F.avg_pool2d(ycc[:, 1:], 2))
    luma_table, chroma_table = (
        torch.from_numpy(scale_table(table, quality)).to(images) for table in (LUMINANCE, CHROMINANCE)
    )
    luma = round_through(_quantise(luma, luma_table)) + 128
    # the decoder's interpolation of chroma: three quarters of the near sample, one of the far
    chroma = round_through(_quantise(chroma, chroma_table))
    chroma = round_through(F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False))
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix.float()).to(images), torch.cat([luma, chroma], dim=1))
    return round_through(rgb).clamp(0, 255).div(127.5).sub(1)


def _quantise(plane: Tensor, table: Tensor) -> Tensor:
    """Planes (N, C, H, W), quantised in the cosine domain of 8x8 blocks."""
    n, c, h, w = plane.shape
    basis = _cosines().to(plane)
    blocks = plane.reshape(n, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    coefficients = round_through((basis @ blocks @ basis.T) / table) * table
    return (basis.T @ coefficients @ basis).transpose(3, 4).reshape(n, c, h, w)


@cache
def _cosines() -> Tensor:
    """The orthonormal DCT-II of 8 samples, one basis function a row."""
    rows = [
        [math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * (2 * i + 1) * k / 16) for i in range(8)]
        for k in range(8)
    ]
    return torch.tensor(rows)
