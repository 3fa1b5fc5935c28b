"""Linear filters of Y, Cb and Cr, of which each picture has its own."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cama.compute.tensors import single_precision
from cama.jpeg.differentiable import TO_YCC

FROM_YCC = torch.linalg.inv(TO_YCC)


def filter_each(images: Tensor, kernels: Tensor) -> Tensor:
    """Images (N, C, H, W), each after its own kernels (N, C', C / groups, T, T), to (N, C', H, W), float32; mirrored at the
    borders.
    """
    with single_precision(images):
        padded = F.pad(images.float(), (kernels.shape[-1] // 2,) * 4, mode="reflect")
        # all pictures as channels of one, in groups: a convolution of each would take five times as long
        groups = padded.shape[0] * padded.shape[1] // kernels.shape[2]
        filtered = F.conv2d(padded.flatten(0, 1)[None], kernels.flatten(0, 1), groups=groups)
        return filtered[0].unflatten(0, kernels.shape[:2])


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
