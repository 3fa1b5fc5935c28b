"""What of a photograph is kept, and in which size: decided before its traces are changed."""

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.photo.decoding import orient

CROP = re.compile(r"(\d{1,6})x(\d{1,6})\+(\d{1,6})\+(\d{1,6})", re.ASCII)
LEAST_SIDE = 64  # pixels of a side that is asked for: a classifier cannot judge less
BACK = {6: 8, 8: 6}  # the orientation that undoes another; the others undo themselves


@dataclass(frozen=True)
class Framing:
    """`crop`: left, top, width and height in pixels of the upright photograph, None for all of it. `resize`: what the longer
    side has at most, in pixels, 0 for as it is; a smaller picture is not enlarged.
    """

    crop: tuple[int, int, int, int] | None = None
    resize: int = 0

    @classmethod
    def read(cls, crop: str | None, resize: int | None) -> "Framing":
        """From what a person writes: `WIDTHxHEIGHT+LEFT+TOP`, as ImageMagick has it, and a number."""
        if resize is not None and resize < LEAST_SIDE:
            raise CamaError(f"--resize: found {resize}, expected the longer side in pixels, at least {LEAST_SIDE}")
        if crop is None:
            return cls(None, resize or 0)
        match = CROP.fullmatch(crop)
        if match is None:
            raise CamaError(
                f"--crop: found {crop!r}, expected WIDTHxHEIGHT+LEFT+TOP in pixels, such as 1200x800+100+50"
            )
        width, height, left, top = map(int, match.groups())
        if min(width, height) < LEAST_SIDE:
            raise CamaError(f"--crop: found {width}x{height} pixels, expected at least {LEAST_SIDE} a side")
        return cls((left, top, width, height), resize or 0)

    def __bool__(self) -> bool:
        """Whether anything is cut or made smaller."""
        return bool(self.crop or self.resize)

    def apply(self, picture: np.ndarray, orientation: int, name: str) -> np.ndarray:
        """What is kept of a picture (H, W, 3), uint8, as it is stored: both have the EXIF `orientation`. A crop that lies
        outside is a CamaError that begins with `name`.
        """
        if self.crop:
            left, top, width, height = self.crop
            upright = orient(picture, orientation)
            if left + width > upright.shape[1] or top + height > upright.shape[0]:
                found = f"{width}x{height}+{left}+{top}"
                raise CamaError(
                    f"{name}: found {upright.shape[1]}x{upright.shape[0]} pixels, expected the crop {found} in it"
                )
            kept = upright[top : top + height, left : left + width]
            picture = np.ascontiguousarray(orient(kept, BACK.get(orientation, orientation)))
        longer = max(picture.shape[:2])
        if not self.resize or longer <= self.resize:
            return picture
        height, width = (max(1, round(length * self.resize / longer)) for length in picture.shape[:2])
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


WHOLE = Framing()
