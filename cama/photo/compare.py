"""A photograph beside what was made of it: where it changed most, in numbers and in a picture.

The PSNR of a whole picture hides a change that gathered in few places, or that shifts colours where nobody would look for it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cama.compute.psnr import decibels, psnr
from cama.core.errors import CamaError, printable
from cama.photo.decoding import orient, read_srgb
from cama.storage.files import atomic

AREA = 64  # pixels a side
DARK = 40  # mean grey level of a dark area
SIDE, SCALE = 192, 2  # pixels of a place that is shown, and how much it is enlarged
STRENGTH = 8  # of the change beside it
COLOURS = ("red", "green", "blue")
PLACES = {
    "lowest_psnr": "lowest PSNR",
    "largest_shift": "largest shift of a colour",
    "darkest": "the darkest",
    "brightest": "the brightest",
}


@dataclass(frozen=True)
class Areas:
    """Pictures (H, W, 3), uint8, by areas: where these begin, `tops` (h,) and `lefts` (w,), `shift` (h, w, 3), the mean change
    of each colour in grey levels, `error` (h, w), the mean squared change, and `level` (h, w), the mean grey level before.
    """

    before: np.ndarray
    after: np.ndarray
    tops: list[int]
    lefts: list[int]
    shift: np.ndarray
    error: np.ndarray
    level: np.ndarray

    def places(self) -> dict[str, tuple[int, int]]:
        """The row and the column of the area of each of `PLACES`."""
        most = self.error, np.abs(self.shift).max(-1), -self.level, self.level
        found = (np.unravel_index(values.argmax(), values.shape) for values in most)
        return {name: (int(row), int(column)) for name, (row, column) in zip(PLACES, found, strict=True)}

    def record(self) -> dict[str, Any]:
        """What `cama compare --json` prints; a PSNR is None where nothing changed, `dark_shift` where nothing is dark."""
        dark = self.shift[self.level < DARK]
        whole, worst = psnr(self.before, self.after), decibels(self.error.max(), 1)
        return {
            "width": self.before.shape[1],
            "height": self.before.shape[0],
            "psnr": round(whole, 2) if np.isfinite(whole) else None,
            "lowest_psnr": round(worst, 2) if np.isfinite(worst) else None,
            "largest_shift": round(float(np.abs(self.shift).max()), 2),
            "dark_shift": dict(zip(COLOURS, dark.mean(0).round(2).tolist(), strict=True)) if len(dark) else None,
            "places": [
                {"what": name, "left": self.lefts[column], "top": self.tops[row]}
                for name, (row, column) in self.places().items()
            ],
        }

    def sheet(self) -> np.ndarray:
        """The `places`, a row each: before, after, and eight times the change on grey; each pixel as four."""
        return np.concatenate([self._row(self.tops[row], self.lefts[column]) for row, column in self.places().values()])

    def _row(self, top: int, left: int) -> np.ndarray:
        height, width = self.before.shape[:2]
        side = min(SIDE, height, width)
        top, left = (
            int(np.clip(first + (AREA - side) // 2, 0, length - side))
            for first, length in ((top, height), (left, width))
        )
        old, new = (one[top : top + side, left : left + side].astype(int) for one in (self.before, self.after))
        parts = np.concatenate([old, new, np.clip(128 + STRENGTH * (new - old), 0, 255)], axis=1)
        return parts.astype(np.uint8).repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def areas(before: np.ndarray, after: np.ndarray) -> Areas:
    """Two pictures (H, W, 3), uint8, of one size, by areas of 64x64 pixels, of which the last reach to the edge; a smaller side
    is one area.
    """
    tops, lefts = ([*range(0, max(side - AREA, 0), AREA), max(side - AREA, 0)] for side in before.shape[:2])
    found = []
    for top in tops:  # a strip at a time: a large photograph does not fit into memory as floats
        old = before[top : top + AREA]
        change = after[top : top + AREA].astype(np.float64) - old
        values = np.concatenate([change, np.square(change), old], axis=-1).mean(0)
        found.append([values[left : left + AREA].mean(0) for left in lefts])
    shift, squares, levels = np.split(np.array(found), 3, axis=-1)
    return Areas(before, after, tops, lefts, shift, squares.mean(-1), levels.mean(-1))


def compare(original: Path, result: Path, sheet: Path | None = None) -> dict[str, Any]:
    """The record of `Areas` for two photographs, upright, with `warnings` on how they were read, and a PNG of the places to
    `sheet`. A CamaError where they differ in size.
    """
    pictures, warnings = [], []
    for photo in (original, result):
        picture, orientation, notes = read_srgb(photo)
        pictures.append(orient(picture, orientation))
        warnings += [f"{photo}: {note}" for note in notes]
    before, after = pictures
    if before.shape != after.shape:
        sizes = " and ".join(f"{one.shape[1]}x{one.shape[0]}" for one in pictures)
        raise CamaError(f"{result}: found pictures of {sizes} pixels, expected one size: no --crop and no --resize")
    found = areas(before, after)
    if sheet:
        with atomic(sheet) as temporary:
            Image.fromarray(found.sheet()).save(temporary, "PNG")
    return {**found.record(), "warnings": warnings}


def described(record: dict[str, Any]) -> str:
    """A record as lines for a person."""
    lines = list(record["warnings"])
    if record["psnr"] is None:
        return "\n".join(map(printable, [*lines, "no pixel changed"]))
    lines += [
        f"PSNR {record['psnr']} dB; the area of {AREA}x{AREA} pixels that changed most has {record['lowest_psnr']} dB",
        f"largest shift of a colour's mean in an area: {record['largest_shift']} of 255 levels",
    ]
    if record["dark_shift"]:
        shifts = ", ".join(f"{colour} {shift:+.2f}" for colour, shift in record["dark_shift"].items())
        lines.append(f"dark areas, on average: {shifts} levels")
    places = [f"{PLACES[one['what']]} at +{one['left']}+{one['top']}" for one in record["places"]]
    return "\n".join(map(printable, [*lines, f"places: {', '.join(places)}"]))
