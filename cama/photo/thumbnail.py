"""Whether a thumbnail shows the picture that carries it: software that edits a picture may leave the old thumbnail behind."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.feature import match_template

from cama.storage.images import too_slow_to_decode

# One picture: a correlation from SAME with a mean difference up to NEAR grey levels (two skies correlate too, at other levels),
# or a difference up to FLAT (on a wall nothing correlates). Of 16 real photographs: at least 0.90 with at most 5.8; each
# with the thumbnails of others: up to 0.98, with at least 19.
SAME, NEAR, FLAT = 0.8, 10.0, 3.0
MIDDLE = 0.7  # the share of a thumbnail's sides that is looked for,
SCALES = (0.92, 0.96, 1.0, 1.04, 1.08)  # relative to the size that it should have,
BLUR = 1.0  # after a blur of so many pixels, since many cameras pick every so many-th pixel
LARGEST = 4_000_000  # pixels; more is no thumbnail
DARK = 24  # grey levels of the bars that cameras put around a picture of other proportions


def read_thumbnail(data: bytes) -> Image.Image | None:
    """The decoded thumbnail in grey, or None where it is no picture, or one of more than `LARGEST` pixels."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            fit = image.width * image.height <= LARGEST and not too_slow_to_decode(data, image.width, image.height)
            return image.convert("L") if fit else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def compare(picture: np.ndarray, thumbnail: Image.Image) -> tuple[float, float]:
    """How well the middle of a thumbnail is found in the picture (H, W, 3), uint8: the best correlation (-1 to 1) and, there,
    the mean difference in grey levels. Cameras crop and align thumbnails loosely, so it may lie a little elsewhere and be a
    little larger or smaller.
    """
    shown = gaussian_filter(_without_bars(np.asarray(thumbnail, float)), BLUR)
    margins = [round(length * (1 - MIDDLE) / 2) for length in shown.shape]
    middle = shown[tuple(slice(margin, length - margin) for margin, length in zip(margins, shown.shape, strict=True))]
    grey, best = Image.fromarray(picture).convert("L"), (-1.0, 255.0)
    for scale in SCALES:
        size = [max(round(length * scale), inner) for length, inner in zip(shown.shape, middle.shape, strict=True)]
        small = gaussian_filter(np.asarray(grey.resize(size[::-1], Image.Resampling.BOX), float), BLUR)
        scores = np.nan_to_num(match_template(small, middle))
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        there = small[row : row + middle.shape[0], column : column + middle.shape[1]]
        best = max(best, (float(scores.max()), float(np.abs(there - middle).mean())))
    return best


def same_picture(correlation: float, difference: float) -> bool:
    """Whether `compare` found one picture."""
    return (correlation >= SAME and difference <= NEAR) or difference <= FLAT


def _without_bars(grey: np.ndarray) -> np.ndarray:
    """Cut dark rows above and below, or dark columns at the sides."""
    for axis in (0, 1):
        lit = np.flatnonzero(grey.max(axis=1 - axis) > DARK)
        if len(lit):
            grey = grey.take(range(lit[0], lit[-1] + 1), axis=axis)
    return grey
