"""Comparing thumbnails with their picture: software that edits a picture may leave a thumbnail of the original in the file."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.feature import match_template

from cama.storage.images import too_slow_to_decode

# A thumbnail shows the picture if they correlate by at least MIN_CORRELATION and differ by at most MAX_DIFFERENCE grey levels
# on average (two skies correlate as well, but their levels differ), or if they differ by at most MAX_FLAT_DIFFERENCE (two
# pictures of a plain wall do not correlate). In 16 real photographs the thumbnails have correlations of at least 0.90 and
# differences of at most 5.8; thumbnails of other photographs have correlations of up to 0.98 and differences of at least 19.
MIN_CORRELATION, MAX_DIFFERENCE, MAX_FLAT_DIFFERENCE = 0.8, 10.0, 3.0
TEMPLATE_SHARE = 0.7  # of the thumbnail's sides: its middle is the template that is searched for in the picture
SCALES = (0.92, 0.96, 1.0, 1.04, 1.08)  # sizes of the picture in the search, relative to the thumbnail
BLUR = 1.0  # pixels; both are blurred, since many cameras make thumbnails by taking every n-th pixel without a filter
MAX_PIXELS = 4_000_000  # a larger picture is no thumbnail
MAX_BAR_LEVEL = 24  # grey levels of the dark bars that cameras add around a picture of other proportions


def read_thumbnail(data: bytes) -> Image.Image | None:
    """The decoded thumbnail in grey, or None where it is no JPEG or has more than `MAX_PIXELS`."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            small = image.width * image.height <= MAX_PIXELS and not too_slow_to_decode(data, image.width, image.height)
            return image.convert("L") if small else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def compare(picture: np.ndarray, thumbnail: Image.Image) -> tuple[float, float]:
    """The highest correlation (-1 to 1) of a grey thumbnail's middle with the picture (H, W, 3), uint8, and the mean difference
    in grey levels there. The search allows for a small shift and scale, since cameras crop thumbnails inexactly.
    """
    whole = gaussian_filter(_without_bars(np.asarray(thumbnail, float)), BLUR)
    margins = [round(length * (1 - TEMPLATE_SHARE) / 2) for length in whole.shape]
    middle = whole[tuple(slice(margin, length - margin) for margin, length in zip(margins, whole.shape, strict=True))]
    grey, best = Image.fromarray(picture).convert("L"), (-1.0, 255.0)
    for scale in SCALES:
        size = [max(round(length * scale), inner) for length, inner in zip(whole.shape, middle.shape, strict=True)]
        small = gaussian_filter(np.asarray(grey.resize(size[::-1], Image.Resampling.BOX), float), BLUR)
        scores = np.nan_to_num(match_template(small, middle))
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        there = small[row : row + middle.shape[0], column : column + middle.shape[1]]
        best = max(best, (float(scores.max()), float(np.abs(there - middle).mean())))
    return best


def same_picture(correlation: float, difference: float) -> bool:
    """Whether the result of `compare` means that the thumbnail shows the picture."""
    return (correlation >= MIN_CORRELATION and difference <= MAX_DIFFERENCE) or difference <= MAX_FLAT_DIFFERENCE


def _without_bars(grey: np.ndarray) -> np.ndarray:
    """A picture (H, W) without dark rows at its top and bottom and dark columns at its sides."""
    for axis in (0, 1):
        bright = np.flatnonzero(grey.max(axis=1 - axis) > MAX_BAR_LEVEL)
        if len(bright):
            grey = grey.take(range(bright[0], bright[-1] + 1), axis=axis)
    return grey
