"""The range convention: inside networks an image is float32, NCHW, RGB in [-1, 1]; at every boundary uint8, NHWC.

`to_float` and `to_bytes` are the only ways across.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor


def to_float(images: np.ndarray | Tensor) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8:
        raise TypeError(f"expected uint8 images, found {images.dtype}")
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


def to_bytes(images: Tensor) -> np.ndarray:
    """float (N, 3, H, W) in [-1, 1] to uint8 (N, H, W, 3): clamped, rounded half to even."""
    scaled = images.detach().to(torch.float32).add(1.0).mul(127.5).round_().clamp_(0, 255)
    return scaled.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()


def symmetry(images: np.ndarray, index: int) -> np.ndarray:
    """One of the 8 symmetries of the square, applied to (..., H, W): quarter turns index % 4, mirrored from 4 up. A view."""
    images = np.rot90(images, index % 4, (-2, -1))
    return images[..., ::-1] if index >= 4 else images


def single_precision(values: Tensor) -> AbstractContextManager:
    """The context in which autocast is off where these values are. Those without memory (`meta`) know no autocast."""
    return nullcontext() if values.is_meta else torch.autocast(values.device.type, enabled=False)
