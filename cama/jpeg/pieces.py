"""Making libjpeg look at each code of a sequential JPEG.

For speed it passes over broken codes in silence unless a file says that restarts may come, so here files are made to say so.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cama.jpeg.segments import DRI, FRAMES, SOS, Segment

MAX_INTERVAL = 0xFFFF  # MCUs between restarts
MAX_TRIES = 48
EXTRA = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")
Complaint = Callable[[bytes], str]  # the first complaint of libjpeg about a file, empty for none


def with_restarts(parts: Sequence[Segment]) -> list[Segment]:
    """The segments with a restart interval that is longer than any scan, or unchanged where no interval is."""
    grid = _Grid.of(parts)
    if grid is None or grid.blocks > MAX_INTERVAL:
        return list(parts)
    return _with_interval(parts, MAX_INTERVAL)


def broken_piece(parts: Sequence[Segment], complaint: Complaint) -> int | None:
    """Where in the data of a scan that is longer than any restart interval a broken code is, roughly; None for nowhere, and for
    other files. There must be no `complaint` about the file otherwise.
    """
    grid = _Grid.of(parts)
    scans = [part for part in parts if part.marker == SOS]
    if grid is None or grid.blocks <= MAX_INTERVAL or len(scans) != 1 or re.search(rb"\xff[^\0]", scans[0].scan):
        return None
    return _Pieces(parts, scans[0], grid, complaint).broken(scans[0].scan)


@dataclass(frozen=True)
class _Grid:
    """The MCUs of a sequential frame without restarts: how many in a row, the height of each in pixels, the frame's height, and
    the number of all, or of all blocks if there are several scans.
    """

    across: int
    tall: int
    height: int
    blocks: int

    @classmethod
    def of(cls, parts: Sequence[Segment]) -> "_Grid | None":
        frame = next((part for part in parts if part.marker in FRAMES), None)
        scans = [part for part in parts if part.marker == SOS]
        restarts = any(part.marker == DRI and any(part.payload) for part in parts)
        if frame is None or frame.marker not in (0xC0, 0xC1) or not scans or restarts:
            return None
        height, width = (int.from_bytes(frame.payload[at : at + 2]) for at in (1, 3))
        factors = [(both >> 4, both & 15) for both in frame.payload[7::3]]
        wide, tall = (8 * max((pair[axis] for pair in factors), default=1) for axis in (0, 1))
        if len(factors) == 1:  # one block is an MCU, whatever the factors
            wide = tall = 8
        if not (wide and tall and height and width):
            return None
        across, down = -(-width // wide), -(-height // tall)
        blocks = across * down * (wide * tall // 64 if len(scans) > 1 else 1)
        return cls(across, tall, height, blocks)


def _with_interval(parts: Sequence[Segment], interval: int) -> list[Segment]:
    first = next(place for place, part in enumerate(parts) if part.marker == SOS)
    return [*parts[:first], Segment(DRI, interval.to_bytes(2)), *parts[first:]]


class _Pieces:
    """A scan is decoded up to where libjpeg looks for the first restart; what follows, as a picture of its own. It begins
    within a byte, so that its bits are moved; where it begins libjpeg says to the byte, and all eight bits are tried.
    """

    def __init__(self, parts: Sequence[Segment], scan: Segment, grid: _Grid, complaint: Complaint) -> None:
        self.parts, self.scan, self.grid, self.complaint = parts, scan, grid, complaint
        self.rows = max(1, MAX_INTERVAL // grid.across)
        self.tries = 0
        self.furthest = 0

    def broken(self, data: bytes) -> int | None:
        """As `broken_piece`."""
        self.size = len(data)
        return None if self._is_sound(data, self.grid.height) else self.furthest

    def _is_sound(self, data: bytes, height: int) -> bool:
        """Whether `data` is without broken codes as a picture of this `height`, or it was tried too often to say."""
        self.tries += 1
        said = self._said(data, height)
        rest = height - self.rows * self.grid.tall
        surplus = EXTRA.match(said)
        if rest <= 0 or not surplus or surplus[2] != "d9":
            return rest <= 0 and not said
        left = int(surplus[1])
        self.furthest = max(self.furthest, self.size - left)
        return any(self.tries >= MAX_TRIES or self._is_sound(piece, rest) for piece in _from_within(data, left))

    def _said(self, data: bytes, height: int) -> str:
        parts = []
        for part in _with_interval(self.parts, self.rows * self.grid.across):
            if part.marker in FRAMES:
                part = replace(part, payload=part.payload[:1] + height.to_bytes(2) + part.payload[3:])
            parts.append(replace(part, scan=data) if part is self.scan else part)
        return self.complaint(b"".join(part.to_bytes() for part in parts))


def _from_within(data: bytes, left: int) -> Iterator[bytes]:
    """The data of a scan from each bit of the byte before its last `left` bytes. Some of these may be counted without the zero
    that follows ff, so that the byte may be one or two before.
    """
    at = len(data) - left
    before = data[:at].replace(b"\xff\0", b"\xff")
    plain = np.frombuffer(before + data[at:].replace(b"\xff\0", b"\xff"), np.uint8)
    uncounted = data[max(at - 4, 0) : at + 12].count(b"\xff\0")
    for byte in range(len(before) - 1, max(len(before) - 2 - min(uncounted, 2), -1), -1):
        for bit in range(1, 9):
            first = plain[byte:].astype(np.uint16)
            second = np.append(first[1:], 0xFF)
            moved = (first << bit | second >> (8 - bit)) & 0xFF
            yield moved.astype(np.uint8).tobytes().replace(b"\xff", b"\xff\0")
