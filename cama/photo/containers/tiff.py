"""TIFF: its directories (TIFF 6.0) and the metadata in them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.exif import ORIENTATION, POINTERS, TYPES
from cama.jpeg.readable import describe
from cama.jpeg.segments import Segment
from cama.photo.containers.container import JFXX, MAX_THUMBNAILS, Container, Part, merged, uncovered
from cama.photo.containers.isolated import decode
from cama.storage.images import check_size, open_picture

WIDTH, HEIGHT, BITS, PHOTOMETRIC, STRIPS, SIZES = 256, 257, 258, 262, (273, 324), (279, 325)
SUBFILE, PLANES, SUBDIRECTORIES, JPEG, JPEG_BYTES = 254, 284, 330, 513, 514
COMPRESSION, DNG = 259, 50706
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
# How pixels are stored: beside sizes and places the tags of TIFF 6.0 and of its supplements, which tell nothing of a person.
STRUCTURE = {
    *(SUBFILE, 255, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, 263, 266, 273, 277, 278, 279, 280, 281, PLANES, 288, 289),
    *(290, 291, 292, 293, 296, 297, 317, 320, 322, 323, 324, 325, SUBDIRECTORIES, 332, 334, 336, 338, 339, 340, 341, 347),
    *(JPEG, JPEG_BYTES, 512, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, XMP, IPTC, PHOTOSHOP, ICC),
}  # fmt: skip
# Photometric interpretations (colour filter array, linear raw) and compressions (Nikon's, Sony's, Pentax's) of raw photographs.
RAW = {32803, 34892, 34713, 32767, 65535}
MAX_DIRECTORIES, MAX_NUMBERS = 64, 65_536
PADDING = 16  # unreferenced bytes up to this number lie between values
UNUSED = {ORIENTATION: 0xFDE8, XMP: 0xFDE9}  # private tags in the place of those that Pillow must not see


@dataclass
class Directory:
    """A directory: where it lies, and by tag its entries' type, count, raw value and the offset of the entry itself."""

    offset: int
    frame: int | None = None  # its number among the pages; None for directories that a page points to
    entries: dict[int, tuple[int, int, bytes, int]] = field(default_factory=dict)
    inner: dict[int, "Directory"] = field(
        default_factory=dict
    )  # of EXIF, GPS and Interop, by the tag that points to them


class Reader:
    """The directories of a TIFF, which never are more than `MAX_DIRECTORIES`; `known` has the intervals that they name."""

    def __init__(self, data: bytes, name: str) -> None:
        self.order = {b"II": "<", b"MM": ">"}[data[:2]]
        self.data, self.faults, self.seen = data, [], set()
        self.known: list[tuple[int, int]] = [(0, 8)]
        self.taken = 0  # bytes of all values
        self.pages: list[Directory] = []
        if len(data) < 8 or struct.unpack_from(f"{self.order}H", data, 2)[0] != 42:
            raise CamaError(
                f"{name}: found a TIFF of another kind (BigTIFF, or damaged), expected the number 42 in its header"
            )
        following, inner = struct.unpack_from(f"{self.order}I", data, 4)[0], []
        while following:
            page, following = self._directory(following)
            if page is not None:
                page.frame = len(self.pages)
                self.pages.append(page)
                inner += self.numbers(page, SUBDIRECTORIES)[:8]
        if not self.pages:
            raise CamaError(f"{name}: found a TIFF without a directory, expected a picture")
        self.main = next((page for page in self.pages if not self.small(page)), self.pages[0])
        self.pages += [page for page, _ in map(self._directory, inner) if page is not None]

    def _directory(self, offset: int) -> tuple[Directory | None, int]:
        if offset in self.seen or len(self.seen) >= MAX_DIRECTORIES:
            self.faults.append(f"found a directory at byte {offset} that comes again, or one too many")
            return None, 0
        self.seen.add(offset)
        if offset < 8 or offset + 2 > len(self.data):
            self.faults.append(f"found a directory at byte {offset}, outside the file")
            return None, 0
        count = struct.unpack_from(f"{self.order}H", self.data, offset)[0]
        end = offset + 2 + 12 * count
        if end > len(self.data):
            self.faults.append(f"found a directory at byte {offset} of {count} entries that end behind the file")
            return None, 0
        self.known.append((offset, end + 4))
        found = Directory(offset)
        for at in range(offset + 2, end, 12):
            tag, kind, values = struct.unpack_from(f"{self.order}HHI", self.data, at)
            size = TYPES.get(kind, (0, ""))[0] * values
            start = at + 8 if size <= 4 else struct.unpack_from(f"{self.order}I", self.data, at + 8)[0]
            if kind not in TYPES or start + size > len(self.data):
                self.faults.append(
                    f"found an entry 0x{tag:04x} of the type {kind} that is unknown or ends behind the file"
                )
                continue
            self.taken += size
            if self.taken > len(self.data):
                self.faults.append("found entries that share their bytes")
                break
            self.known.append((start, start + size))
            if tag not in found.entries:
                found.entries[tag] = kind, values, self.data[start : start + size], at
        for tag in POINTERS:
            for inner in self.numbers(found, tag)[:1]:
                directory, _ = self._directory(inner)
                if directory:
                    found.inner[tag] = directory
        return found, struct.unpack_from(f"{self.order}I", self.data, end)[0] if end + 4 <= len(self.data) else 0

    def numbers(self, page: Directory, tag: int) -> list[int]:
        """The values of an entry of integers; empty where there is none."""
        kind, _, raw, _ = page.entries.get(tag, (0, 0, b"", 0))
        form = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 8: "i2", 9: "i4"}.get(kind)
        return np.frombuffer(raw[: MAX_NUMBERS * int(form[1])], f"{self.order}{form}").tolist() if form else []

    def number(self, page: Directory, tag: int) -> int:
        """The first value of an entry of integers; 0 where there is none."""
        return next(iter(self.numbers(page, tag)), 0)

    def small(self, page: Directory) -> bool:
        """Whether a page is a smaller copy of another."""
        return bool(self.number(page, SUBFILE) & 1)

    @property
    def smaller(self) -> list[Directory]:
        """The pages that are smaller copies of the main one."""
        return [page for page in self.pages if page is not self.main and page.frame is not None and self.small(page)]

    @property
    def raw(self) -> bool:
        """Whether the file is what a sensor saw, as DNG, NEF, CR2 and ARW files, of which a TIFF's reader sees a preview."""
        kinds = {self.number(page, tag) for page in self.pages for tag in (PHOTOMETRIC, COMPRESSION)}
        return bool(kinds & RAW) or self.data[8:10] == b"CR" or any(DNG in page.entries for page in self.pages)

    def pixels(self, page: Directory) -> Iterator[tuple[int, int]]:
        """The intervals of a page's strips, tiles and JPEG stream."""
        for start, size in zip((*STRIPS, JPEG), (*SIZES, JPEG_BYTES), strict=True):
            places = zip(self.numbers(page, start), self.numbers(page, size), strict=False)
            yield from ((at, at + count) for at, count in places)

    def exif(self, page: Directory) -> bytes:
        """A page's entries other than those of `STRUCTURE`, as a TIFF of its own; empty where there are none."""
        if not page.entries.keys() - STRUCTURE:
            return b""
        mark = b"II" if self.order == "<" else b"MM"
        return mark + struct.pack(f"{self.order}HI", 42, 8) + self._copy(page, 8)

    def _copy(self, directory: Directory, start: int) -> bytes:
        """A directory at `start`, its values, and behind them the directories in it."""
        entries = {tag: entry for tag, entry in sorted(directory.entries.items()) if tag not in STRUCTURE}
        at = start + 6 + 12 * len(entries)
        rows, behind = struct.pack(f"{self.order}H", len(entries)), b""
        for tag, (kind, count, raw, _) in entries.items():
            value = raw
            if tag in directory.inner:
                inner = self._copy(directory.inner[tag], at + len(behind))
                kind, count, value = 4, 1, struct.pack(f"{self.order}I", at + len(behind))
                behind += inner + b"\0" * (len(inner) % 2)
            elif len(raw) > 4:
                value = struct.pack(f"{self.order}I", at + len(behind))
                behind += raw + b"\0" * (len(raw) % 2)
            rows += struct.pack(f"{self.order}HHI", tag, kind, count) + value.ljust(4, b"\0")
        return rows + bytes(4) + behind


def read_tiff(data: bytes, name: str) -> Container:
    """The directories of a TIFF. What is damaged behind its header is in `faults`; errors begin with `name`."""
    reader = Reader(data, name)
    main = reader.main
    others = [page for page in reader.pages if page is not main]
    size = reader.number(main, WIDTH), reader.number(main, HEIGHT)
    found = Container("TIFF", *size, lambda: _decode(data, reader, name), faults=reader.faults[:16])
    for number, page in enumerate([main, *others]):
        found.add_part(Part(f"directory {number}", page.offset, 2 + 12 * len(page.entries) + 4), name)
        _add_page(found, reader, page)
    small = [page for page in others if reader.small(page)]
    if reader.smaller:
        found.thumbnails = lambda: decode(__name__, data, name, "thumbnails")
    pages = len(others) - len(small)
    if pages:
        found.pictures += pages
        found.warnings.append(f"it has {pages + 1} pictures: the first is taken")
        found.leaks.append(("content", "TIFF", f"{pages} further pictures"))
    if small:
        found.leaks.append(("thumbnail", "TIFF", f"{len(small)} smaller copies of the picture"))
    known = merged([*reader.known, *(interval for page in reader.pages for interval in reader.pixels(page))])
    rest = uncovered(data, 0, len(data), known)
    if len(rest) > PADDING:
        found.leaks.append(("unknown", "TIFF", describe(rest, " that no entry names")))
    return found


def _add_page(found: Container, reader: Reader, page: Directory) -> None:
    exif = reader.exif(page)
    if exif:
        found.add_exif(exif)
    adders = {XMP: found.add_xmp, IPTC: found.add_iptc, PHOTOSHOP: found.add_photoshop, ICC: found.add_icc}
    for tag, add in adders.items():
        if tag in page.entries:
            add(page.entries[tag][2])
    start, size = reader.number(page, JPEG), reader.number(page, JPEG_BYTES)
    if page is not reader.main and reader.data[start : start + 2] == b"\xff\xd8":
        found.metadata.append(Segment(0xE0, JFXX + reader.data[start : start + size]))


def _decode(data: bytes, reader: Reader, name: str) -> tuple[Image.Image, list[str]]:
    if reader.raw:
        raise CamaError(f"{name}: found a raw photograph (such as DNG, NEF or CR2), expected a developed one")
    if reader.number(reader.main, PLANES) == 2 and max(reader.numbers(reader.main, BITS), default=1) > 8:
        # of which Pillow makes another picture, without a word
        raise CamaError(f"{name}: found channels of 16 bits one after the other, expected them side by side")
    return decode(__name__, data, name, "picture")[0]


def pictures(data: bytes, what: str) -> Iterator[Image.Image]:
    """The main `picture`, not turned, or the `thumbnails`: its smaller copies; to be called by `isolated` alone."""
    reader = Reader(data, "TIFF")
    wanted = [reader.main] if what == "picture" else reader.smaller[:MAX_THUMBNAILS]
    hidden = bytearray(data)  # Pillow turns a TIFF by itself unless it finds no orientation
    for page, (tag, unused) in product(reader.pages, UNUSED.items()):
        if tag in page.entries:
            struct.pack_into(f"{reader.order}H", hidden, page.entries[tag][3], unused)
    image = open_picture(hidden, "TIFF", ("TIFF",))
    for page in wanted:
        image.seek(page.frame or 0)
        check_size(*image.size, "TIFF")
        if image.mode.startswith("I;16"):
            levels = np.asarray(image) >> (4 if reader.number(page, BITS) == 12 else 8)
            inverted = reader.number(page, PHOTOMETRIC) == 0  # which Pillow obeys at 8 bits alone
            yield Image.fromarray((255 - levels if inverted else levels).astype(np.uint8))
        else:
            yield image.copy() if what == "thumbnails" else image
