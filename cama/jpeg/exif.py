"""Reading EXIF: the TIFF structure in a JPEG's APP1 segment (CIPA DC-008; TIFF 6.0), with a list of its faults.

The reader never reads outside the segment, always ends, and takes memory in proportion to the segment, whatever it holds.
"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from PIL.ExifTags import GPSTAGS, TAGS

from cama.core.errors import CamaError
from cama.jpeg.readable import decode_text, wide_encoding

HEADER = b"Exif\0\0"
TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
MAX_BEFORE = 64  # bytes in which a TIFF header is looked for that is not where it should be
# The types of TIFF by number: bytes of a value, and its struct format ("" for raw bytes).
TYPES = {
    1: (1, "B"), 2: (1, ""), 3: (2, "H"), 4: (4, "I"), 5: (8, "II"), 6: (1, "b"), 7: (1, ""), 8: (2, "h"), 9: (4, "i"),
    10: (8, "ii"), 11: (4, "f"), 12: (8, "d"), 13: (4, "I"), 129: (1, ""),
}  # fmt: skip
BYTES, ASCII, UTF8, UNDEFINED, RATIONALS, OFFSETS = 1, 2, 129, 7, (5, 10), (3, 4, 13)
SIGNED = 9  # not a standard type for offsets, but programs follow offsets of it
POINTERS = {0x8769: "Exif", 0x8825: "GPS", 0xA005: "Interop"}
THUMBNAIL, THUMBNAIL_SIZE = 0x0201, 0x0202
MAKE, MODEL, ORIENTATION, SERIAL = 0x010F, 0x0110, 0x0112, 0xA431  # the last one in the directory Exif
INTEROP_INDEX = 1  # in the directory Interop
USER_COMMENT, GPS_COMMENTS = 0x9286, (0x1B, 0x1C)  # the latter: GPSProcessingMethod, GPSAreaInformation
XMP, IPTC, PHOTOSHOP = BLOCKS = 0x02BC, 0x83BB, 0x8649  # what has its own segment in most files
MAX_VALUES = 64  # values of one entry that are kept
MAX_DIRECTORIES = 9  # in the chain that begins with IFD0; the standard has two
# tags of EXIF 3.0, which Pillow does not name yet
NEWER = {0xA436: "ImageTitle", 0xA437: "Photographer", 0xA438: "ImageEditor"}
INTEROP = {1: "InteroperabilityIndex", 2: "InteroperabilityVersion"}
INTEROP |= {0x1000: "RelatedImageFileFormat", 0x1001: "RelatedImageWidth", 0x1002: "RelatedImageHeight"}


@dataclass(frozen=True)
class Entry:
    """One entry of a directory. `value` is text, bytes, a number, a pair for a rational, or a tuple of numbers or pairs."""

    group: str  # the directory: IFD0, IFD1 (of the thumbnail), Exif, GPS or Interop; IFD2 and more are outside the standard
    tag: int
    value: Any
    kind: int = 2  # number of its type in TIFF

    @property
    def name(self) -> str:
        """The tag's name in the standard, or its number."""
        names = {"GPS": GPSTAGS, "Interop": INTEROP}.get(self.group, TAGS | NEWER)
        return names.get(self.tag, f"0x{self.tag:04x}")

    @property
    def is_offset(self) -> bool:
        """Whether the value can be an offset in the segment."""
        return self.kind in (*OFFSETS, SIGNED) and isinstance(self.value, int) and self.value >= 0

    @property
    def is_comment(self) -> bool:
        """Whether the value begins with eight bytes that name the encoding of the text behind them."""
        return self.tag in GPS_COMMENTS if self.group == "GPS" else self.tag == USER_COMMENT


@dataclass
class Exif:
    """The content of an EXIF segment. `faults` lists violations of the standard, whose entries are left out; `unreferenced`
    has the bytes other than zero that belong to no directory, value or thumbnail.
    """

    order: str  # "<" little-endian, ">" big-endian
    entries: list[Entry] = field(default_factory=list)
    thumbnail: bytes = b""
    faults: list[str] = field(default_factory=list)
    unreferenced: bytes = b""

    def get(self, group: str, tag: int) -> Any:
        """The value of an entry, or None."""
        return next((e.value for e in self.entries if e.group == group and e.tag == tag), None)

    def offset(self, group: str, tag: int) -> int | None:
        """The value of an entry that is one number of an unsigned integer type, or None."""
        entry = next((e for e in self.entries if e.group == group and e.tag == tag and e.kind in OFFSETS), None)
        return entry.value if entry is not None and isinstance(entry.value, int) else None


def read_exif(payload: bytes, name: str = "picture") -> Exif:
    """Read an APP1 payload that begins with `Exif`. Only a missing TIFF header is an error; other damage is in `faults`, also a
    header that does not follow at once.
    """
    tiff = payload[len(HEADER) :]
    header = TIFF_HEADER.match(tiff) or TIFF_HEADER.search(payload[:MAX_BEFORE])
    if header is None or len(payload) < len(HEADER) + 8:
        raise CamaError(f"{name}: found EXIF that begins with {tiff[:4].hex(' ') or 'nothing'}, expected a TIFF header")
    faults = []
    if header.string != tiff:
        tiff = payload[header.start() :]
        faults.append(f"EXIF: its TIFF header stands at byte {header.start()}, expected it at byte {len(HEADER)}")
    if len(tiff) < 8:
        raise CamaError(f"{name}: found EXIF that ends within its TIFF header, expected all of it")
    order = "<" if tiff.startswith(b"II") else ">"
    exif = Exif(order, faults=faults)
    referenced = bytearray(len(tiff))  # 1 for bytes that belong to a directory, a value or a thumbnail
    referenced[:8] = b"\1" * 8
    seen: set[str] = set()
    waiting = [("IFD0", struct.unpack_from(f"{order}I", tiff, 4)[0])]
    while waiting:
        group, start = waiting.pop(0)
        if group in seen:
            exif.faults.append(f"{group}: a second directory of that kind")
            continue
        seen.add(group)
        entries, following = _directory(tiff, order, group, start, exif.faults, referenced)
        exif.entries += entries
        for entry in entries:
            if entry.tag in POINTERS and entry.is_offset:
                waiting.append((POINTERS[entry.tag], entry.value))
            elif entry.tag in POINTERS:
                exif.faults.append(f"{group}: {entry.name} of another type than an offset, which was not followed")
        if following:
            number = int(group.removeprefix("IFD")) + 1 if group.startswith("IFD") else MAX_DIRECTORIES
            if number < MAX_DIRECTORIES:
                waiting.append((f"IFD{number}", following))
            else:
                exif.faults.append(f"{group}: names a further directory, which was not followed")
    for group in ("IFD1", "IFD0"):
        start, size = (exif.offset(group, tag) for tag in (THUMBNAIL, THUMBNAIL_SIZE))
        if start is not None and size is not None:
            if start + size > len(tiff):
                exif.faults.append(f"{group}: a thumbnail that ends behind the segment")
            else:
                exif.thumbnail = exif.thumbnail or tiff[start : start + size]
                referenced[start : start + size] = b"\1" * size
    exif.unreferenced = bytes(byte for byte, known in zip(tiff, referenced, strict=True) if byte and not known)
    return exif


def join_exif(payloads: Iterable[bytes]) -> list[bytes]:
    """The payloads of a file's EXIF segments. One without a TIFF header continues the one before: EXIF that is longer than a
    segment.
    """
    joined: list[bytes] = []
    for payload in payloads:
        if joined and not TIFF_HEADER.search(payload[:MAX_BEFORE]):
            joined[-1] += payload[len(HEADER) :]
        else:
            joined.append(payload)
    return joined


def _directory(
    tiff: bytes, order: str, group: str, start: int, faults: list[str], referenced: bytearray
) -> tuple[list[Entry], int]:
    """The entries of a directory at `start`, and the offset of the next directory, 0 for none. Marks their bytes in
    `referenced` and adds to `faults`.
    """
    if start < 8 or start + 2 > len(tiff):
        faults.append(f"{group}: a directory outside the segment")
        return [], 0
    count = struct.unpack_from(f"{order}H", tiff, start)[0]
    end = start + 2 + 12 * count
    whole = end <= len(tiff)
    if not whole:
        faults.append(f"{group}: {count} entries that end behind the segment")
        end = start + 2 + 12 * _likely(tiff[start + 2 :], order)
    last = min(end + 4, len(tiff))
    referenced[start:last] = b"\1" * (last - start)
    entries, total = [], 0
    for at in range(start + 2, end, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, at)
        if kind not in TYPES:
            faults.append(f"{group}: an entry 0x{tag:04x} of the unknown type {kind}")
            continue
        size, form = TYPES[kind]
        offset = at + 8 if size * values <= 4 else struct.unpack_from(f"{order}I", tiff, at + 8)[0]
        if offset + size * values > len(tiff):
            faults.append(f"{group}: an entry 0x{tag:04x} that ends behind the segment")
            values = len(tiff) - offset if size == 1 else 0  # of texts and bytes those that are there
            if values <= 0:
                continue
        if kind == ASCII and tag in (MAKE, MODEL) and (nul := tiff.find(b"\0", offset, offset + values)) > offset:
            behind = tiff[nul : offset + values].strip(b"\0 ")
            if behind:
                faults.append(
                    f"{group}: {len(behind)} bytes behind the end of {TAGS[tag]}: {behind[:60].decode('latin-1')!r}"
                )
            values = nul + 1 - offset
        total += size * values
        if total > len(tiff):
            faults.append(f"{group}: entries that share their bytes")
            break
        referenced[offset : offset + size * values] = b"\1" * (size * values)
        # a comment or a block is bytes, of whatever type programs write it
        read = UNDEFINED if tag in BLOCKS or (size == 1 and Entry(group, tag, b"").is_comment) else kind
        entries.append(Entry(group, tag, _value(tiff, order, read, offset, values, size, form), kind))
    following = struct.unpack_from(f"{order}I", tiff, end)[0] if whole and end + 4 <= len(tiff) else 0
    return entries, following


def _likely(rows: bytes, order: str) -> int:
    """How many entries there are at most in a directory that says it is longer than the segment: those of known types, with
    tags in order, as the standard asks for.
    """
    number, last = 0, -1
    while 12 * number + 12 <= len(rows):
        tag, kind = struct.unpack_from(f"{order}HH", rows, 12 * number)
        if kind not in TYPES or tag <= last:
            break
        number, last = number + 1, tag
    return number


def _value(tiff: bytes, order: str, kind: int, offset: int, count: int, size: int, form: str) -> Any:
    raw = tiff[offset : offset + size * count]
    if kind in (ASCII, UTF8):  # may hold several texts, such as the copyright of a photographer and of an editor
        return decode_text(raw) if wide_encoding(raw) else "; ".join(map(decode_text, raw.rstrip(b"\0").split(b"\0")))
    if kind == UNDEFINED or (kind == 1 and count > MAX_VALUES):
        return raw
    shown = min(count, MAX_VALUES)
    flat = struct.unpack_from(f"{order}{form * shown}", raw)
    values = tuple(zip(flat[::2], flat[1::2], strict=True)) if kind in RATIONALS else flat
    return values[0] if count == 1 else values
