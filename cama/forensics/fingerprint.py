"""Device fingerprints: the photo response non-uniformity (PRNU) of a sensor, and the peak-to-correlation energy (PCE).

Source: Chen, Fridrich, Goljan, Lukas, "Determining image origin and integrity using sensor noise" (2008); Goljan,
Fridrich, Filler, "Large scale test of sensor fingerprint camera identification" (2009).
"""

from collections.abc import Iterable

import numpy as np
from scipy.fft import fft2, ifft2

from cama.forensics.luminance import GREY
from cama.forensics.residual import wavelet_residual, wiener_dft


def zero_mean(pattern: np.ndarray) -> np.ndarray:
    """A pattern (H, W) without the row and column means of each of its four Bayer phases; devices of one model share these."""
    result = pattern.astype(np.float64)
    for y in range(2):
        for x in range(2):
            phase = result[y::2, x::2]
            phase -= phase.mean()
            phase -= phase.mean(axis=1, keepdims=True)
            phase -= phase.mean(axis=0, keepdims=True)
    return result


def device_fingerprint(images: Iterable[np.ndarray]) -> np.ndarray:
    """The fingerprint (H, W) of one device from images (H, W, 3), uint8: the maximum-likelihood estimate, zero-mean and Wiener
    filtered.
    """
    numerator: np.ndarray | float = 0.0
    denominator: np.ndarray | float = 0.0
    for image in images:
        residual, intensity = _residual(image), _intensity(image)
        numerator = numerator + residual * intensity
        denominator = denominator + intensity**2
    pattern = zero_mean((numerator / (denominator + 1)) @ GREY)
    return wiener_dft(pattern)


def pce(image: np.ndarray, fingerprint: np.ndarray, radius: int = 2) -> float:
    """The signed PCE of an image (H, W, 3), uint8, with a fingerprint (H, W) of the same crop, at zero shift.

    Above `MATCH_PCE` counts as a match. The energy is the mean square of the cross-correlation outside a square of
    2 radius + 1 pixels around the peak.
    """
    residual = wiener_dft(zero_mean(_residual(image) @ GREY))
    expected = fingerprint * (image.astype(np.float64) @ GREY)
    correlation = np.real(ifft2(fft2(residual - residual.mean()) * np.conj(fft2(expected - expected.mean()))))
    peak = correlation[0, 0]
    rolled = np.roll(correlation, (radius, radius), axis=(0, 1))
    side = 2 * radius + 1
    energy = (np.sum(rolled**2) - np.sum(rolled[:side, :side] ** 2)) / (rolled.size - side * side)
    return float(np.sign(peak) * peak**2 / energy)


def _residual(image: np.ndarray) -> np.ndarray:
    planes = np.moveaxis(image.astype(np.float32), -1, 0)
    return np.stack([wavelet_residual(plane) for plane in planes], axis=-1)


def _intensity(image: np.ndarray) -> np.ndarray:
    """Intensity (H, W, 3), zero at saturated pixels, since they carry no PRNU."""
    values = image.astype(np.float64)
    return np.where(image >= 250, 0.0, values)
