"""Cheap cues: how well a few numbers of a picture tell camera models apart, by logistic regression.

Networks that do no better than these learn nothing about cameras that a few numbers do not say; simulated cameras that these
tell apart much better than real ones are too easy.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

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


def third_differences(images: Tensor) -> Tensor:
    """The logarithms of the standard deviations of third differences down and across, of each channel (N, 6)."""
    deviations = [torch.diff(images, 3, dim=axis).std((2, 3), correction=0) for axis in (2, 3)]
    return torch.log(torch.cat(deviations, 1) + 0.01)


def radial_powers(images: Tensor) -> Tensor:
    """The logarithms of the mean power of the luminance in 10 rings of equal width, up to half a cycle a pixel (N, 10)."""
    grey = _luminance(images)
    height, width = grey.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width))
    windowed = (grey - grey.mean((1, 2), keepdim=True)) * _constant(window, grey)
    # the discrete Fourier transform as products with cosines and sines, which other programs know too; half of the columns,
    # since the others mirror them
    half = width // 2 + 1
    (rows, mirrored), (columns, turned) = _waves(height, height, grey), _waves(width, half, grey)
    real = rows @ windowed @ columns - mirrored @ windowed @ turned
    imaginary = rows @ windowed @ turned + mirrored @ windowed @ columns
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    ring = np.minimum((frequency * 2 * RINGS).astype(int), RINGS)
    each = np.where((np.arange(half) == 0) | (2 * np.arange(half) == width), 1, 2)
    counts = np.stack([((ring == number) * each).ravel() for number in range(RINGS)], axis=1)
    shares = counts / np.maximum(1, counts.sum(0))
    return torch.log((real.square() + imaginary.square()).flatten(1) @ _constant(shares, grey) + 0.01)


def dct_zeros(images: Tensor) -> Tensor:
    """The shares of blocks of 8x8 pixels in which a coefficient of the luminance is below half a grey level, for the first 15
    along JPEG's zigzag (N, 15). The blocks are those of the image, which need not be those of its JPEG file.
    """
    grey = _luminance(images)
    height, width = (length // 8 for length in grey.shape[1:])
    blocks = grey[:, : 8 * height, : 8 * width].reshape(-1, height, 8, width, 8).permute(0, 1, 3, 2, 4)
    basis = _constant(dct(np.eye(8), axis=0, norm="ortho"), grey)
    small = (basis @ blocks @ basis.T).abs() < 0.5
    return torch.stack([small[..., row, column].to(grey.dtype).mean((1, 2)) for row, column in ZIGZAG], 1)


def coarse_colours(images: Tensor) -> Tensor:
    """The mean colours of their 2x2 quarters (N, 12): what a picture shows, and not how it was taken."""
    height, width = (length // 2 for length in images.shape[2:])
    quarters = images[..., : 2 * height, : 2 * width].reshape(-1, 3, 2, height, 2, width).mean((3, 5))
    return quarters.permute(0, 2, 3, 1).flatten(1)


def _luminance(images: Tensor) -> Tensor:
    return sum(float(share) * images[:, channel] for channel, share in enumerate(GREY))


def _constant(values: np.ndarray, like: Tensor) -> Tensor:
    kind = np.float64 if like.dtype == torch.float64 else np.float32
    return torch.from_numpy(np.ascontiguousarray(values, kind)).to(like.device)


def _waves(length: int, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (`length`, `count`) of the first frequencies of a discrete Fourier transform."""
    angles = 2 * np.pi * (np.outer(np.arange(length), np.arange(count)) % length) / length
    return _constant(np.cos(angles), like), _constant(np.sin(angles), like)


# By name: the numbers, and the accuracy that simulated cameras should not exceed. Of four real models it is 0.65, 0.88, 0.96
# and 0.65, on one crop of 256 pixels on the grid of its JPEG file, trained on other photographs of the same bodies.
Cue = Callable[[Tensor], Tensor]  # of images (N, 3, H, W), float64, in grey levels
CUES: dict[str, tuple[Cue, float]] = {
    "third differences": (third_differences, 0.70),
    "radial powers": (radial_powers, 0.90),
    "DCT zeros": (dct_zeros, 0.95),
    "2x2 colours": (coarse_colours, 0.65),
}


def cue_numbers(images: Tensor) -> Tensor:
    """The cues of images (N, 3, H, W) in grey levels that do not say what they show, (N, NUMBERS)."""
    return torch.cat([cue(images) for cue in (third_differences, radial_powers, dct_zeros)], 1)


def cue_of(cue: Cue, image: np.ndarray) -> np.ndarray:
    """A cue of one image (H, W, 3), uint8, as a vector."""
    return cue(torch.from_numpy(image).double().movedim(-1, 0)[None])[0].numpy()


def few_numbers(image: np.ndarray) -> np.ndarray:
    """The cues of an image (H, W, 3), uint8, that do not say what it shows, and the statistics of its noise residual, as one
    vector (35,); what a flat image leaves undefined is 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.concatenate([cue_of(cue_numbers, image), list(residual_statistics(image).values())]))


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
