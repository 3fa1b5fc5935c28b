"""A photograph beside what was made of it: where it changed most, in numbers and in a picture.

The PSNR of a whole picture hides a change that gathered in few places, or that shifts colours where nobody would look for it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cama.compute.psnr import decibels, psnr
from cama.core.errors import CamaError
from cama.photo.decoding import orient, read_srgb
from cama.storage.files import atomic

REGION = 64  # pixels a side
DARK = 40  # mean grey level of a dark region
SIDE, SCALE = 192, 2  # pixels of a place that is shown, and how much it is enlarged
STRENGTH = 8  # of the change beside it
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Places:
    """Pictures (H, W, 3), uint8, and the whole regions in them: `shift` (h, w, 3), the mean change of each colour in grey
    levels, `error` (h, w), the mean squared change, and `level` (h, w), the mean grey level before. A side of less than a
    region is one.
    """

    before: np.ndarray
    after: np.ndarray
    shift: np.ndarray
    error: np.ndarray
    level: np.ndarray

    def record(self) -> dict[str, Any]:
        """What `cama compare --json` prints; a PSNR is None where nothing changed, `dark_shift` where nothing is dark."""
        dark = self.shift[self.level < DARK]
        whole = psnr(self.before, self.after)
        worst = decibels(self.error.max(), 1)
        return {
            "width": self.before.shape[1],
            "height": self.before.shape[0],
            "psnr": round(whole, 2) if np.isfinite(whole) else None,
            "lowest_psnr": round(worst, 2) if np.isfinite(worst) else None,
            "largest_shift": round(float(np.abs(self.shift).max()), 2),
            "dark_shift": dict(zip(COLOURS, dark.mean(0).round(2).tolist(), strict=True)) if len(dark) else None,
        }

    def sheet(self) -> np.ndarray:
        """The places with the lowest PSNR, the largest shift, the darkest and the brightest, a row each: before, after, and
        eight times the change on grey; each pixel as four.
        """
        most = self.error, np.abs(self.shift).max(-1), -self.level, self.level
        places = dict.fromkeys(np.unravel_index(values.argmax(), values.shape) for values in most)
        return np.concatenate([self._row(*place) for place in places])

    def _row(self, row: int, column: int) -> np.ndarray:
        side = min(SIDE, *self.before.shape[:2])
        top, left = (
            int(np.clip(place * REGION + (REGION - side) // 2, 0, length - side))
            for place, length in zip((row, column), self.before.shape, strict=False)
        )
        old, new = (one[top : top + side, left : left + side].astype(int) for one in (self.before, self.after))
        parts = np.concatenate([old, new, np.clip(128 + STRENGTH * (new - old), 0, 255)], axis=1)
        return parts.astype(np.uint8).repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def places(before: np.ndarray, after: np.ndarray) -> Places:
    """Two pictures (H, W, 3), uint8, of one size, region by region."""
    size = [min(REGION, side) for side in before.shape[:2]]
    rows, columns = (side // part for side, part in zip(before.shape, size, strict=False))
    found: list[tuple[np.ndarray, ...]] = []
    for row in range(rows):  # a strip of regions at a time: a large photograph does not fit into memory as floats
        old, new = (
            one[row * size[0] : (row + 1) * size[0], : columns * size[1]].reshape(size[0], columns, size[1], 3)
            for one in (before, after)
        )
        change = new.astype(np.float32) - old
        found.append((change.mean((0, 2)), np.square(change).mean((0, 2, 3)), old.mean((0, 2, 3))))
    return Places(before, after, *(np.stack(one) for one in zip(*found, strict=True)))


def compare(original: Path, result: Path, sheet: Path | None = None) -> dict[str, Any]:
    """The record of `Places` for two photographs, upright, and a PNG of the places to `sheet`. A CamaError where they differ in
    size.
    """
    pictures = []
    for photo in (original, result):
        picture, orientation, _ = read_srgb(photo)
        pictures.append(orient(picture, orientation))
    before, after = pictures
    if before.shape != after.shape:
        sizes = " and ".join(f"{one.shape[1]}x{one.shape[0]}" for one in pictures)
        raise CamaError(f"{result}: found pictures of {sizes} pixels, expected one size: compare uncropped pictures")
    found = places(before, after)
    if sheet:
        with atomic(sheet) as temporary:
            Image.fromarray(found.sheet()).save(temporary, "PNG")
    return found.record()


def described(record: dict[str, Any]) -> str:
    """A record as lines for a person."""
    if record["psnr"] is None:
        return "no pixel changed"
    lines = [
        f"PSNR {record['psnr']} dB; the region of {REGION}x{REGION} pixels that changed most has {record['lowest_psnr']} dB",
        f"largest shift of a colour's mean in a region: {record['largest_shift']} of 255 levels",
    ]
    if record["dark_shift"]:
        shifts = ", ".join(f"{colour} {shift:+.2f}" for colour, shift in record["dark_shift"].items())
        lines.append(f"dark regions, on average: {shifts}")
    return "\n".join(lines)
