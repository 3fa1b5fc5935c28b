"""Whether the scans of a JPEG decode to a whole picture, by the complaints of libjpeg, which programs mostly do not show."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image

from cama.jpeg.division import Damage
from cama.jpeg.pieces import EXTRA, broken_piece, with_restarts
from cama.jpeg.segments import EOI, FRAMES, RESTARTS, SOS, Segment

Decodes = Literal["whole", "partly", "no"]
MISSING = "Corrupt JPEG data: premature end of data segment"
NOT_MISSING = re.compile(f"(?!{MISSING})")
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
NO_SAMPLING = "Could not determine subsampling level"  # simplejpeg knows fewer samplings than Pillow
MAX_TRIMS = 8  # places with surplus bytes that are looked behind
MAX_WORK = 1_000_000_000  # pixels of scans, and bytes, that are read in all to find a damaged place; a few seconds
AHEAD = 9  # bytes
PADS = b"\0" * 64, b"\x5a" * 64


@dataclass(frozen=True)
class Verdict:
    """Whether a picture decodes `whole`, `partly` or not at all (`no`), or None where that was not tried; what is wrong in its
    scans; and, by the offset of a scan, how many bytes of its data belong to the picture where that is not all.
    """

    decodes: Decodes | None
    damage: tuple[Damage, ...]
    kept: dict[int, int]


def judge(parts: Sequence[Segment], pixels: int) -> Verdict:
    """Decode a picture of so many `pixels` from the segments that `viewed.view` gives."""
    return _Judge(parts, pixels).judge()


def data_offset(scan: Segment) -> int:
    """The offset in the file of the data of a scan."""
    return scan.offset + len(scan.to_bytes()) - len(scan.scan)


def _complaint(data: bytes) -> str:
    """The first complaint of libjpeg when it decodes a JPEG; empty for none."""
    try:  # at the smallest size, which takes least time, since all codes of the scans are read at any size
        simplejpeg.decode_jpeg(data, min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as error:
        said = " ".join(str(error).split())
        return _complaint_of_pillow(data) if NO_SAMPLING in said else said
    return ""


def _complaint_of_pillow(data: bytes) -> str:
    """As `_complaint`, but Pillow only says that it cannot decode. That bytes are missing at the end is seen where the picture
    depends on what stands there instead.
    """
    pictures = []
    try:
        for pad in PADS:
            with Image.open(io.BytesIO(data[:-2] + pad + data[-2:]), formats=("JPEG",)) as image:
                pictures.append(np.asarray(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return " ".join(str(error).split()) if "identify" not in str(error) else "no picture that can be decoded"
    return "" if np.array_equal(*pictures) else MISSING


def _decodes_at_all(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft(image.mode, (1, 1))
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


class _Judge:
    def __init__(self, parts: Sequence[Segment], pixels: int) -> None:
        self.parts = with_restarts(parts)
        self.places = [place for place, part in enumerate(self.parts) if part.marker == SOS]
        self.pixels, self.work = pixels, 0
        self.damage: list[Damage] = []
        self.kept: dict[int, int] = {}

    def judge(self) -> Verdict:
        if not self.places or not self.parts[self.places[0]].scan:
            offset = self.parts[self.places[0] if self.places else -1].offset
            return Verdict("no", (Damage(offset, "found no data of a scan, expected a picture"),), {})
        for _ in range(MAX_TRIMS):
            said = self._said(self.places[-1])
            surplus = EXTRA.match(said)
            if not surplus or not self._trim(int(surplus[2], 16) in RESTARTS):
                break
        at_all = _decodes_at_all(self._bytes(self.places[-1]))
        if said or not at_all:
            self.damage.append(self._placed(said, at_all))
        broken = broken_piece(self.parts, _complaint) if at_all and not said else None
        if broken is not None:
            begin = data_offset(self.parts[self.places[0]])
            self.damage.append(Damage(begin + broken, "found a broken scan (bad Huffman code) there or behind"))
        decodes: Decodes = "no" if not at_all else "partly" if said or broken is not None else "whole"
        return Verdict(decodes, tuple(self.damage), self.kept)

    def _bytes(self, last: int, data: bytes | None = None) -> bytes:
        """The file up to the scan at the place `last`, perhaps with other `data` in it."""
        scan = self.parts[last] if data is None else replace(self.parts[last], scan=data)
        rest = self.parts[last + 1 :] if last == self.places[-1] else [Segment(EOI)]
        return b"".join(part.to_bytes() for part in (*self.parts[:last], scan, *rest))

    def _said(self, last: int, data: bytes | None = None) -> str:
        jpeg = self._bytes(last, data)
        self.work += self.pixels * (self.places.index(last) + 1) + len(jpeg)
        return _complaint(jpeg)

    def _first(self) -> int:
        """The place of the first scan with a complaint."""
        low, high = 0, len(self.places) - 1
        while low < high and self.work < MAX_WORK:
            middle = (low + high) // 2
            if self._said(self.places[middle]):
                high = middle
            else:
                low = middle + 1
        return self.places[high]

    def _shortest(self, place: int, enough: re.Pattern[str]) -> int:
        """The length of the shortest beginning of a scan's data of which libjpeg says `enough`."""
        scan = self.parts[place].scan
        low, high = 0, len(scan)
        while low < high and self.work < MAX_WORK:
            middle = (low + high) // 2
            if enough.match(self._said(place, scan[:middle])):
                high = middle
            else:
                low = middle + 1
        return high

    def _trim(self, before_restart: bool) -> bool:
        """Take surplus bytes out of the first scan that has some, and return whether that was possible."""
        place = self._first()
        scan = self.parts[place].scan
        end = self._shortest(place, EXTRA if before_restart else NOT_MISSING)
        rest = b""
        if before_restart and self._said(place, scan[:end]):  # unless all that follows is surplus
            following = RESTART.search(scan, end)
            rest = b"" if following is None else scan[following.start() :]
            for cut in range(
                end, max(end - AHEAD, 0), -1
            ):  # libjpeg has read some bytes ahead, which it does not count
                if not EXTRA.match(self._said(place, scan[:cut] + rest)):
                    end = cut
                    break
        surplus = len(scan) - end - len(rest)
        if not surplus:
            return False
        begin = data_offset(self.parts[place])
        if not rest:
            self.kept[self.parts[place].offset] = end
        self.damage.append(Damage(begin + end, f"found {surplus} bytes in a scan's data that no viewer shows"))
        self.parts[place] = replace(self.parts[place], scan=scan[:end] + rest)
        return True

    def _rows(self) -> str:
        """How many rows of pixels are there before the first missing byte, where that can be said."""
        frame = next(place for place, part in enumerate(self.parts) if part.marker in FRAMES)
        whole = self.parts[frame]
        if len(self.places) > 1 or whole.marker == 0xC2:
            return ""
        height = int.from_bytes(whole.payload[1:3])
        low, high = 0, height - 1
        while low < high and self.work < MAX_WORK:
            middle = (low + high + 1) // 2
            self.parts[frame] = replace(whole, payload=whole.payload[:1] + middle.to_bytes(2) + whole.payload[3:])
            if self._said(self.places[-1]).startswith(MISSING):
                high = middle - 1
            else:
                low = middle
        self.parts[frame] = whole
        return f": {low} of {height} rows are there"

    def _placed(self, said: str, at_all: bool) -> Damage:
        """The complaint with the place of what it is about."""
        place = self._first()
        scan = self.parts[place]
        said = said.removeprefix("Corrupt JPEG data: ") or "a kind that is not decoded"
        if not at_all:
            return Damage(scan.offset, f"found a picture that cannot be decoded ({said})")
        if MISSING.endswith(said):
            what = f"found the end of a scan's data, expected more of the picture{self._rows()}"
            return Damage(data_offset(scan) + len(scan.scan), what)
        return Damage(data_offset(scan) + self._shortest(place, NOT_MISSING), f"found a broken scan ({said})")
