"""The range convention and what follows from it.

Inside the package an image is float32, NCHW, RGB in [-1, 1]. On disk and at every boundary it is uint8, HWC, RGB.
`to_float` and `to_bytes` are the only ways across.
"""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from cama.errors import CamaError

MAX_PIXELS = 200_000_000  # larger than any camera of the data sets; bounds what a picture bomb can allocate
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


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


def read_rgb(path: Path) -> np.ndarray:
    """Decode an RGB photograph to uint8 (H, W, 3). Grey, CMYK, truncated and empty files are errors."""
    if not path.exists():
        raise CamaError(f"{path}: no such photograph")
    if path.stat().st_size == 0:
        raise CamaError(f"{path}: the file is empty (0 bytes), expected an RGB photograph")
    try:
        with Image.open(path) as image:
            if image.mode != "RGB":
                raise CamaError(f"{path}: found a picture of mode {image.mode}, expected RGB")
            return np.array(image)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise CamaError(f"{path}: cannot be decoded as a photograph ({error})") from error


def deliver(image: np.ndarray, save: str) -> np.ndarray:
    """The picture as its receiver decodes it: uint8 (H, W, 3) saved as `png` or `jpegQQ` (quality QQ), and read back."""
    buffer = io.BytesIO()
    if save == "png":
        Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    elif save.startswith("jpeg") and save[4:].isdigit():
        Image.fromarray(image).save(buffer, "JPEG", quality=int(save[4:]), subsampling="4:2:0")
    else:
        raise CamaError(f"save: found {save!r}, expected 'png' or 'jpeg' and a quality, such as 'jpeg85'")
    with Image.open(buffer) as decoded:
        return np.array(decoded)


def symmetry(images: Tensor, index: int) -> Tensor:
    """One of the 8 symmetries of the square, applied to (..., H, W): quarter turns index % 4, mirrored from 4 up."""
    images = torch.rot90(images, index % 4, (-2, -1))
    return images.flip(-1) if index >= 4 else images


def grid_origins(length: int, size: int, count: int | None = None) -> list[int]:
    """Origins of non-overlapping windows of `size` in `length` pixels, centred; at most `count` of them."""
    fit = length // size
    used = fit if count is None else min(fit, count)
    start = (length - used * size) // 2
    return [start + i * size for i in range(used)]
