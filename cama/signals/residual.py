"""The noise residual of one image: what is left when a wavelet denoiser has taken the scene away.

Source: Mihcak, Kozintsev, Ramchandran, "Spatially adaptive statistical modeling of wavelet image coefficients and its
application to denoising" (ICASSP 1999), and the Wiener filter in the DFT domain of Goljan and Fridrich. For the
*residual* the zero-mean step is left out, so that the model's linear pattern stays ("PRNU with linear pattern").
"""

import numpy as np
import pywt
from scipy.fft import fft2, ifft2
from scipy.ndimage import uniform_filter

NOISE_VARIANCE = 25.0  # grey levels squared, on the 0..255 scale
WINDOWS = (3, 5, 7, 9)
LEVELS = 4


def noise_part(coefficients: np.ndarray, variance: float) -> np.ndarray:
    """The noise in `coefficients` (H, W): w s2 / (s2 + v), v the smallest local signal variance over the windows."""
    power = coefficients**2
    signal = np.full_like(power, np.inf)
    for window in WINDOWS:
        mean = uniform_filter(power, window, mode="constant")
        np.minimum(signal, mean - variance, out=signal)
    np.maximum(signal, 0, out=signal)
    # 0 / 0 where there is neither signal nor noise: then there is no noise part either
    share = np.divide(variance, variance + signal, out=np.zeros_like(signal), where=variance + signal > 0)
    return coefficients * share


def wavelet_residual(channel: np.ndarray) -> np.ndarray:
    """Noise of one channel (H, W), 0..255 scale, by shrinkage in a four-level db4 transform."""
    height, width = channel.shape
    approximation, *details = pywt.wavedec2(channel, "db4", mode="symmetric", level=LEVELS)
    noise = [tuple(noise_part(band, NOISE_VARIANCE) for band in level) for level in details]
    return pywt.waverec2([np.zeros_like(approximation), *noise], "db4", mode="symmetric")[:height, :width]


def wiener_dft(residual: np.ndarray) -> np.ndarray:
    """Remove the periodic part of a residual (H, W) that shows as peaks in the DFT."""
    spectrum = fft2(residual)
    magnitude = np.abs(spectrum) / np.sqrt(residual.size)
    noise = noise_part(magnitude, float(residual.var(ddof=1)))
    gain = np.divide(noise, magnitude, out=np.zeros_like(noise), where=magnitude > 0)
    return np.real(ifft2(spectrum * gain))


def noise_residual(image: np.ndarray) -> np.ndarray:
    """Noise residual of an image (H, W, 3), uint8 or float on the 0..255 scale; float32, grey levels, same shape."""
    planes = np.moveaxis(np.asarray(image, np.float32), -1, 0)
    return np.stack([wiener_dft(wavelet_residual(plane)) for plane in planes], axis=-1).astype(np.float32)
