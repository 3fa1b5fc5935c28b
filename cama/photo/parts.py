"""Comparing a thumbnail with its picture part by part, after place, tones and sharpness are accounted for."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter, maximum_filter, sobel, uniform_filter
from scipy.optimize import nnls

from cama.forensics.luminance import GREY as LUMA
from cama.photo.placement import BLURS, MAX_BAR_LEVEL, Placement, explained, find, resample, turned
from cama.photo.tones import fit_tones, robust_scale

OVERSAMPLING = 4  # pixels of the reduced picture for each of the thumbnail
KNOTS = 7  # of the tone curves
GREY = 0.8  # grey levels by which the channels of a grey thumbnail differ at most, on average
SHARPENING = (0.6, 1.2, 2.0)  # pixels: the blurs whose differences to the picture account for sharpness
BAR_MARGIN, MARGIN = 1.5, 0.3  # pixels at the picture's edge that are left out: next to bars, which ring, and elsewhere
BAR_CHANGE, BAR_SPREAD, BAR_CONTRAST = 6, 8, 12  # grey levels: within a bar, in its lines, and to the picture behind it
MAX_BAR = 0.45  # share of the side
LEAST_SHARES = (
    0.01,
    0.01,
)  # of the squared error, of what is finer than a pixel and of the slopes: nothing is aligned better
LEAST_VARIANCE = 0.3  # squared grey levels: smaller differences than their root count little


@dataclass(frozen=True)
class Parts:
    """A thumbnail's differences to its picture, as maps (h, w)."""

    place: Placement
    explained: float  # share of the thumbnail that the picture explains, as `placement.find` gives it
    firm: float  # by how much this share is more than with a picture that is stretched to the thumbnail's edges or bars
    bars: list[int]  # pixels of dark bars at the left, top, right and bottom, which show nothing
    bar_level: float  # grey level of the brightest bar: one that is not black may be a dark part of a picture
    known: np.ndarray  # the pixels that are compared
    error: np.ndarray  # in luminance, in grey levels, beyond what the thumbnail's own rounding explains
    variance: np.ndarray  # of the error that the fineness of the picture lets expect
    edge: float  # mean difference in luminance, in grey levels, in the line next to a bar that differs most
    chroma: np.ndarray  # (h, w, 2) differences in Cb and Cr, in grey levels

    def windows(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """For windows of a `share` of the area around each pixel: the squared error relative to that expected, and the
        difference in colour in grey levels.
        """
        side = max(3, round(float(np.sqrt(share * self.known.sum()))))
        count = np.maximum(uniform_filter(self.known.astype(float), side), 0.01)
        full = self.known & (count > 0.7)

        def mean(values: np.ndarray) -> np.ndarray:
            return np.where(full, uniform_filter(np.where(self.known, values, 0.0), side) / count, 0.0)

        if not full.any():
            return np.zeros(full.shape), np.zeros(full.shape)
        colour = np.zeros(full.shape)
        for channel in (0, 1):
            values = mean(self.chroma[..., channel])
            colour += np.where(full, values - np.median(values[full]), 0.0) ** 2
        return mean(self.error**2) / (mean(self.variance) + LEAST_VARIANCE), np.sqrt(colour)


def compare_parts(picture: np.ndarray, thumbnail: np.ndarray, steps: np.ndarray | None) -> Parts:
    """A picture (H, W, 3) and its thumbnail (h, w, 3), both uint8, compared. `steps`: the quantisation table (8, 8) of
    the thumbnail's luminance, where its pixels are those of the JPEG.
    """
    small = thumbnail.astype(np.float32)
    size = small.shape[:2]
    reduced, squares = _reduced(picture, size)
    luma = small @ LUMA
    place, share = find(reduced @ LUMA, luma)
    view = turned(reduced, place.turn)
    grey_view = np.ascontiguousarray(view @ LUMA)
    mean = resample(grey_view, place, size, Image.Resampling.BOX)
    fineness = np.maximum(0, resample(turned(squares, place.turn), place, size, Image.Resampling.BOX) - mean**2)
    bars = _bars(luma, resample(grey_view, place, size), place)
    shown, known = _compared(place, bars, size, MARGIN), _compared(place, bars, size, BAR_MARGIN)
    seen = np.stack([resample(np.ascontiguousarray(view[..., channel]), place, size) for channel in range(3)], 2)
    toned = _toned(small, seen, shown)
    point = resample(grey_view, place, size, Image.Resampling.NEAREST) - mean  # as of thumbnails of every n-th pixel
    for last in (False, True):
        toned = np.clip(toned + _sharpness(small, toned, point, shown)[..., None], 0, 255)
        for channel in range(0 if last else 3):
            toned[shown, channel] = fit_tones(small[shown, channel], toned[shown, channel], KNOTS)
    edge = _edge(np.abs((small - toned) @ LUMA), shown, known)
    rest = (small - toned) * known[..., None]
    error = rest @ LUMA
    chroma = np.stack([0.564 * (rest[..., 2] - error), 0.713 * (rest[..., 0] - error)], 2)
    error = error if steps is None else _beyond_rounding(error, steps) * known
    smooth = np.where(known, toned @ LUMA, luma)
    edges = (sobel(smooth, 0) ** 2 + sobel(smooth, 1) ** 2) / 64
    variance = _variance(error, maximum_filter(fineness, 3), maximum_filter(edges, 3), known)  # of a place a pixel off
    return Parts(
        place,
        share,
        _firmness(grey_view, luma, place, bars, share),
        bars,
        _bar_level(luma, bars),
        known,
        error,
        variance,
        edge,
        chroma,
    )


def _reduced(picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and the square of its luminance (H, W), float32, reduced to `OVERSAMPLING` times the pixels of a
    thumbnail of `size` or a little more.
    """
    ratio = np.sqrt(picture.shape[0] * picture.shape[1] / (size[0] * size[1]))
    factor = max(1, int(ratio / OVERSAMPLING))
    whole = Image.fromarray(picture)
    luma = np.asarray(whole.convert("L"), np.float32)
    return np.asarray(whole.reduce(factor), np.float32), np.asarray(Image.fromarray(luma * luma).reduce(factor))


def _bars(luma: np.ndarray, seen: np.ndarray, place: Placement) -> list[int]:
    """The widths in pixels of dark bars at the left, top, right and bottom of a thumbnail (h, w), where the picture, `seen` on
    its grid, is not dark as well.
    """
    inside = np.where(place.inside(luma.shape), seen, np.nan)
    widths = []
    for axis, back in ((1, False), (0, False), (1, True), (0, True)):
        lines, behind = ((values if axis == 0 else values.T)[:: -1 if back else 1] for values in (luma, inside))
        level = float(np.median(lines[0]))
        same = (np.abs(lines.mean(1) - level) < BAR_CHANGE) & (lines.std(1) < BAR_SPREAD)
        width = 0 if same.all() else int(same.argmin())
        hidden = ~np.isnan(behind[:width])
        if hidden.any() and float(np.median(behind[:width][hidden])) < level + BAR_CONTRAST:
            width = int(hidden.any(1).argmax())  # a dark part of the picture, which is compared; the bar ends before it
        widths.append(width if level <= MAX_BAR_LEVEL and width < MAX_BAR * len(lines) else 0)
    return widths


def _bar_level(luma: np.ndarray, bars: list[int]) -> float:
    """The grey level that a twentieth of the pixels in the outer half of a bar exceed, of the brightest bar; 0 without bars.
    The inner half rings, since the thumbnail's blocks hold parts of the picture too.
    """
    content = [0.0]
    for (axis, back), width in zip(((1, False), (0, False), (1, True), (0, True)), bars, strict=True):
        lines = (luma if axis == 0 else luma.T)[:: -1 if back else 1]
        if width > 1:
            content.append(float(np.percentile(lines[: width // 2], 95)))
    return max(content)


def _compared(place: Placement, bars: list[int], size: tuple[int, int], margin: float) -> np.ndarray:
    """The pixels (h, w) within the picture and not in bars, and not within a `margin` of a bar."""
    starts = np.maximum([place.left, place.top], bars[:2])
    ends = np.minimum([place.right, place.bottom], np.array(size[::-1]) - bars[2:])
    margins = [margin if bar else MARGIN for bar in bars]
    return Placement(place.turn, *starts, *ends).inside(size, margins)


def _edge(difference: np.ndarray, shown: np.ndarray, known: np.ndarray) -> float:
    """The largest mean difference of a line of pixels (h, w) that are `shown` but not `known`, since they lie next to a bar."""
    strip = np.where(shown & ~known, difference, 0.0)
    return max(float((strip.sum(axis) / np.maximum(shown.sum(axis), 1)).max()) for axis in (0, 1))


def _firmness(view: np.ndarray, luma: np.ndarray, place: Placement, bars: list[int], share: float) -> float:
    """By how much less of a thumbnail a turned picture explains that is stretched to its edges or bars, where it is smaller."""
    starts = np.minimum([place.left, place.top], bars[:2])
    ends = np.maximum([place.right, place.bottom], np.array(luma.shape[::-1]) - bars[2:])
    return share - explained(view, luma, Placement(place.turn, *starts, *ends), BLURS[-1])


def _toned(small: np.ndarray, seen: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture (h, w, 3) on the thumbnail's grid, with the thumbnail's tones."""
    toned = np.zeros_like(seen)
    inner = small[known]
    if not len(inner):
        return toned
    if np.abs(inner - inner.mean(1, keepdims=True)).mean() < GREY:
        grey = seen[known] @ LUMA
        toned[known] = fit_tones(inner @ LUMA, grey, KNOTS)[:, None]
        colours = seen[known] - grey[:, None]
        if np.median(np.abs(colours)) < GREY:  # a grey picture: a part that has colours was changed
            toned[known] += colours
        return toned
    for channel in range(3):
        others = np.stack([seen[..., o] - seen[..., channel] for o in range(3) if o != channel], 2)[known]
        toned[known, channel] = fit_tones(inner[:, channel], seen[known, channel], KNOTS, others)
    return toned


def _sharpness(small: np.ndarray, toned: np.ndarray, point: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What has to be added to the toned picture's luminance for the thumbnail's sharpness and exact place: the combination of
    differences to blurred copies, to point samples, and of slopes that fits most pixels.
    """
    luma = np.where(known, toned @ LUMA, small @ LUMA)
    fine = [luma - gaussian_filter(luma, blur) for blur in SHARPENING]
    columns = np.stack([*fine, point * known, sobel(luma, 1) / 8, sobel(luma, 0) / 8], 2)
    target = ((small - toned) @ LUMA)[known]
    lines = columns[known]
    weights, factors = np.ones(len(target)), np.zeros(columns.shape[2])
    for _ in range(6 if len(target) else 0):
        gram = (lines * weights[:, None]).T @ lines + 1e-3 * np.eye(lines.shape[1]) * len(target)
        factors = np.linalg.solve(gram, (lines * weights[:, None]).T @ target)
        rest = target - lines @ factors
        weights = 1 / (1 + (rest / (2 * robust_scale(rest))) ** 2) ** 2
    return (columns @ factors) * known


def _beyond_rounding(rest: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """A difference (h, w) without the part that the rounding of the thumbnail's coefficients can have made: each coefficient of
    its 8x8 blocks is made smaller by half its quantisation step.
    """
    height, width = rest.shape
    down, across = -(-height // 8), -(-width // 8)
    padded = np.pad(rest, ((0, 8 * down - height), (0, 8 * across - width)), "edge")
    values = dctn(padded.reshape(down, 8, across, 8), axes=(1, 3), norm="ortho")
    half = steps[:, None, :] / 2
    values = np.sign(values) * np.maximum(0, np.abs(values) - half)
    return idctn(values, axes=(1, 3), norm="ortho").reshape(padded.shape)[:height, :width]


def _variance(error: np.ndarray, fineness: np.ndarray, edges: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The expected squared error (h, w), fitted to most parts: a constant, and shares of the fineness and of the slopes."""

    def blocks(values: np.ndarray) -> np.ndarray:
        height, width = (length // 4 * 4 for length in values.shape)
        return values[:height, :width].reshape(height // 4, 4, width // 4, 4).mean((1, 3)).ravel()

    whole = blocks(known.astype(float)) == 1
    if whole.sum() < 4:
        return np.full(error.shape, np.inf)
    found = blocks(error**2)[whole]
    columns = np.stack([np.ones(whole.sum()), blocks(fineness)[whole], blocks(edges)[whole]], 1)
    weights, factors = np.full(len(found), 1 / (np.median(found) + 0.05)), np.zeros(3)
    for _ in range(8):
        factors, _ = nnls(columns * weights[:, None], found * weights)
        expected = columns @ factors + 0.02
        weights = 1 / expected / np.maximum(1, found / expected / 4)  # what is far above the expectation counts little
    fine, slopes = np.maximum(factors[1:], LEAST_SHARES)
    return factors[0] + 0.02 + fine * fineness + slopes * edges
