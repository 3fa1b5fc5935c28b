"""A differentiable JPEG save: the picture that a decoder returns; the gradient of rounding is that of the identity."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cama.jpeg.quantisation import CHROMINANCE, LUMINANCE, scale_table

# full-range BT.601, as JFIF has it
TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], dtype=torch.float32
)

SUBSAMPLINGS = {
    "4:4:4": (1, 1),
    "4:2:2": (1, 2),
    "4:4:0": (2, 1),
    "4:2:0": (2, 2),
}  # rows and columns of a chroma sample


def round_through(values: Tensor) -> Tensor:
    """Rounded values with the gradient of the values themselves: the straight-through estimator (Bengio et al. 2013)."""
    return values + (values.detach().round() - values.detach())


def round_to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1], rounded to the 256 levels of 8 bits. Gradients pass, except where values are outside the range."""
    return round_through(images.add(1).mul(127.5)).clamp(0, 255).div(127.5).sub(1)


def jpeg_through(images: Tensor, quality: int) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] as decoded after a JPEG save at `quality`, chroma 4:2:0. Sides are multiples of 16."""
    tables = [torch.from_numpy(scale_table(table, quality)) for table in (LUMINANCE, CHROMINANCE)]
    return save_through(images, *tables, "4:2:0")


def save_through(images: Tensor, luma_table: Tensor, chroma_table: Tensor, subsampling: str) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] as decoded after a JPEG save with these quantisation tables (8, 8), rows of rising
    vertical frequency, and subsampling (`SUBSAMPLINGS`). Sides are multiples of 16.
    """
    if images.shape[-1] % 16 or images.shape[-2] % 16:
        raise ValueError(f"found images of {tuple(images.shape[-2:])}, expected sides that are multiples of 16")
    factors = SUBSAMPLINGS[subsampling]
    matrix = TO_YCC.to(images)
    ycc = torch.einsum("ij,njhw->nihw", matrix, round_through(images.add(1).mul(127.5)).clamp(0, 255))
    ycc = round_through(ycc)  # values are rounded here and below where libjpeg rounds them
    luma, chroma = ycc[:, :1] - 128, ycc[:, 1:]
    whole = factors == (1, 1)
    if not whole:
        chroma = round_through(F.avg_pool2d(chroma, factors))
    luma = round_through(_quantise(luma, luma_table.to(images))) + 128
    chroma = round_through(_quantise(chroma, chroma_table.to(images)))
    if not whole:
        # the decoder interpolates chroma: three quarters of the nearer sample and one quarter of the farther one
        size = luma.shape[-2:]
        chroma = round_through(F.interpolate(chroma, size, mode="bilinear", align_corners=False))
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix.float()).to(images), torch.cat([luma, chroma], dim=1))
    return round_through(rgb).clamp(0, 255).div(127.5).sub(1)


def _quantise(plane: Tensor, table: Tensor) -> Tensor:
    """Planes (N, C, H, W) after quantisation of the DCT coefficients of 8x8 blocks by a table (8, 8)."""
    n, c, h, w = plane.shape
    basis = cosines().to(plane)
    blocks = plane.reshape(n, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    coefficients = round_through((basis @ blocks @ basis.T) / table) * table
    return (basis.T @ coefficients @ basis).transpose(3, 4).reshape(n, c, h, w)


@cache
def cosines() -> Tensor:
    """The orthonormal DCT-II of 8 samples (8, 8), one basis function per row."""
    rows = [
        [math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * (2 * i + 1) * k / 16) for i in range(8)]
        for k in range(8)
    ]
    return torch.tensor(rows)
