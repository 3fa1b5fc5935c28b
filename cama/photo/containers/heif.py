"""HEIF: the boxes and items of HEIC and AVIF photographs (ISO/IEC 14496-12 and 23008-12)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pillow_heif
from PIL import Image, ImageOps

from cama.core.errors import CamaError
from cama.jpeg.readable import describe
from cama.photo.containers.container import MAX_PARTS, MAX_THUMBNAILS, Container, Part, merged, printable, uncovered
from cama.photo.containers.isolated import decode
from cama.storage.images import check_size, open_picture

PROFILES = (b"prof", b"rICC")
NAMES = {b"Color", b"Alpha", b"Exif", b"XMP", b"Image"}  # of items, which the usual programs write
# Boxes and properties that say how pixels are stored; others are told.
STRUCTURE, DATA = {b"ftyp", b"meta"}, {b"mdat", b"free", b"skip"}
PROPERTIES = set(
    b"ispe pixi hvcC av1C avcC jpgC lhvC colr irot imir clap pasp auxC clli mdcv amve cclv ndwt lsel rloc".split()
)
PROPERTIES |= set(b"tols oinf a1op a1lx rref free".split())
PICTURES = set(b"hvc1 hev1 av01 avc1 jpeg grid iden iovl lhv1 unci j2k1 tmap".split())
# items with their pieces, references and properties, and boxes of data: a photograph has some hundreds, and two
MAX_ENTRIES, MAX_DATA = 65_536, 64
XMP_TYPE, PADDING = b"application/rdf+xml", 16


@dataclass
class Item:
    """An item of a file: its type, name, MIME type and the intervals of its data, and whether these lie in `idat`."""

    kind: bytes = b""
    name: bytes = b""
    mime: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    inside: bool = False


def is_avif(data: bytes) -> bool:
    """Whether the brands of a HEIF file say that it is AVIF."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in range(8, size, 4)}
    return bool(brands & {b"avif", b"avis"}) and not brands & {b"heic", b"heix", b"hevc", b"hevx"}


def pictures(data: bytes, what: str) -> Iterator[Image.Image]:
    """The primary `picture`, upright as the file itself says, or its `thumbnails`; to be called by `isolated` alone."""
    if is_avif(data):
        with open_picture(data, "AVIF", ("AVIF",)) as image:
            yield ImageOps.exif_transpose(image)  # Pillow gives the file's own turning as EXIF
        return
    file = pillow_heif.open_heif(data)
    primary = file[file.primary_index]
    if what == "picture":
        check_size(*primary.size, "HEIF")
        yield primary.to_pillow()
        return
    for index in range(min(len(primary.info["thumbnails"]), MAX_THUMBNAILS)):
        yield primary.get_thumbnail(index).to_pillow()


def read_heif(data: bytes, name: str) -> Container:
    """The boxes and items of a HEIF file. Damage is in `faults`; errors begin with `name`."""
    found = Container(
        "AVIF" if is_avif(data) else "HEIF", 0, 0, lambda: decode(__name__, data, name, "picture")[0], turned=True
    )
    boxes = list(_boxes(data, 0, len(data), found.faults))
    found.trailer = data[boxes[-1][3] if boxes else 0 :]
    meta = next(((body, end) for kind, _, body, end in boxes if kind == b"meta"), None)
    if meta is None:
        raise CamaError(f"{name}: found a HEIF file without its box meta, expected a picture")
    reader = Items(data, meta[0] + 4, meta[1], found.faults)
    _add_properties(found, reader)
    _add_items(found, reader)
    if reader.refers(b"thmb") and found.kind == "HEIF":
        found.thumbnails = lambda: decode(__name__, data, name, "thumbnails")
    known = merged(interval for item in reader.items.values() if not item.inside for interval in item.extents)
    searched, sequence = 0, any(kind == b"moov" for kind, *_ in boxes)  # which has data of its own
    for kind, start, body, end in boxes:
        found.add_part(Part(printable(kind), start, end - start), name)
        place = f"HEIF {printable(kind)}"
        if kind == b"moov":
            found.leaks.append(("content", place, "a sequence of pictures, or a video"))
            found.warnings.append("it holds a sequence of pictures: the primary one is taken")
        elif kind in DATA:
            searched += 1
            rest = b"" if sequence or searched > MAX_DATA else uncovered(data, body, end, known)
            if len(rest) > PADDING:
                found.leaks.append(("unknown", place, describe(rest, " that no item names")))
        elif kind not in STRUCTURE:
            found.leaks.append(("unknown", place, describe(data[body:end])))
    if searched > MAX_DATA:
        found.faults.append(
            f"found {searched} boxes of data, of which {MAX_DATA} were searched for bytes that no item names"
        )
    return found


def _boxes(data: bytes, at: int, end: int, faults: list[str]) -> Iterator[tuple[bytes, int, int, int]]:
    """The type, first byte, first byte behind the header, and end of each box in an interval."""
    count = 0
    while at + 8 <= end and count < MAX_PARTS:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1 and at + 16 <= end:
            size, body = struct.unpack_from(">Q", data, body)[0], at + 16
        size = end - at if size == 0 else size
        if size < body - at or at + size > end:
            if not kind.isalnum():
                return  # no box: bytes behind the last
            faults.append(
                f"found a box {printable(kind)} of {size} bytes at byte {at} that ends behind the file or its parent"
            )
            size = end - at
        yield kind, at, body, at + size
        at, count = at + size, count + 1


class Items:
    """The content of the box `meta` in an interval of a file: items by number, properties, references, the primary item."""

    def __init__(self, data: bytes, start: int, end: int, faults: list[str]) -> None:
        self.data = data
        self.items: dict[int, Item] = {}
        self.properties: list[tuple[bytes, bytes]] = []
        self.references: list[tuple[bytes, int, list[int]]] = []
        self.associated: dict[int, list[int]] = {}  # numbers of properties, from 1, by item
        self.primary, self.idat = 0, (0, 0)
        self.taken = 0  # bytes of all contents
        self.entries = 0
        for kind, _, body, stop in _boxes(data, start, end, faults):
            try:
                self._read(kind, body, stop, faults)
            except (struct.error, IndexError, ValueError):
                faults.append(f"found a box {printable(kind)} at byte {body} that is damaged")

    def _read(self, kind: bytes, body: int, end: int, faults: list[str]) -> None:
        data = self.data
        if kind == b"pitm":
            self.primary = struct.unpack_from(">I" if data[body] else ">H", data, body + 4)[0]
        elif kind == b"idat":
            self.idat = body, end
        elif kind == b"iinf":
            at = body + (8 if data[body] else 6)
            for _, _, start, stop in _boxes(data, at, end, faults):
                self._information(data[start:stop])
        elif kind == b"iloc":
            self._locations(data[body:end])
        elif kind == b"iref":
            form = ">I" if data[body] else ">H"
            for name, _, start, stop in _boxes(data, body + 4, end, faults):
                self._count((stop - start) // struct.calcsize(form))
                numbers = [number for (number,) in struct.iter_unpack(form, _without_count(data[start:stop], form))]
                self.references.append((name, numbers[0], numbers[1:]))
        elif kind == b"iprp":
            for name, _, start, stop in _boxes(data, body, end, faults):
                if name == b"ipco":
                    self.properties = [(k, data[b:e]) for k, _, b, e in _boxes(data, start, stop, faults)]
                elif name == b"ipma":
                    self._associations(data[start:stop])

    def _count(self, more: int) -> None:
        """Count entries before they take memory; too many are a damaged box."""
        self.entries += more
        if self.entries > MAX_ENTRIES:
            raise ValueError

    def _information(self, infe: bytes) -> None:
        form = {2: ">HH4s", 3: ">IH4s"}.get(infe[0])
        if form is None:
            return
        self._count(1)
        number, _, kind = struct.unpack_from(form, infe, 4)
        name, _, rest = infe[4 + struct.calcsize(form) :].partition(b"\0")
        item = self.items.setdefault(number, Item())
        item.kind, item.name, item.mime = kind, name, rest.partition(b"\0")[0] if kind in (b"mime", b"uri ") else b""

    def _locations(self, iloc: bytes) -> None:
        version = iloc[0]
        offset, length, base, index = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4, iloc[5] & 15 if version else 0
        at = 6

        def take(size: int) -> int:
            nonlocal at
            if at + size > len(iloc):
                raise ValueError
            at += size
            return int.from_bytes(iloc[at - size : at], "big")

        wide = 4 if version == 2 else 2
        for _ in range(take(wide)):
            self._count(1)
            item = self.items.setdefault(take(wide), Item())
            item.inside = bool(version and take(2) & 15 == 1)
            take(2)
            start, count = take(base), take(2)
            self._count(count)
            for _ in range(count):
                take(index)
                first = start + take(offset)
                item.extents.append((first, first + take(length)))

    def _associations(self, ipma: bytes) -> None:
        item, wide, at = (">I" if ipma[0] else ">H"), ipma[3] & 1, 8
        for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
            number = struct.unpack_from(item, ipma, at)[0]
            at += struct.calcsize(item) + 1
            count = ipma[at - 1]
            self._count(1 + count)
            numbers = struct.unpack_from(f">{count}{'H' if wide else 'B'}", ipma, at)
            at += count * (2 if wide else 1)
            self.associated.setdefault(number, []).extend(index & (0x7FFF if wide else 0x7F) for index in numbers)

    @property
    def own(self) -> list[tuple[bytes, bytes]]:
        """The properties of the primary item, or of all where it has none."""
        numbers = self.associated.get(self.primary, [])
        return [self.properties[at - 1] for at in numbers if 0 < at <= len(self.properties)] or self.properties

    def content(self, item: Item) -> bytes:
        """An item's data."""
        shift, last = (self.idat[0], self.idat[1]) if item.inside else (0, len(self.data))
        # extents of no length reach to the end
        pieces = ((start + shift, min(last, end + shift if end > start else last)) for start, end in item.extents)
        parts = []
        for start, end in pieces:
            self.taken += max(end - start, 0)
            if self.taken > len(self.data):  # items that share their bytes
                break
            parts.append(self.data[start:end])
        return b"".join(parts)

    def refers(self, kind: bytes) -> set[int]:
        """The items that refer to others by `kind`."""
        return {source for name, source, _ in self.references if name == kind}


def _without_count(body: bytes, form: str) -> bytes:
    """A reference's numbers without their count, which stands behind the first."""
    size = struct.calcsize(form)
    numbers = body[:size] + body[size + 2 :]
    return numbers[: len(numbers) // size * size]


def _add_properties(found: Container, reader: Items) -> None:
    for kind, body in [*reader.own, *reader.properties]:
        if kind == b"ispe" and len(body) >= 12 and not found.width:
            found.width, found.height = struct.unpack_from(">II", body, 4)
    profiles = [
        body[4:] for kind, body in [*reader.own, *reader.properties] if kind == b"colr" and body[:4] in PROFILES
    ]
    for profile in dict.fromkeys(profiles):
        found.add_icc(profile)
    codes = [body for kind, body in reader.own if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 10]
    if codes:
        found.add_cicp(*struct.unpack_from(">HH", codes[0], 4))
    found.turns = any(kind in (b"irot", b"imir") for kind, _ in reader.own)
    for kind, body in reader.properties:
        if kind not in PROPERTIES:
            content = "content" if kind in (b"udes", b"altt") else "unknown"
            found.leaks.append((content, f"HEIF {printable(kind)}", describe(body)))


def _add_items(found: Container, reader: Items) -> None:
    parts = {number for name, _, targets in reader.references if name == b"dimg" for number in targets}
    known = parts | {reader.primary}
    small, other = reader.refers(b"thmb"), reader.refers(b"auxl")
    kinds = ", ".join(printable(body[4:]) for kind, body in reader.properties[:64] if kind == b"auxC")
    for number, item in reader.items.items():
        if item.name and item.name not in NAMES:
            found.leaks.append(("content", "HEIF", f"an item's name: {printable(item.name)}"))
        if item.kind == b"Exif":
            body = reader.content(item)
            found.add_exif(body[4 + int.from_bytes(body[:4], "big") :])
        elif item.kind == b"mime" and item.mime == XMP_TYPE:
            found.add_xmp(reader.content(item))
        elif item.kind not in PICTURES:
            body = reader.content(item)
            place = f"HEIF {printable(item.kind)} {printable(item.mime)}".strip()
            found.leaks.append(("unknown", place, describe(body)))
        elif number in small:
            found.leaks.append(("thumbnail", "HEIF", "a smaller copy of the picture"))
        elif number in other:
            found.leaks.append(("content", "HEIF", f"an auxiliary picture (one of {kinds or 'unknown kind'})"))
        elif number not in known:
            found.pictures += 1
    if found.pictures > 1:
        found.leaks.append(("content", "HEIF", f"{found.pictures - 1} further pictures"))
        found.warnings.append(f"it has {found.pictures} pictures: the primary one is taken")
