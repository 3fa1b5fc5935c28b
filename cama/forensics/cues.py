"""Cheap cues: how well a few numbers of a picture tell camera models apart, by logistic regression.

Networks that do no better than these learn nothing about cameras that a few numbers do not say; simulated cameras that these
tell apart much better than real ones are too easy.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dctn, fft2

from cama.forensics.statistics import GREY, residual_statistics

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

RINGS = 10
NUMBERS = 31  # of `cue_numbers`
# The first 15 coefficients of a block after its mean, along the zigzag of JPEG.
ZIGZAG = (
    (0, 1),
    (1, 0),
    (2, 0),
    (1, 1),
    (0, 2),
    (0, 3),
    (1, 2),
    (2, 1),
    (3, 0),
    (4, 0),
    (3, 1),
    (2, 2),
    (1, 3),
    (0, 4),
    (0, 5),
)


def third_differences(image: np.ndarray) -> np.ndarray:
    """The logarithms of the standard deviations of third differences down and across, of each channel (6,)."""
    pixels = image.astype(np.float64)
    return np.log([np.diff(pixels, 3, axis).std((0, 1)) + 0.01 for axis in (0, 1)]).ravel()


def radial_powers(image: np.ndarray) -> np.ndarray:
    """The logarithms of the mean power of the luminance in 10 rings of equal width, up to half a cycle a pixel (10,)."""
    grey = image.astype(np.float64) @ GREY
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(fft2((grey - grey.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    ring = np.minimum((frequency * 2 * RINGS).astype(int), RINGS)
    return np.log([power[ring == number].mean() + 0.01 for number in range(RINGS)])


def dct_zeros(image: np.ndarray) -> np.ndarray:
    """The shares of blocks of 8x8 pixels in which a coefficient of the luminance is below half a grey level, for the first 15
    along JPEG's zigzag (15,). The blocks are those of the image, which need not be those of its JPEG file.
    """
    grey = image.astype(np.float64) @ GREY
    height, width = (length // 8 for length in grey.shape)
    blocks = grey[: 8 * height, : 8 * width].reshape(height, 8, width, 8)
    values = np.abs(dctn(blocks, axes=(1, 3), norm="ortho"))
    return np.array([(values[:, row, :, column] < 0.5).mean() for row, column in ZIGZAG])


def coarse_colours(image: np.ndarray) -> np.ndarray:
    """The mean colours of its 2x2 quarters (12,): what the picture shows, and not how it was taken."""
    height, width = (length // 2 for length in image.shape[:2])
    return image[: 2 * height, : 2 * width].reshape(2, height, 2, width, 3).mean((1, 3)).ravel()


# By name: the numbers, and the accuracy that simulated cameras should not exceed. Of four real models it is 0.65, 0.88, 0.96
# and 0.65, on one crop of 256 pixels on the grid of its JPEG file, trained on other photographs of the same bodies.
CUES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "third differences": (third_differences, 0.70),
    "radial powers": (radial_powers, 0.90),
    "DCT zeros": (dct_zeros, 0.95),
    "2x2 colours": (coarse_colours, 0.65),
}


def cue_numbers(image: np.ndarray) -> np.ndarray:
    """The cues of an image (H, W, 3), uint8, that do not say what it shows, as one vector (NUMBERS,)."""
    return np.concatenate([cue(image) for cue in (third_differences, radial_powers, dct_zeros)])


def few_numbers(image: np.ndarray) -> np.ndarray:
    """The cues of an image (H, W, 3), uint8, that do not say what it shows, and the statistics of its noise residual, as one
    vector (35,); what a flat image leaves undefined is 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.concatenate([cue_numbers(image), list(residual_statistics(image).values())]))


def cue_regression() -> "Pipeline":
    """A logistic regression of standardised features, not yet fitted."""
    # imported here, since every network's stage imports this file, and scikit-learn takes a second
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def cue_accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, expected: np.ndarray) -> float:
    """The share of `test` (M, F) that a logistic regression of the standardised features `train` (N, F) gives the label
    `expected` (M,); `labels`: (N,).
    """
    return float((cue_regression().fit(train, labels).predict(test) == expected).mean())
