"""Dividing a JPEG file into segments that hold all of its bytes (ITU-T T.81, annex B)."""

import re
import struct
from dataclasses import dataclass

from cama.core.errors import CamaError

SOI, EOI, SOS, DQT, DHT, DRI, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xFE
APP0, APP1 = 0xE0, 0xE1
DAC, DHP, EXP = 0xCC, 0xDE, 0xDF  # of arithmetic coding and of hierarchical pictures
FRAMES = {*range(0xC0, 0xD0)} - {DHT, 0xC8, DAC}  # SOFn
RESTARTS = range(0xD0, 0xD8)
BARE = {SOI, EOI, 0x01, *RESTARTS}  # markers without a length
JUNK = 0x00  # no marker: bytes between segments that belong to none, which only the tolerant reader finds
NAMES = {SOI: "SOI", EOI: "EOI", SOS: "SOS", DQT: "DQT", DHT: "DHT", DRI: "DRI", DNL: "DNL", COM: "COM"}
NAMES |= {DAC: "DAC", DHP: "DHP", EXP: "EXP", JUNK: "junk", 0x01: "TEM"} | {
    marker: f"RST{marker - 0xD0}" for marker in RESTARTS
}
# The first bytes of application segments (marker, signature) and the name of what they hold.
SIGNATURES = (
    (0xE0, b"JFIF\0", "JFIF"),
    (0xE0, b"JFXX\0", "JFXX"),
    (0xE1, b"Exif\0", "Exif"),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (0xE1, b"http://ns.adobe.com/xmp/extension/\0", "extended XMP"),
    (0xE2, b"ICC_PROFILE\0", "ICC"),
    (0xE2, b"MPF\0", "MPF"),
    (0xEB, b"JP", "JUMBF"),
    (0xED, b"Photoshop 3.0\0", "Photoshop"),
    (0xEE, b"Adobe", "Adobe"),
)
# The end of a scan: a marker that is neither a stuffed byte nor a restart.
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
MAX_SEGMENTS = 20_000  # a progressive picture has some dozens


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker with its payload, and for the header of a scan the scan's data."""

    marker: int  # the byte after 0xFF; JUNK for none
    payload: bytes = b""  # the bytes after the length field; empty for SOI and EOI; all bytes of junk
    scan: bytes = b""  # the entropy-coded data after a scan's header, with restart markers
    fill: int = 0  # number of fill bytes (0xFF) before the marker
    offset: int = 0  # of the segment's first byte in the file

    @property
    def name(self) -> str:
        """The name in the standard; for an application segment with what it holds, such as `APP1 Exif`."""
        if self.marker in FRAMES:
            return f"SOF{self.marker - 0xC0}"
        if APP0 <= self.marker <= APP0 + 15:
            return f"APP{self.marker - APP0} {self.kind or 'unknown'}"
        return NAMES.get(self.marker, f"marker {self.marker:02X}")

    @property
    def kind(self) -> str:
        """What an application segment holds, by its signature; empty for other segments and unknown signatures."""
        known = (kind for marker, start, kind in SIGNATURES if marker == self.marker and self.payload.startswith(start))
        return next(known, "")

    def to_bytes(self) -> bytes:
        """The segment's bytes in the file, with its scan."""
        if self.marker == JUNK:
            return self.payload
        head = b"\xff" * (self.fill + 1) + bytes([self.marker])
        if self.marker in BARE:
            return head
        return head + struct.pack(">H", len(self.payload) + 2) + self.payload + self.scan


@dataclass(frozen=True)
class Jpeg:
    """A whole file: the segments from SOI to EOI, and the bytes after EOI."""

    segments: tuple[Segment, ...]
    trailer: bytes = b""

    def to_bytes(self) -> bytes:
        """The file, byte for byte."""
        return b"".join(segment.to_bytes() for segment in self.segments) + self.trailer

    def with_marker(self, *markers: int) -> list[Segment]:
        """The segments with these markers, in order."""
        return [segment for segment in self.segments if segment.marker in markers]

    def of_kind(self, kind: str) -> list[Segment]:
        """The application segments of this `kind`, such as `Exif`, in order."""
        return [segment for segment in self.segments if segment.kind == kind]


def read_segments(data: bytes, name: str = "picture") -> Jpeg:
    """Divide a JPEG file into its segments. A violation of the standard is an error that gives its offset; errors begin with
    `name`.
    """

    def refuse(at: int, found: str, expected: str) -> CamaError:
        return CamaError(f"{name}: found {found} at byte {at}, expected {expected}")

    if not data:
        raise CamaError(f"{name}: found an empty file, expected a photograph")
    if not data.startswith(b"\xff\xd8"):
        raise CamaError(f"{name}: found no JPEG (it begins with {data[:4].hex(' ')}), expected ff d8: convert it first")
    segments, at = [Segment(SOI)], 2
    while True:
        start = at
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        fill = at - start
        if at + 2 > len(data):
            raise refuse(start, "the end of the file", "a marker: it is truncated")
        if data[at] != 0xFF:
            raise refuse(at, f"{data[at]:02x}", "ff, the beginning of a marker")
        marker = data[at + 1]
        at += 2
        if marker == EOI:
            segments.append(Segment(EOI, fill=fill, offset=start))
            return Jpeg(tuple(segments), data[at:])
        if marker in BARE or marker == JUNK:
            raise refuse(start, f"the marker {marker:02x}", "that of a segment")
        if at + 2 > len(data):
            raise refuse(start, "the end of the file", "a segment's length: it is truncated")
        length = struct.unpack_from(">H", data, at)[0]
        if length < 2:
            raise refuse(at, f"the length {length}", "at least 2")
        if at + length > len(data):
            raise refuse(start, f"a segment of {length} bytes that ends behind the file", "all of it: it is truncated")
        payload = data[at + 2 : at + length]
        at += length
        scan = b""
        if marker == SOS:
            end = _SCAN_END.search(data, at)
            if end is None:
                raise refuse(len(data), "the end of the file", "the end of a scan: it is truncated")
            stop = end.start()
            while stop > at and data[stop - 1] == 0xFF:
                stop -= 1
            scan, at = data[at:stop], stop
        segments.append(Segment(marker, payload, scan, fill, start))
        if len(segments) > MAX_SEGMENTS:
            raise refuse(start, f"more than {MAX_SEGMENTS} segments", "a photograph")
