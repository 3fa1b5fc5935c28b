"""Device fingerprints: the photo response non-uniformity (PRNU) of a sensor, and the peak-to-correlation energy (PCE).

Source: Chen, Fridrich, Goljan, Lukas, "Determining image origin and integrity using sensor noise" (2008); Goljan,
Fridrich, Filler, "Large scale test of sensor fingerprint camera identification" (2009).
"""

from collections.abc import Iterable
from itertools import product

import numpy as np
from scipy.fft import irfft2, rfft2

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


def sensor_noise(image: np.ndarray) -> np.ndarray:
    """The noise (H, W) of an image (H, W, 3), uint8, in which a fingerprint is looked for."""
    return wiener_dft(zero_mean(_residual(image) @ GREY))


def pce(image: np.ndarray, fingerprint: np.ndarray, noise: np.ndarray | None = None, radius: int = 2) -> float:
    """The signed PCE of an image (H, W, 3), uint8, with a fingerprint (H, W) of the same crop, at zero shift. `noise` is the
    image's `sensor_noise`, for whoever compares it with several.

    Above `MATCH_PCE` counts as a match. The energy is the mean square of the cross-correlation outside a square of
    2 radius + 1 pixels around the peak.
    """
    residual, expected = _compared(image, fingerprint, noise)
    spectrum = rfft2(residual - residual.mean()) * np.conj(rfft2(expected - expected.mean()))
    correlation = irfft2(spectrum, residual.shape)
    peak = correlation[0, 0]
    rolled = np.roll(correlation, (radius, radius), axis=(0, 1))
    side = 2 * radius + 1
    energy = (np.sum(rolled**2) - np.sum(rolled[:side, :side] ** 2)) / (rolled.size - side * side)
    return float(np.sign(peak) * peak**2 / energy)


def bent_match(
    image: np.ndarray, fingerprint: np.ndarray, noise: np.ndarray | None = None, tile: int = 96, reach: int = 3
) -> float:
    """How far an image (H, W, 3), uint8, of two tiles a side at least, resembles a fingerprint (H, W) that was bent: where each
    part has its own small shift, of which none is known. `noise` as for `pce`.

    In each tile the cross-correlation is squared, and these are added. Shifts of up to `reach` pixels have more of it than
    others, even where no tile alone would tell. The result is by how much, in standard deviations of discs of as many other
    shifts.
    """
    sides = [length // tile * tile for length in image.shape[:2]]
    residual, expected = (
        one[: sides[0], : sides[1]].reshape(-1, tile, sides[1] // tile, tile).swapaxes(1, 2)
        for one in _compared(image, fingerprint, noise)
    )
    squares = np.zeros((tile, tile))
    for row in zip(residual, expected, strict=True):  # of tiles
        found, wanted = (one / np.maximum(np.linalg.norm(one, axis=(1, 2), keepdims=True), 1e-9) for one in row)
        squares += np.square(irfft2(rfft2(found) * np.conj(rfft2(wanted)), (tile, tile))).sum(0)
    y, x = np.indices((2 * reach + 1,) * 2) - reach
    disc = np.argwhere(y**2 + x**2 <= reach**2) - reach
    apart = np.arange(0, tile - 2 * reach, 2 * reach + 1)  # between centres of discs that do not overlap
    near, *others = (squares[tuple((disc + centre).T % tile)].mean() for centre in product(apart, apart))
    return float((near - np.mean(others)) / np.std(others))


def _compared(image: np.ndarray, fingerprint: np.ndarray, noise: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The noise (H, W) of an image, and what it should be by a fingerprint."""
    return sensor_noise(image) if noise is None else noise, fingerprint * (image.astype(np.float64) @ GREY)


def _residual(image: np.ndarray) -> np.ndarray:
    planes = np.moveaxis(image.astype(np.float32), -1, 0)
    return np.stack([wavelet_residual(plane) for plane in planes], axis=-1)


def _intensity(image: np.ndarray) -> np.ndarray:
    """Intensity (H, W, 3), zero at saturated pixels, since they carry no PRNU."""
    values = image.astype(np.float64)
    return np.where(image >= 250, 0.0, values)
