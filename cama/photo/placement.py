"""Finding where a picture lies in its thumbnail: turned, mirrored, letterboxed, cropped or squeezed, and with other tones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, sobel, uniform_filter
from skimage.feature import match_template

from cama.photo.tones import fit_tones, robust_scale

TURNS = range(8)  # quarter turns against the clock; from 4 on of the picture mirrored from left to right
SEARCH_SIDE = 64  # pixels: the first search is in a thumbnail of this size
SCALES = np.geomspace(0.76, 1.06, 9)  # of the picture's size relative to that which fits in the thumbnail
TEMPLATE_SHARE = 0.75  # of the picture's sides: its middle is searched for
CANDIDATES, REFINED, FINAL = (
    5,
    5,
    2,
)  # placements of the search; of all, those refined; of these, those refined to the end
BLURS = (2.0, 1.0, 0.6)  # pixels, one after the other, of the refinement
STEPS = 4  # of the refinement at each blur
PULL = 2.0  # pixels by which a side may easily move in the refinement
USUAL = 0.02  # score by which another placement must be better than the usual one
SURE = 0.98  # share explained by a placement as cameras make them, from which no other is searched for
CURVE_KNOTS = 3
MAX_BAR_LEVEL = 24  # grey levels of the dark bars that cameras add around a picture of other proportions


@dataclass(frozen=True)
class Placement:
    """Where the turned picture lies: its left, top, right and bottom in pixels of the thumbnail, which may be outside of it."""

    turn: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def sides(self) -> np.ndarray:
        """Left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom])

    @property
    def width(self) -> float:
        """Of the picture in the thumbnail, in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Of the picture in the thumbnail, in pixels."""
        return self.bottom - self.top

    def inside(self, size: tuple[int, int], margins: Sequence[float] = (0, 0, 0, 0)) -> np.ndarray:
        """Which pixels of a thumbnail of `size` (h, w) lie in the picture, at least `margins` from its four sides."""
        rows, columns = np.arange(size[0])[:, None], np.arange(size[1])[None]
        left, top, right, bottom = self.sides + np.array([1, 1, -1, -1]) * margins + 1e-6 * np.array([-1, -1, 1, 1])
        return (rows >= top) & (rows + 1 <= bottom) & (columns >= left) & (columns + 1 <= right)

    def in_picture(self, box: tuple[int, int, int, int], shape: tuple[int, ...]) -> list[int]:
        """A box (left, top, right, bottom) of the thumbnail in pixels of the picture of `shape` (H, W, ...), not turned."""
        high, wide = shape[:2] if self.turn % 2 == 0 else shape[1::-1]
        left, right = (np.clip((x - self.left) / self.width, 0, 1) * wide for x in (box[0], box[2]))
        top, bottom = (np.clip((y - self.top) / self.height, 0, 1) * high for y in (box[1], box[3]))
        for _ in range(self.turn % 4):  # back, clockwise
            left, top, right, bottom, high, wide = high - bottom, left, high - top, right, wide, high
        if self.turn >= 4:
            left, right = wide - right, wide - left
        return [int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))]


def turned(array: np.ndarray, turn: int) -> np.ndarray:
    """An array (H, W, ...) turned as `Placement.turn` says."""
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if turn >= 4 else array, turn % 4))


def resample(
    view: np.ndarray, place: Placement, size: tuple[int, int], method: int = Image.Resampling.HAMMING
) -> np.ndarray:
    """A turned channel (H, W), float32, on the grid of a thumbnail of `size` (h, w). Beyond the picture its edge goes on."""
    height, width = view.shape
    across, down = width / place.width, height / place.height
    left, top = -place.left * across, -place.top * down
    right, bottom = left + size[1] * across, top + size[0] * down
    before, above = (max(0, int(np.ceil(-start)) + 1) for start in (left, top))
    behind, below = (max(0, int(np.ceil(end - length)) + 1) for end, length in ((right, width), (bottom, height)))
    padded = Image.fromarray(np.pad(view, ((above, below), (before, behind)), "edge"))
    box = (left + before, top + above, right + before, bottom + above)
    return np.asarray(padded.resize(size[::-1], method, box=box))


def find(luma: np.ndarray, thumbnail: np.ndarray) -> tuple[Placement, float]:
    """Where a picture (H, W) lies in a thumbnail (h, w), both float32 grey levels, and how much of the thumbnail it explains
    there (at most 1).
    """
    views = [turned(luma, turn) for turn in TURNS]

    def scored(place: Placement, usual: bool, blur: float) -> tuple[float, bool, Placement]:
        return explained(views[place.turn], thumbnail, place, blur) + USUAL * usual, usual, place

    found = [scored(place, number < 2, BLURS[0]) for number, place in enumerate(_usual(luma, thumbnail))]
    if max(score - USUAL * usual for score, usual, _ in found) < SURE:
        found += [scored(place, False, BLURS[0]) for place in _search(luma, thumbnail)]
    for blurs, kept in ((BLURS[:1], REFINED), (BLURS[1:], FINAL)):
        best = sorted(found, key=lambda item: -item[0])[:kept]
        found = [
            scored(refine(views[place.turn], thumbnail, place, blurs), usual, blurs[-1]) for _, usual, place in best
        ]
    score, usual, place = max(found, key=lambda item: item[0])
    return place, score - USUAL * usual


def explained(view: np.ndarray, thumbnail: np.ndarray, place: Placement, blur: float) -> float:
    """How much of a blurred thumbnail a turned picture explains at a placement, at most 1. Large differences count little."""
    known = place.inside(thumbnail.shape, [0.5] * 4)
    if known.mean() < 0.2:
        return -1.0
    target = gaussian_filter(thumbnail, blur)[known]
    spread = np.abs(target - np.median(target))
    cap = max(3.0, 0.5 * float(np.median(spread)))
    seen = gaussian_filter(resample(view, place, thumbnail.shape), blur)[known]
    rest = np.abs(target - fit_tones(target, seen, CURVE_KNOTS))
    return float(1 - (np.minimum(rest, cap) ** 2).mean() / ((np.minimum(spread, cap) ** 2).mean() + 0.5))


def refine(view: np.ndarray, thumbnail: np.ndarray, place: Placement, blurs: Sequence[float]) -> Placement:
    """A placement of a turned picture, made exact by steps of least squares at one blur after the other."""
    start, size = place.sides, thumbnail.shape
    for blur in blurs:
        target = gaussian_filter(thumbnail, blur)
        for _ in range(STEPS):
            known = place.inside(size, [1.0] * 4)
            if known.sum() < 30:
                return place
            seen = gaussian_filter(resample(view, place, size), blur)
            toned = fit_tones(target[known], seen[known], CURVE_KNOTS)
            rest = target[known] - toned
            slope = max(0.3, float(np.std(toned) / (np.std(seen[known]) + 1e-6)))
            across, down = (sobel(seen, axis) / 8 * slope for axis in (1, 0))
            columns = (np.arange(size[1])[None] + 0.5 - place.left) / place.width
            rows = (np.arange(size[0])[:, None] + 0.5 - place.top) / place.height
            change = np.stack([-across * (1 - columns), -down * (1 - rows), -across * columns, -down * rows], 2)[known]
            scale = robust_scale(rest)
            # what differs is left out with its surroundings, where its blurred edges would pull
            energy = np.zeros_like(seen)
            energy[known] = np.minimum((rest / (2 * scale)) ** 2, 100)
            reach = 2 * int(np.ceil(2 * blur)) + 1
            weight = 1 / (1 + np.maximum(energy, uniform_filter(energy, reach))[known]) ** 2
            weighted = change * weight[:, None]
            hold = scale**2 * 4 * np.pi * blur**2 / PULL**2  # keeps a picture without structure where it is
            step = np.linalg.solve(
                weighted.T @ change + np.eye(4) * hold, weighted.T @ rest + hold * (start - place.sides)
            )
            place = Placement(place.turn, *(place.sides + np.clip(step, -1.5, 1.5)))
            if np.abs(step).max() < 0.02:
                break
    return place


def _usual(luma: np.ndarray, thumbnail: np.ndarray) -> list[Placement]:
    """Two placements for each turn, first those without a turn: as large as fits, in the middle; and between dark bars."""
    height, width = thumbnail.shape
    found = []
    for turn in TURNS:
        sides = luma.shape if turn % 2 == 0 else luma.shape[::-1]
        scale = min(height / sides[0], width / sides[1])
        left, top = (width - sides[1] * scale) / 2, (height - sides[0] * scale) / 2
        found += [Placement(turn, left, top, width - left, height - top), Placement(turn, *_without_bars(thumbnail))]
    return found


def _without_bars(thumbnail: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a thumbnail without dark rows and columns at its edges."""
    sides = []
    for axis in (0, 1):
        bright = np.flatnonzero(np.percentile(thumbnail, 90, axis=axis) > MAX_BAR_LEVEL)
        sides.append((bright[0], bright[-1] + 1) if len(bright) > 8 else (0, thumbnail.shape[1 - axis]))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _search(luma: np.ndarray, thumbnail: np.ndarray) -> list[Placement]:
    """The placements where the picture's middle correlates most with a small thumbnail, the best of each kind first."""
    height, width = thumbnail.shape
    shrink = max(height, width) / SEARCH_SIDE
    small = max(8, round(height / shrink)), max(8, round(width / shrink))
    down, across = height / small[0], width / small[1]
    field = gaussian_filter(np.asarray(Image.fromarray(thumbnail).resize(small[::-1], Image.Resampling.BOX)), 0.7)
    coarse = np.asarray(Image.fromarray(luma).reduce(max(1, int(max(luma.shape) / (3 * SEARCH_SIDE)))))
    found = []
    for turn in TURNS:
        view = turned(coarse, turn)
        squeezed = np.array(small) / view.shape
        scales = [np.full(2, squeezed.min())]
        if squeezed.max() / squeezed.min() > 1.03:
            scales += [squeezed, np.full(2, squeezed.max())]
        for whole in (np.maximum(6, np.round(view.shape * scale * step)) for scale in scales for step in SCALES):
            whole = whole.astype(int)
            inner = np.maximum(
                4, np.minimum(np.round(whole * TEMPLATE_SHARE), np.round(0.92 * np.array(small)))
            ).astype(int)
            image = gaussian_filter(np.asarray(Image.fromarray(view).resize(whole[::-1], Image.Resampling.BOX)), 0.7)
            top, left = (whole - inner) // 2
            scores = np.nan_to_num(match_template(field, image[top : top + inner[0], left : left + inner[1]]))
            row, column = np.unravel_index(scores.argmax(), scores.shape)
            box = (column - left) * across, (row - top) * down
            box += (column - left + whole[1]) * across, (row - top + whole[0]) * down
            found.append((float(scores[row, column]), Placement(turn, *box)))
    chosen: list[Placement] = []
    for _, place in sorted(found, key=lambda item: -item[0]):
        if all(place.turn != other.turn or abs(place.width - other.width) > 0.05 * width for other in chosen):
            chosen.append(place)
    return chosen[:CANDIDATES]
