"""Linear filters of Y, Cb and Cr, of which each picture has its own."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cama.compute.tensors import single_precision
from cama.jpeg.differentiable import TO_YCC

FROM_YCC = torch.linalg.inv(TO_YCC)
BLOCK = 8  # columns


def filter_each(images: Tensor, kernels: Tensor) -> Tensor:
    """Images (N, C, H, W), each after its own kernels (N, C', C / groups, T, T), to (N, C', H, W), float32; mirrored at the
    borders.
    """
    with single_precision(images):
        padded = F.pad(images.float(), (kernels.shape[-1] // 2,) * 4, mode="reflect")
        if torch.compiler.is_exporting() and kernels.shape[2] == 1:
            return _filter_in_blocks(padded, kernels)
        # all pictures as channels of one, in groups: a convolution of each would take five times as long
        groups = padded.shape[0] * padded.shape[1] // kernels.shape[2]
        filtered = F.conv2d(padded.flatten(0, 1)[None], kernels.flatten(0, 1), groups=groups)
        return filtered[0].unflatten(0, kernels.shape[:2])


def _filter_in_blocks(padded: Tensor, kernels: Tensor) -> Tensor:
    """A picture (1, C, H, W) and what is around it, after the kernels (1, C, 1, T, T), to (1, C, H, W), W a multiple of 8.

    Runtimes of ONNX filter channel by channel at a tenth of their speed, but not so if the columns of a block are channels.
    """
    taps, (channels, rows, columns) = kernels.shape[-1], padded.shape[1:]
    height, width = rows - taps + 1, columns - taps + 1
    # a block needs its own columns and half of the taps on each side, in whole blocks of which the last is cut
    around = -(-(taps // 2) // BLOCK)
    blocks = 2 * around + 1
    side = around * BLOCK - taps // 2
    wide = F.pad(padded, (side, side))
    wide = wide.reshape(channels, rows, width // BLOCK + 2 * around, BLOCK).permute(0, 3, 1, 2)
    # which tap lies between a column `out` of a block and the column `into` of the block that is `block` away; none is 0
    tap = torch.arange(blocks * BLOCK)[None] - side - torch.arange(BLOCK)[:, None]
    none = (tap < 0) | (tap >= taps)
    placed = F.pad(kernels[0, :, 0], (0, 1))[..., torch.where(none, taps, tap)]  # (C, T, out, block and into)
    weights = placed.unflatten(-1, (blocks, BLOCK)).permute(0, 2, 4, 1, 3)
    made = F.conv2d(wide.flatten(0, 1)[None], weights.flatten(0, 1), groups=channels)
    return made.reshape(channels, BLOCK, height, width // BLOCK).permute(0, 2, 3, 1).reshape(1, channels, height, width)


def filter_channels(images: Tensor, kernels: Tensor, to_ycc: Tensor = TO_YCC, from_ycc: Tensor = FROM_YCC) -> Tensor:
    """Images (N, 3, H, W) after the kernels (N, 3, T, T) of their Y, Cb and Cr, float32; mirrored at the borders. The matrices
    are those of the colours; who has them on a GPU gives them, since it would wait for a copy.
    """
    with single_precision(images):
        channels = torch.einsum("ij,njhw->nihw", to_ycc.to(images), images.float())
        return torch.einsum("ij,njhw->nihw", from_ycc.to(images), filter_each(channels, kernels.unsqueeze(2)))


def kernel(log_gain: np.ndarray, taps: int) -> np.ndarray:
    """A filter of `taps` x `taps` pixels for a gain whose logarithm (F, F) is given at F frequencies from 0 to half a cycle a
    pixel, vertical and horizontal, and even in both. It leaves the mean as it is. With 2 F - 3 taps the response is the gain's
    mean (1/4, 1/2, 1/4) over neighbouring frequencies; with fewer it is flatter, and weaker where the gain is 1 at the lowest.
    """
    mirrored = np.concatenate([log_gain, log_gain[-2:0:-1]])
    response = np.fft.irfft2(np.exp(mirrored), s=(len(mirrored),) * 2)
    reach = taps // 2
    central = np.fft.fftshift(response)[
        tuple(slice(side // 2 - reach, side // 2 + reach + 1) for side in response.shape)
    ]
    tapered = central * np.outer(np.hanning(taps + 2)[1:-1], np.hanning(taps + 2)[1:-1])
    return tapered / tapered.sum()
