"""Writing EXIF: directories of entries and a thumbnail as the TIFF structure of an APP1 segment (CIPA DC-008; TIFF 6.0)."""

import struct
from collections.abc import Sequence
from typing import Any

from cama.core.errors import CamaError
from cama.jpeg.exif import (
    ASCII,
    HEADER,
    POINTERS,
    RATIONALS,
    THUMBNAIL,
    THUMBNAIL_SIZE,
    TYPES,
    UNDEFINED,
    UTF8,
    Entry,
)
from cama.jpeg.profile import ExifStyle

LONG = 4
MAX_TIFF_BYTES = 65_533 - len(HEADER)  # of TIFF in one segment
POINTER_TAGS = {group: tag for tag, group in POINTERS.items()}
PARENTS = {"Exif": "IFD0", "Interop": "Exif"}  # the directory that points to each
GROUPS = ("IFD0", "Exif", "Interop", "IFD1")
ORIENTATION, WIDTH, HEIGHT = ("IFD0", 0x0112), ("Exif", 0xA002), ("Exif", 0xA003)
COLOUR_SPACE, INTEROPERABILITY = ("Exif", 0xA001), ("Interop", 1)


def write_exif(order: str, entries: Sequence[Entry], thumbnail: bytes = b"") -> bytes:
    """The APP1 payload with these entries, in the byte order `<` or `>`; a `thumbnail` goes to IFD1. Pointers to directories
    and to the thumbnail are added here and must not be among the entries.
    """
    unknown = next((entry for entry in entries if entry.group not in GROUPS), None)
    if unknown:
        raise CamaError(f"EXIF: found a {unknown.name} in {unknown.group}, expected one of {', '.join(GROUPS)}")
    if thumbnail:
        entries = [*entries, Entry("IFD1", THUMBNAIL, 0, LONG), Entry("IFD1", THUMBNAIL_SIZE, len(thumbnail), LONG)]
    tables = {group: [entry for entry in entries if entry.group == group] for group in GROUPS}
    for group in ("Interop", "Exif"):  # inner before outer: a pointer makes its own directory necessary
        if tables[group]:
            tables[PARENTS[group]].append(Entry(PARENTS[group], POINTER_TAGS[group], 0, LONG))
    packed = {
        group: {entry.tag: (entry.kind, *_pack(entry, order)) for entry in sorted(table, key=lambda entry: entry.tag)}
        for group, table in tables.items()
        if table or group == "IFD0"
    }
    starts, at = {}, 8
    for group, table in packed.items():
        starts[group] = at
        at += 6 + 12 * len(table) + sum(_outside(data) for _, _, data in table.values())
    places = {(PARENTS[group], POINTER_TAGS[group]): starts[group] for group in PARENTS if group in starts}
    places["IFD1", THUMBNAIL] = at
    blob = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    for group, table in packed.items():
        outside = starts[group] + 6 + 12 * len(table)
        rows, values = struct.pack(f"{order}H", len(table)), b""
        for tag, (kind, count, data) in table.items():
            if (group, tag) in places:
                data = struct.pack(f"{order}I", places[group, tag])
            if len(data) > 4:
                field = struct.pack(f"{order}I", outside + len(values))
                values += data + b"\0" * (len(data) % 2)
            else:
                field = data.ljust(4, b"\0")
            rows += struct.pack(f"{order}HHI", tag, kind, count) + field
        following = starts.get("IFD1", 0) if group == "IFD0" else 0
        blob += rows + struct.pack(f"{order}I", following) + values
    blob += thumbnail
    if len(blob) > MAX_TIFF_BYTES:
        raise CamaError(f"EXIF: found {len(blob)} bytes, expected at most {MAX_TIFF_BYTES} in a segment")
    return HEADER + blob


def minimal_exif(style: ExifStyle, photographs: int, width: int, height: int, thumbnail: bytes) -> bytes:
    """Minimal EXIF in a camera's style: the values that its firmware wrote into all `photographs` of its profile, the size of
    the picture in pixels, normal orientation, sRGB, and a `thumbnail`, each only where the camera has such an entry. No time,
    exposure or maker's note, which would have to be invented.
    """
    own = {ORIENTATION: 1, WIDTH: width, HEIGHT: height, COLOUR_SPACE: 1, INTEROPERABILITY: "R98"}  # sRGB
    entries, has_thumbnail = [], False
    for seen in style.entries:
        key = (seen.group, seen.tag)
        has_thumbnail |= key == ("IFD1", THUMBNAIL)
        value = own.get(key, seen.value if seen.count == photographs else None)
        if value is not None and seen.group in GROUPS and seen.tag not in (*POINTERS, THUMBNAIL, THUMBNAIL_SIZE):
            entries.append(Entry(seen.group, seen.tag, _plain(value, seen.type), seen.type))
    if not has_thumbnail:
        entries = [entry for entry in entries if entry.group != "IFD1"]
    order = "<" if style.byte_order[0].value == "little" else ">"
    return write_exif(order, entries, thumbnail if has_thumbnail else b"")


def _plain(value: Any, kind: int) -> Any:
    """A value of a profile (JSON) as `Entry.value`: bytes from hexadecimal text, tuples from lists."""
    if kind == UNDEFINED and isinstance(value, str):
        return bytes.fromhex(value)
    if isinstance(value, list):
        return tuple(_plain(item, kind) for item in value)
    return value


def _pack(entry: Entry, order: str) -> tuple[int, bytes]:
    """The number of an entry's values, and their bytes."""
    try:
        if isinstance(entry.value, bytes):
            return len(entry.value), entry.value
        if entry.kind in (ASCII, UTF8):
            data = entry.value.encode("ascii" if entry.kind == ASCII else "utf-8") + b"\0"
            return len(data), data
        single = not isinstance(entry.value, tuple) or (entry.kind in RATIONALS and isinstance(entry.value[0], int))
        values = (entry.value,) if single else entry.value
        form = TYPES[entry.kind][1]
        flat = [part for value in values for part in (value if entry.kind in RATIONALS else (value,))]
        return len(values), struct.pack(f"{order}{form * len(values)}", *flat)
    except (struct.error, KeyError, AttributeError, TypeError, IndexError, UnicodeEncodeError) as error:
        raise CamaError(f"EXIF: found a {entry.name} that cannot be written ({error})") from error


def _outside(data: bytes) -> int:
    """The number of bytes that values take after their directory: none where they fit into the entry."""
    return len(data) + len(data) % 2 if len(data) > 4 else 0
