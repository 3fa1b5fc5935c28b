"""How much an attack changes a picture. Images are uint8 (H, W, 3)."""

import math

import numpy as np
from skimage.metrics import structural_similarity


def psnr(image: np.ndarray, changed: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all channels; infinite for equal images."""
    error = np.mean((image.astype(np.float64) - changed.astype(np.float64)) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(image: np.ndarray, changed: np.ndarray) -> float:
    """Mean structural similarity (Wang et al. 2004): Gaussian window of 1.5, over the three channels."""
    return float(
        structural_similarity(
            image, changed, channel_axis=-1, data_range=255, gaussian_weights=True, use_sample_covariance=False
        )
    )
