"""What the readers of other containers than JPEG have in common."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg import exif, photoshop
from cama.jpeg.segments import Segment
from cama.photo.colour import HLG, PQ, ProfileError, Space, from_cicp

MAX_PARTS = 20_000  # of a file; a photograph has some hundreds
MAX_THUMBNAILS = 4  # are decoded; only files made to cost time have many
MAX_METADATA = 16_000_000  # bytes of all texts and profiles after decompression
EXIF, XMP, ICC, JFXX = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0\1\1", b"JFXX\0\x10"
Decoded = tuple[Image.Image, list[str]]  # of the mode L, RGB or CMYK, and the warnings of `flatten`


@dataclass(frozen=True)
class Part:
    """A chunk, box or directory: its name, its first byte in the file and its number of bytes."""

    name: str
    offset: int
    bytes: int


@dataclass
class Container:
    """What a file holds beside its pixels. `metadata` has what can also stand in a JPEG, as a JPEG's segments, so that the same
    finder tells it; `leaks` the rest, as category, place and value. `faults` and `warnings` are sentences.
    """

    kind: str
    width: int
    height: int
    decode: Callable[[], Decoded]  # the first or main picture, without its profile and orientation
    parts: list[Part] = field(default_factory=list)
    metadata: list[Segment] = field(default_factory=list)
    leaks: list[tuple[str, str, str]] = field(default_factory=list)
    thumbnails: Callable[[], Iterable[Decoded]] = tuple  # those that are no JPEG files
    trailer: bytes = b""
    icc: bytes = b""
    space: Space | None = None  # of the colours, where there is no `icc`; None for sRGB
    turned: bool = False  # whether `decode` gives the picture upright, so that EXIF's orientation does not count
    turns: bool = False  # whether the container itself says how it is to be turned
    pictures: int = 1
    inflated: int = 0  # bytes of metadata that were decompressed
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add_exif(self, tiff: bytes) -> None:
        """Add EXIF, with or without the header that it has in a JPEG."""
        self.metadata.append(Segment(0xE1, tiff if tiff.startswith(b"Exif\0") else EXIF + tiff))

    def add_xmp(self, xmp: bytes) -> None:
        """Add an XMP packet."""
        self.metadata.append(Segment(0xE1, XMP + xmp.removeprefix(XMP)))

    def add_app1(self, payload: bytes) -> None:
        """Add what a JPEG's APP1 segment held: EXIF or XMP."""
        (self.add_exif if payload.startswith(b"Exif\0") else self.add_xmp)(payload)

    def add_icc(self, profile: bytes) -> None:
        """Add a colour profile, which is the picture's if it is the first."""
        self.metadata.append(Segment(0xE2, ICC + profile))
        self.icc = self.icc or profile

    def add_cicp(self, primaries: int, transfer: int) -> None:
        """Add the colours of two codes of ITU-T H.273, which count where there is no profile."""
        try:
            self.space = from_cicp(primaries, transfer)
        except ProfileError as error:
            if not self.icc:
                self.warnings.append(f"its colours were taken for sRGB: {error}")
        if transfer in (PQ, HLG) and not self.icc:
            self.warnings.append(
                "its colours are of a high dynamic range: what is brighter than white was cut to white"
            )

    def add_photoshop(self, blocks: bytes) -> None:
        """Add image resource blocks, with or without the header that they have in a JPEG, or bare IPTC records."""
        if blocks.startswith(b"\x1c"):
            self.add_iptc(blocks)
            return
        whole = blocks if blocks.startswith(photoshop.HEADER) else photoshop.HEADER + blocks
        self.metadata.append(Segment(0xED, whole))

    def add_iptc(self, records: bytes) -> None:
        """Add IPTC records."""
        size = len(records).to_bytes(4, "big")
        self.add_photoshop(
            b"8BIM" + photoshop.IPTC.to_bytes(2, "big") + b"\0\0" + size + records + b"\0" * (len(records) % 2)
        )

    def add_part(self, part: Part, name: str) -> None:
        """Add a part, behind the others; more than `MAX_PARTS` are an error that begins with the file's `name`."""
        if len(self.parts) >= MAX_PARTS:
            raise CamaError(f"{name}: found more than {MAX_PARTS} parts, expected a photograph")
        self.parts.append(part)

    @property
    def exif(self) -> bytes:
        """The first EXIF, as a JPEG's segment has it; empty where there is none."""
        return next((part.payload for part in self.metadata if part.payload.startswith(exif.HEADER)), b"")

    @property
    def xmp(self) -> bytes:
        """The first XMP packet; empty where there is none."""
        return next((part.payload for part in self.metadata if part.kind == "XMP"), b"")


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals (begin, end) in order, those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def uncovered(data: bytes, first: int, last: int, known: Sequence[tuple[int, int]]) -> bytes:
    """The bytes of `data` from `first` to `last` other than zero that no interval of `known`, which is `merged`, holds."""
    rest, at = bytearray(), first
    for begin, end in known[bisect_left(known, first, key=itemgetter(1)) : bisect_left(known, last, key=itemgetter(0))]:
        rest += data[at : max(begin, at)].replace(b"\0", b"")
        at = max(at, end)
    return bytes(rest + data[at:last].replace(b"\0", b""))


def printable(data: bytes, length: int = 60) -> str:
    """The first bytes as text of at most `length` characters, without control characters, which a terminal would obey."""
    text = data[: 4 * length].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:length]
