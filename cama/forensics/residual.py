"""The noise residual of an image: the image minus its denoised version (wavelet denoising).

Source: Mihcak, Kozintsev, Ramchandran, "Spatially adaptive statistical modeling of wavelet image coefficients and its
application to denoising" (ICASSP 1999), and the Wiener filter in the DFT domain of Goljan and Fridrich. The zero-mean step
of fingerprints is left out here, so that the linear pattern of the camera model stays ("PRNU with linear pattern").
"""

import numpy as np
import pywt
from scipy.fft import irfft2, rfft2

NOISE_VARIANCE = 25.0  # grey levels squared, on the 0..255 scale
WINDOWS = (3, 5, 7, 9)  # sides of the windows of local variances
LEVELS = 4  # of the wavelet transform


def noise_share(coefficients: np.ndarray, variance: float) -> np.ndarray:
    """The share of noise in `coefficients` (H, W): s2 / (w + s2), where s2 is the `variance` of the noise and w the smallest
    local variance of the signal over all window sizes.
    """
    noisy = np.maximum(_smallest_mean(coefficients**2), variance)  # w + s2
    # 0 where there is neither signal nor noise (0 / 0)
    share = np.divide(variance, noisy, out=np.zeros_like(noisy), where=noisy > 0)
    return share.astype(coefficients.dtype)


def _smallest_mean(values: np.ndarray) -> np.ndarray:
    """The smallest mean of the windows centred at each element of (H, W), padded with zeros, from an integral image."""
    height, width = values.shape
    reach = max(WINDOWS) // 2
    sums = np.zeros((height + 2 * reach + 1, width + 2 * reach + 1))
    sums[reach + 1 : reach + 1 + height, reach + 1 : reach + 1 + width] = values
    np.cumsum(sums, axis=0, out=sums)
    np.cumsum(sums, axis=1, out=sums)
    smallest = np.full(values.shape, np.inf)
    for window in WINDOWS:
        first, last = reach - window // 2, reach + window // 2 + 1
        rows = sums[last : last + height] - sums[first : first + height]
        mean = rows[:, last : last + width] - rows[:, first : first + width]
        mean /= window**2
        np.minimum(smallest, mean, out=smallest)
    return smallest


def wavelet_residual(channel: np.ndarray) -> np.ndarray:
    """The noise of one channel (H, W), on the 0..255 scale, by shrinkage in a four-level db4 wavelet transform."""
    height, width = channel.shape
    approximation, *details = pywt.wavedec2(channel, "db4", mode="symmetric", level=LEVELS)
    noise = [tuple(band * noise_share(band, NOISE_VARIANCE) for band in level) for level in details]
    return pywt.waverec2([np.zeros_like(approximation), *noise], "db4", mode="symmetric")[:height, :width]


def wiener_dft(residual: np.ndarray) -> np.ndarray:
    """A residual (H, W) without its periodic part, which shows as peaks in the DFT."""
    half = rfft2(residual)
    height, width, kept = *residual.shape, half.shape[1]
    # windows need the whole spectrum, whose other half mirrors this one
    opposite = -np.arange(height) % height
    magnitude = np.empty(residual.shape, half.real.dtype)
    magnitude[:, :kept] = np.abs(half) / np.sqrt(residual.size)
    magnitude[:, kept:] = magnitude[opposite][:, width - np.arange(kept, width)]
    share = noise_share(magnitude, float(residual.var(ddof=1)))
    # Windows at the borders make the share slightly asymmetric. The real part of the inverse DFT is that of the mean of both
    # halves.
    return irfft2(half * (share[:, :kept] + share[opposite][:, -np.arange(kept) % width]) / 2, residual.shape)


def noise_residual(image: np.ndarray) -> np.ndarray:
    """The noise residual of an image (H, W, 3), uint8 or float on the 0..255 scale: float32 in grey levels, same shape."""
    planes = np.moveaxis(np.asarray(image, np.float32), -1, 0)
    return np.stack([wiener_dft(wavelet_residual(plane)) for plane in planes], axis=-1).astype(np.float32)
