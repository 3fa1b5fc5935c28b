"""Whether a thumbnail shows its picture: software that edits a picture may leave a thumbnail of the original in the file."""

from functools import cached_property

import numpy as np
from scipy.ndimage import label

from cama.photo.parts import GREY, Parts, compare_parts
from cama.photo.smooth import BLOCK, smooth_parts
from cama.photo.thumbnail import Comparison, Thumbnail, Verdict

MIN_SIDE = 24  # pixels: smaller thumbnails show too little
# The thresholds were chosen on parts 0 and 1 of real cameras; `tests/photo/measure_thumbnails.py` prints how part 2 fares.
SHARES = (0.003, 0.008)  # of the area: of the windows that are compared
DIFFERENT, DOUBTFUL = (32.0, 18.0), (15.0, 7.5)  # squared error relative to that expected, of these windows
DIFFERENT_COLOUR, DOUBTFUL_COLOUR = 12.0, 7.0  # grey levels, in windows of the larger share
MAX_EDGE = 25.0  # grey levels, in a line of pixels next to a bar
ANOTHER = 0.1  # explained share of a thumbnail below which it shows another picture
MAX_VARIANCE = 30.0  # squared grey levels: with larger errors all over, a changed part would not stand out
# pixels of the thumbnail outside of the picture: at one side, and half of those at two opposite ones
CUT, MAYBE_CUT = (1.5, 0.75), (0.8, 0.25)
LOPSIDED = 3  # pixels by which a bar is wider than that at the opposite side
OFF_CENTRE = (
    1.06  # pixels by which a picture lies nearer to one side than to the opposite one, beyond its bars' difference
)
CUT_SIDE = 140  # pixels of the thumbnail's side; of a larger one, more of the pixels that are smaller then
# explained share by which a picture that fills the thumbnail must be worse, for a verdict that it was cut, or a doubt
FIRM, MAYBE_FIRM = 0.04, 0.005
MAX_BLACK = 4.5  # grey level of a black bar after its JPEG's rounding
MIN_SHOWN = 0.9  # share of the picture that the thumbnail shows
SIDES = ("left", "top", "right", "bottom")


class Picture:
    """A picture (H, W, 3), uint8, that thumbnails are compared with."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    @cached_property
    def smooth(self) -> np.ndarray:
        """Which blocks `smooth_parts` finds in it."""
        return smooth_parts(self.pixels)

    def compare(self, thumbnail: Thumbnail) -> Comparison:
        """Whether a thumbnail shows this picture, in every part of 1 % of the area or more."""
        if min(thumbnail.pixels.shape[:2]) < MIN_SIDE or min(self.pixels.shape[:2]) < MIN_SIDE:
            return Comparison("undecided", None, f"it is too small to be compared: less than {MIN_SIDE} pixels a side")
        return self.judge(compare_parts(self.pixels, thumbnail.pixels, thumbnail.steps), thumbnail)

    def judge(self, parts: Parts, thumbnail: Thumbnail) -> Comparison:
        """The verdict on compared parts."""
        height, width = self.pixels.shape[:2]
        whole = [0, 0, width, height]
        if not parts.known.any() or parts.explained < ANOTHER:
            if thumbnail.pixels.std() < 3 and self.pixels[::8, ::8].std() < 3:
                return Comparison("undecided", None, "neither it nor the picture has anything that could be compared")
            return Comparison("differs", whole, "it shows another picture")
        cut, sides = _outside(parts, thumbnail.pixels.shape[:2])
        if cut == "differs":
            return Comparison(
                cut, whole, f"it shows more than the picture at the {' and '.join(sides)}: the picture was cut"
            )
        box = _changed(parts, DIFFERENT, DIFFERENT_COLOUR)
        if box is not None:
            place = parts.place.in_picture(box, self.pixels.shape)
            return Comparison("differs", place, f"it shows something else than the picture {_at(place)}")
        if cut == "undecided":
            return Comparison(cut, None, f"it may show more than the picture at the {' and '.join(sides)}")
        return self._doubts(parts, thumbnail)

    def _doubts(self, parts: Parts, thumbnail: Thumbnail) -> Comparison:
        size = thumbnail.pixels.shape[:2]
        box = _changed(parts, DOUBTFUL, DOUBTFUL_COLOUR)
        if box is not None:
            place = parts.place.in_picture(box, self.pixels.shape)
            return Comparison("undecided", place, f"it differs a little from the picture {_at(place)}")
        if float(np.median(parts.variance[parts.known])) > MAX_VARIANCE:
            return Comparison("undecided", None, "it differs from the picture all over, which may hide more")
        place, (left, top, right, bottom) = parts.place, parts.bars
        across = min(size[1] - right, place.right) - max(left, place.left)
        down = min(size[0] - bottom, place.bottom) - max(top, place.top)
        shown = across * down / (place.width * place.height)
        if shown < MIN_SHOWN:
            return Comparison("undecided", None, f"it shows {shown:.0%} of the picture, and there it is the same")
        if self.smooth.any():
            place = [BLOCK * int(length) for length in around(self.smooth.astype(float))]
            reason = f"the picture is without noise {_at(place)}: it may have been blurred there a little"
            return Comparison("undecided", place, reason)
        if parts.edge > MAX_EDGE:
            return Comparison("undecided", None, "it differs from the picture at an edge")
        if parts.bar_level > MAX_BLACK:
            return Comparison("undecided", None, "its dark edges are not black: they may be parts that were cut away")
        about = "" if shown > 0.99 else f" ({shown:.0%} of it; the rest cannot be compared)"
        if _is_grey(thumbnail.pixels) and not _is_grey(self.pixels[::8, ::8]):
            about += ", in grey: colours cannot be compared"
        return Comparison("same", None, f"it shows the picture{about}")


def _is_grey(pixels: np.ndarray) -> bool:
    values = pixels.astype(np.float32)
    return bool(np.abs(values - values.mean(2, keepdims=True)).mean() < GREY)


def _at(box: list[int]) -> str:
    return f"from {box[0]},{box[1]} to {box[2]},{box[3]}"


def _changed(parts: Parts, limits: tuple[float, float], colour_limit: float) -> tuple[int, int, int, int] | None:
    """The box in the thumbnail around the part that differs most, if it differs by more than the limits."""
    strongest, level = None, 1.0
    for share, limit in zip(SHARES, limits, strict=True):
        error, colour = parts.windows(share)
        strength = error / limit if share != SHARES[-1] else np.maximum(error / limit, colour / colour_limit)
        if strength.max() > level:
            strongest, level = strength, float(strength.max())
    return None if strongest is None else around(strongest)


def around(strength: np.ndarray) -> tuple[int, int, int, int]:
    """The box around the strongest part, which goes on as far as the strength is a tenth of the strongest and at least 0.5."""
    numbers, _ = label(strength > max(0.5, 0.1 * float(strength.max())))
    rows, columns = np.nonzero(numbers == numbers.flat[strength.argmax()])
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _outside(parts: Parts, size: tuple[int, int]) -> tuple[Verdict, list[str]]:
    """Whether a thumbnail of `size` (h, w) shows more than the picture, and at which sides. Dark bars show nothing."""
    place = parts.place
    ends = gaps = np.array([place.left, place.top, size[1] - place.right, size[0] - place.bottom])
    gaps = np.array([gap - bar - 0.5 if bar else gap for gap, bar in zip(gaps, parts.bars, strict=True)])
    # dark at one side alone may be a bar, or a dark part of the picture that was cut away
    bars = np.array(parts.bars)
    lopsided = [SIDES[n] for n in np.flatnonzero(bars - np.roll(bars, 2) >= LOPSIDED)]
    unit = np.maximum(1, np.array([size[1], size[0]] * 2) / CUT_SIDE)
    for limits, verdict, firm in ((CUT, "differs", FIRM), (MAYBE_CUT, "undecided", MAYBE_FIRM)):
        both = gaps + np.roll(gaps, 2) > 2 * limits[1] * unit
        at = [SIDES[n] for n in range(4) if gaps[n] > limits[0] * unit[n] or (gaps[n] > 0 and both[n])]
        if at and (verdict == "differs" or parts.firm > firm):
            return verdict if parts.firm > firm else "undecided", at
    # programs put a picture in the middle, so one that lies elsewhere may have been cut at one side by less than a pixel
    aside = ends - np.roll(ends, 2)
    aside = np.minimum(aside, aside - bars + np.roll(bars, 2)) / unit
    doubtful = lopsided or [SIDES[n] for n in np.flatnonzero(aside > OFF_CENTRE)]
    return ("undecided", doubtful) if doubtful else ("same", [])
