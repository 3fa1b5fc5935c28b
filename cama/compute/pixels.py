"""The range convention of `tensors`, for networks that run without torch."""

import numpy as np


def to_float(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    scaled = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    scaled /= np.float32(127.5)
    scaled -= np.float32(1)
    return scaled


def in_levels(images: np.ndarray) -> np.ndarray:
    """float32 (N, 3, H, W) in [-1, 1] to float32 (N, H, W, 3) in 0 to 255, not rounded."""
    return ((images + np.float32(1)) * np.float32(127.5)).transpose(0, 2, 3, 1)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """float32 (N, 3, H, W) in [-1, 1] to uint8 (N, H, W, 3): clamped, rounded half to even."""
    return np.clip(np.rint(in_levels(images)), 0, 255).astype(np.uint8)
