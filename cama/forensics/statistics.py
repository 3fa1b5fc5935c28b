"""Statistics by which simulated photographs are compared with real ones."""

import json
from importlib import resources
from itertools import pairwise

import numpy as np
from scipy.fft import fft2

from cama.forensics.residual import noise_residual

GREY = np.array([0.299, 0.587, 0.114])
BAND = (0.01, 0.4)  # cycles a pixel
QUARTILES = {"lower": 0.25, "median": 0.5, "upper": 0.75}


def spectrum_slope(image: np.ndarray) -> float:
    """Exponent of the fall of the mean radial amplitude spectrum of an image (H, W, 3): about -1 for natural scenes."""
    grey = image.astype(np.float64) @ GREY
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    amplitude = np.abs(fft2((grey - grey.mean()) * window))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    edges = np.geomspace(*BAND, 20)
    means = [amplitude[(frequency >= low) & (frequency < high)].mean() for low, high in pairwise(edges)]
    centres = np.sqrt(edges[1:] * edges[:-1])
    return float(np.polyfit(np.log(centres), np.log(means), 1)[0])


def photograph_statistics(image: np.ndarray) -> dict[str, float]:
    """Figures of one crop (H, W, 3), uint8: spectrum, brightness, contrast, and those of its noise residual."""
    grey = image.astype(np.float64) @ GREY
    return {
        "spectrum_slope": spectrum_slope(image),
        "mean_level": float(grey.mean()),
        "contrast": float(grey.std()),
        **residual_statistics(image),
    }


def residual_statistics(image: np.ndarray) -> dict[str, float]:
    """Figures of the noise residual, in grey levels, of one crop (H, W, 3), uint8; of a flat one some are undefined."""
    from scipy.stats import kurtosis  # which takes half a second, and every network's stage imports this file

    residual = noise_residual(image)
    neighbour = np.corrcoef(residual[:, :-1, 1].ravel(), residual[:, 1:, 1].ravel())[0, 1]
    colour = np.corrcoef(residual[..., 0].ravel(), residual[..., 1].ravel())[0, 1]
    return {
        "residual_std": float(residual.std()),
        "residual_kurtosis": float(kurtosis(residual.ravel())),
        "residual_neighbour_correlation": float(neighbour),
        "residual_red_green_correlation": float(colour),
    }


def real_reference() -> dict[str, dict[str, float]]:
    """The quartiles of the same figures, by the names of `QUARTILES`, over 444 photographs of eleven camera models, the middle
    256x256 crop of each, recorded by `cama reference` (docs/reading.md).
    """
    return json.loads(resources.files("cama.forensics").joinpath("real_reference.json").read_text())
