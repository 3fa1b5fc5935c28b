"""Dividing a damaged JPEG into the segments that can be found in it, as viewers do, who skip what they do not understand."""

import re
import sys
from dataclasses import dataclass

from cama.jpeg.segments import (
    BARE,
    COM,
    DAC,
    DHP,
    DHT,
    DNL,
    DQT,
    DRI,
    EOI,
    EXP,
    FRAMES,
    JUNK,
    MAX_SEGMENTS,
    RESTARTS,
    SIGNATURES,
    SOI,
    SOS,
    Segment,
)

KNOWN = {*FRAMES, DHT, DAC, DQT, DRI, SOS, DNL, COM, DHP, EXP, *range(0xE0, 0xF0)}  # markers of segments with a length
MAX_PLACES = 40  # damaged places after which a file is given up
MAX_SEARCHED = 1_000_000_000  # bytes that are searched for segments in all, since each search may read all of the file
MAX_LENGTH = 0xFFFF  # of a segment, without its marker
NEAR = 32  # bytes behind a segment, among which a marker is looked for
MAX_BEFORE = 4096  # bytes before the start
# The first bytes of files of other kinds, in which a JPEG may stand (previews of raw files, pages of documents).
OTHERS = tuple(b"II MM \x89PNG GIF8 RIFF BM 8BPS %PDF %!PS FUJIFILM PK\3\4 \0MRM".split(b" "))
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xef\xfe]")
_FIRST_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in a scan: neither a stuffed byte nor a restart
_ONES = re.compile(rb"\xff*")


@dataclass(frozen=True, slots=True)
class Damage:
    """A place that violates the standard: the offset in the file, and what is wrong there, as one phrase."""

    offset: int
    what: str


@dataclass(frozen=True)
class Division:
    """The segments of a file in order, with `JUNK` for bytes that belong to none, the bytes behind its end, and the damage. The
    sizes of segments and trailer add up to the file.
    """

    segments: tuple[Segment, ...]
    trailer: bytes
    damage: tuple[Damage, ...]
    complete: bool  # whether there is an end (EOI) behind a scan


def find_start(data: bytes) -> int | None:
    """The offset of the start (SOI) of a JPEG, mostly 0, or None. Before it a few bytes may stand that begin no file of another
    kind, and one of its two bytes may be wrong.
    """
    if data[:2] == b"\xff\xd8":
        return 0
    if (data[:1] == b"\xff" or data[1:2] == b"\xd8") and _MARKER.match(data, 2):
        return 0
    if data.startswith(OTHERS) or data[4:8] == b"ftyp":
        return None
    found = data.find(b"\xff\xd8\xff", 0, MAX_BEFORE + 3)
    return found if found >= 0 else None


def divide(data: bytes, start: int, trusting: bool = True, ends: frozenset[int] = frozenset()) -> Division:
    """Divide a file whose SOI is at `start`. Where a segment's length leads to no marker, the bytes behind it are junk when
    `trusting`, as for libjpeg, and else the length is wrong and the segment ends at the next marker. At the offsets `ends` the
    data of a scan ends though no marker is there.
    """
    return _Divider(data, trusting, ends).divide(start)


def is_segment(data: bytes, at: int) -> bool:
    """Whether a whole segment stands at an offset, but perhaps for its first byte."""
    return _Divider(data, True, frozenset())._is_segment(at)


class _Divider:
    def __init__(self, data: bytes, trusting: bool, ends: frozenset[int]) -> None:
        self.data, self.trusting, self.ends = data, trusting, ends
        self.at = 0
        self.segments: list[Segment] = []
        self.damage: list[Damage] = []
        self.ended = self.scanned = False
        self.searched = 0  # bytes

    def divide(self, start: int) -> Division:
        size = len(self.data)
        if start:
            self._add_junk(0, start)
            self._report(0, f"found {start} bytes before the start, expected ff d8")
        if self.data[start : start + 2] != b"\xff\xd8":
            self._report(start, f"found {self.data[start : start + 2].hex(' ')}, expected the start, ff d8")
        self.segments.append(Segment(SOI, offset=start))
        self.at = start + 2
        complete = False
        while self.at < size and not self.ended:
            if len(self.segments) >= MAX_SEGMENTS or len(self.damage) >= MAX_PLACES:
                self._report(self.at, "found too many segments or damaged places, the rest was not read")
                break
            self._next()
            complete = self.ended and self.segments[-1].marker == EOI
        else:
            if not complete:
                what = "the end of the file" if self.at == size else "other data"
                self._report(self.at, f"found {what}, expected the end of the picture, ff d9")
        if self.scanned and not complete and self.segments[-1].marker == JUNK:
            self.at = self.segments.pop().offset  # without an end nothing tells junk from a trailer
        return Division(tuple(self.segments), self.data[self.at :], tuple(self.damage), complete)

    def _report(self, offset: int, what: str) -> None:
        self.damage.append(Damage(offset, what))

    def _add_junk(self, start: int, end: int) -> None:
        self.segments.append(Segment(JUNK, self.data[start:end], offset=start))
        self.at = end

    def _next(self) -> None:
        """Read what stands at `at`."""
        start = self.at
        behind = _ONES.match(self.data, start).end()  # of ff, which may repeat
        meant, _ = self._content(start + 2)
        if meant and self.data[start : start + 2] != bytes([0xFF, meant]):
            found = self.data[start : start + 2].hex(" ")
            self._report(start, f"found {found}, expected the marker ff {meant:02x} for what follows")
            self._read(start, 0, meant, start + 2)
        elif start < behind < len(self.data) and self.data[behind]:
            self._read(start, behind - start - 1, self.data[behind], behind + 1)
        elif self._is_segment(start):  # but for its first byte
            self._report(
                start, f"found {self.data[start]:02x} {self.data[start + 1]:02x}, expected a marker, ff and more"
            )
            self._read(start, 0, self.data[start + 1], start + 2)
        else:
            self._skip(start)

    def _read(self, start: int, fill: int, marker: int, body: int) -> None:
        """Read the segment at `start`, whose bytes after the marker begin at `body`."""
        if marker == SOI and self.scanned and self._marker_at(body) not in (DHT, SOS):  # the next picture
            self.ended = True
        elif marker in BARE:
            self.segments.append(Segment(marker, fill=fill, offset=start))
            self.at = body
            if marker == EOI:
                self.ended = self.scanned or self._search(body) is None
            if marker != EOI or not self.ended:
                name = {SOI: "a second start", EOI: "an end before the picture"}.get(
                    marker, "a marker without a length"
                )
                self._report(start, f"found {name} (ff {marker:02x}), expected a segment")
        else:
            if marker not in KNOWN:
                self._report(start, f"found the marker {marker:02x}, expected one that viewers know")
            end = self._end(start, marker, body)
            if end is None:
                self._skip(start)
                return
            payload, self.at = self.data[body + 2 : end], end
            scan = self._scan() if marker == SOS else b""
            self.segments.append(Segment(marker, payload, scan, fill, start))
            if marker == SOS:
                self._leave_scan()

    def _end(self, start: int, marker: int, body: int) -> int | None:
        """Where a segment ends; None where it is none."""
        data, size = self.data, len(self.data)
        if body + 2 > size:
            return None
        length = int.from_bytes(data[body : body + 2])
        stated = body + length
        needed = self._needed(marker, body, stated)
        fits = 2 + self._content(body)[1] <= length <= size - body
        if fits and (stated == needed or (marker != SOS and (stated == size or self._marker_at(stated) is not None))):
            return stated
        possible = needed is not None and needed <= min(size, body + MAX_LENGTH)
        if possible and (marker == SOS or self._marker_at(needed) is not None):
            self._report(start, f"found the length {length}, expected {needed - body}")
            return needed
        if marker not in KNOWN:
            return None
        end = self._search(body + 2) if not fits or not self.trusting else self._crossing(body + 2, stated)
        if end is None and fits:
            return stated
        if end is not None:
            self._report(start, f"found the length {length}, expected one that leads to a marker")
            return min(end, body + MAX_LENGTH)
        if length < 2:
            return None
        self._report(start, f"found {size - body} bytes of a segment of {length}: it is truncated")
        return size

    def _crossing(self, at: int, stated: int) -> int | None:
        """Where a segment must end since others begin before its `stated` end, one of them across it; None for nowhere."""
        first = following = self._search(at, stated)
        while following is not None and following < stated:
            if not self._is_segment(following) or self.data[following + 1] == SOS:
                return None
            following += 2 + int.from_bytes(self.data[following + 2 : following + 4])
        return first if following is not None and self._marker_at(following) is not None else None

    def _content(self, body: int) -> tuple[int, int]:
        """The marker that belongs to the content of an application segment, and the size of the signature that says so; 0 for
        none, and for signatures that are too short to be sure.
        """
        content = self.data[body + 2 : body + 2 + max(len(sign) for _, sign, _ in SIGNATURES)]
        known = (
            (own, len(sign)) for own, sign, _ in SIGNATURES if sign[4:].endswith(b"\0") and content.startswith(sign)
        )
        return next(known, (0, 0))

    def _needed(self, marker: int, body: int, stated: int) -> int | None:
        """Where a segment ends by its content, at the place that its length has `stated` if that is one; None where the content
        does not say.
        """
        data, at = self.data, body + 2
        if self.data.startswith(b"JFIF\0", at) and at + 14 <= len(data):
            return at + 14 + 3 * data[at + 12] * data[at + 13]
        if marker in FRAMES:
            return at + 6 + 3 * data[at + 5] if at + 5 < len(data) and data[at + 5] else None
        if marker == SOS:
            return at + 4 + 2 * data[at] if at < len(data) and 1 <= data[at] <= 4 else None
        if marker in (DRI, DNL):
            return at + 2
        if marker not in (DQT, DHT):
            return None
        while at != stated and at < len(data) and data[at] >> 4 <= 1 and data[at] & 15 <= 3:
            size = sum(data[at + 1 : at + 17]) + 17 if marker == DHT else 65 + 64 * (data[at] >> 4)
            if at + size > len(data) or size > 17 + 256:
                break
            at += size
        return at if at > body + 2 else None

    def _marker_at(self, at: int) -> int | None:
        """The marker at an offset; None where there is none that may stand between segments."""
        two = self.data[at : at + 2]
        return two[1] if len(two) == 2 and two[0] == 0xFF and two[1] and two[1] not in RESTARTS else None

    def _is_segment(self, at: int) -> bool:
        """Whether the byte at `at`, of any value, and those behind it are a whole segment: its content is as long as it
        says, or a marker stands soon behind it.
        """
        data = self.data
        if at + 4 > len(data) or data[at + 1] not in KNOWN:
            return False
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        needed = self._needed(data[at + 1], at + 2, end)
        if needed is not None or end < at + 4:
            return end == needed and end < len(data)
        return end < len(data) and _MARKER.search(data, end, end + NEAR) is not None

    def _search(self, at: int, before: int = sys.maxsize) -> int | None:
        """The next place of a segment, or of the end behind a scan. A picture in between, as a thumbnail is, is passed over."""
        inside, place = 0, at
        for found in _MARKER.finditer(self.data, at, before) if self.searched < MAX_SEARCHED else ():
            self.searched += found.start() - place
            place = found.start()
            marker = self.data[place + 1]
            if marker == SOI:
                inside += self._marker_at(place + 2) is not None
            elif marker == EOI and inside:
                inside -= 1
            elif not inside and (self.scanned if marker == EOI else self._is_segment(place)):
                return place
        self.searched += min(before, len(self.data)) - place
        return None

    def _skip(self, start: int) -> None:
        """Pass over bytes that are no segment."""
        # from the next byte, since `_read` gives up on a marker at `start` itself
        following = self._search(start + 1)
        if following is None and self.scanned:
            self.ended = True  # they are the trailer
            return
        end = len(self.data) if following is None else following
        self._report(start, f"found {end - start} bytes of no segment, expected a marker")
        self._add_junk(start, end)

    def _scan(self) -> bytes:
        """The data of the scan that begins at `at`: up to the first marker that is no restart."""
        begin, self.scanned = self.at, True
        found = _FIRST_MARKER.search(self.data, begin)
        end = len(self.data) if found is None else found.start()
        while found and end > begin and self.data[end - 1] == 0xFF:
            end -= 1
        self.at = min([end, *(place for place in self.ends if place >= begin)])
        return self.data[begin : self.at]

    def _leave_scan(self) -> None:
        """Pass over a marker in the midst of a scan's data and what follows it, which the decoder does not read."""
        behind = _ONES.match(self.data, self.at).end()
        if self.at in self.ends or behind >= len(self.data) or self._ends_scan(behind - 1):
            return
        marker = self.data[behind]
        following = next(
            (found.start() for found in _MARKER.finditer(self.data, behind + 1) if self._ends_scan(found.start())), None
        )
        if following is None and marker in KNOWN:
            return  # a truncated segment
        self._report(self.at, f"found the marker {marker:02x} in the data of a scan")
        self._add_junk(self.at, len(self.data) if following is None else following)

    def _ends_scan(self, at: int) -> bool:
        marker = self.data[at + 1]
        if marker == EOI or (marker == SOI and self._marker_at(at + 2) is not None) or self._is_segment(at):
            return True
        needed = self._needed(marker, at + 2, 0)  # whatever its length says
        return needed is not None and self._marker_at(needed) is not None
