"""Damaged JPEG files of every kind, made from one that is whole, with what the tolerant reader is to say of each."""

import struct
from dataclasses import dataclass, replace

from cama.jpeg.segments import COM, DHT, DNL, DQT, EOI, FRAMES, SOI, SOS, Segment, read_segments
from tests.jpeg.helpers import jpeg, scene

ARTIST = b"Jorunn Dahl"
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x3b\1\2\0\x0c\0\0\0\x1a\0\0\0\0\0\0\0" + ARTIST + b"\0"
WHOLE = jpeg(scene(96, 128), exif=EXIF, comment=b"a comment")
RESTARTS = jpeg(scene(96, 128), exif=EXIF, restart_marker_blocks=4)
PROGRESSIVE = jpeg(scene(96, 128), exif=EXIF, progressive=True)
TEXT = b"Image_UTC_Data1526478395437" + b"\0more of a trailer" * 40


@dataclass(frozen=True)
class Case:
    """A file, whether its picture decodes, and words of the damage; none for a file that is not damaged."""

    data: bytes
    decodes: str
    words: str = ""


def parts_of(data: bytes) -> list[Segment]:
    return list(read_segments(data).segments)


def joined(*parts: Segment | bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else part.to_bytes() for part in parts)


def place(data: bytes, *markers: int, number: int = 0) -> int:
    """The offset of a segment."""
    return read_segments(data).with_marker(*markers)[number].offset


def scan_data(data: bytes) -> tuple[int, int]:
    """Begin and end of the data of the first scan."""
    (scan, *_) = read_segments(data).with_marker(SOS)
    begin = scan.offset + len(scan.to_bytes()) - len(scan.scan)
    return begin, begin + len(scan.scan)


def insert(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def change(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def with_height(data: bytes, height: int, later: int | None = None) -> bytes:
    """The file with a height in its frame, and perhaps another behind the first scan."""
    parts = []
    for part in parts_of(data):
        if part.marker in FRAMES:
            part = replace(part, payload=part.payload[:1] + struct.pack(">H", height) + part.payload[3:])
        parts.append(part)
        if part.marker == SOS and later is not None:
            parts.append(Segment(DNL, struct.pack(">H", later)))
            later = None
    return joined(*parts)


def broken_code(data: bytes) -> bytes:
    """The file with a code in its scan that no table has."""
    begin, end = scan_data(data)
    return change(data, (begin + end) // 2, b"\xff\0\xff\0\xff\0\xff\0")


END = len(WHOLE) - 2
BEGIN, SCAN_END = scan_data(WHOLE)
MIDDLE = (BEGIN + SCAN_END) // 2
FRAME = place(WHOLE, *FRAMES)
EXIF_AT = next(part.offset for part in parts_of(WHOLE) if part.kind == "Exif")
LATER_TABLE = read_segments(PROGRESSIVE).with_marker(DHT)[-2].offset
OTHER_FRAME = Segment(0xC0, b"\x08\0\x10\0\x10\1\1\x11\0")
OTHER_TABLE = Segment(DQT, b"\0" + bytes(range(1, 65)))

CASES = {
    "whole": Case(WHOLE, "whole"),
    "trailer": Case(WHOLE + TEXT, "whole"),
    "fill bytes": Case(insert(insert(WHOLE, FRAME, b"\xff" * 9), 2, b"\xff" * 1000), "whole"),
    "no end": Case(WHOLE[:-2], "whole", "found the end of the file, expected the end of the picture"),
    "no end, a trailer": Case(WHOLE[:-2] + TEXT, "whole", "found the end of the file, expected the end of the picture"),
    "no end, the next picture": Case(WHOLE[:-2] + WHOLE, "whole", "expected the end of the picture"),
    "no end, progressive": Case(PROGRESSIVE[:-2], "whole", "expected the end of the picture"),
    "no end, progressive, a trailer": Case(PROGRESSIVE[:-2] + TEXT, "whole", "expected the end of the picture"),
    "no end, restarts": Case(RESTARTS[:-2] + TEXT, "whole", "expected the end of the picture"),
    "half an end": Case(WHOLE[:-1], "whole", "expected the end of the picture"),
    "zero for ff in the end": Case(change(WHOLE, END, b"\0"), "whole", "expected the end of the picture"),
    "other marker for the end": Case(change(WHOLE, END + 1, b"\xfd"), "whole", "the marker fd in the data of a scan"),
    "junk before the start": Case(b"\0\0HTTP/1.1 200\r\n\r\n" + WHOLE, "whole", "bytes before the start"),
    "junk between": Case(insert(WHOLE, FRAME, b"?!" * 7), "whole", "14 bytes of no segment"),
    "junk with a marker in it": Case(
        insert(WHOLE, FRAME, b"?\xff\xc4\0?\xff\0\xff\xd3"), "whole", "9 bytes of no segment"
    ),
    "junk in many places": Case(
        joined(*[x for part in parts_of(WHOLE) for x in (part, b"" if part.marker in (SOS, EOI) else b"\0?")]),
        "whole",
        "2 bytes of no segment",
    ),
    "junk behind the data": Case(insert(WHOLE, END, TEXT), "whole", "bytes in a scan's data that no viewer shows"),
    "junk before a restart": Case(
        insert(RESTARTS, RESTARTS.index(b"\xff\xd3"), TEXT), "whole", "bytes in a scan's data that no viewer shows"
    ),
    "zero for ff in the start": Case(change(WHOLE, 0, b"\0"), "whole", "found 00 d8, expected the start"),
    "zero for ff in a comment": Case(
        change(WHOLE, place(WHOLE, COM), b"\0"), "whole", "found 00 fe, expected a marker"
    ),
    "zero for ff in Exif": Case(change(WHOLE, EXIF_AT, b"\0"), "whole", "found 00 e1, expected the marker ff e1"),
    "zero for ff in tables": Case(change(WHOLE, place(WHOLE, DQT), b"\0"), "whole", "found 00 db, expected a marker"),
    "zero for ff in the frame": Case(change(WHOLE, FRAME, b"\0"), "whole", "found 00 c0, expected a marker"),
    "zero for ff in the scan": Case(change(WHOLE, place(WHOLE, SOS), b"\0"), "whole", "found 00 da, expected a marker"),
    "unknown marker of Exif": Case(change(WHOLE, EXIF_AT + 1, b"\x5a"), "whole", "expected the marker ff e1"),
    "a start for Exif's marker": Case(change(WHOLE, EXIF_AT + 1, b"\xd8"), "whole", "expected the marker ff e1"),
    "another marker for Exif's": Case(change(WHOLE, EXIF_AT + 1, b"\xe7"), "whole", "expected the marker ff e1"),
    "zero for ff behind a scan": Case(
        change(PROGRESSIVE, LATER_TABLE, b"\0"), "whole", "found 00 c4, expected a marker"
    ),
    "unknown marker behind a scan": Case(change(PROGRESSIVE, LATER_TABLE + 1, b"\x5a"), "partly", "the marker 5a"),
    "a start behind a scan": Case(insert(PROGRESSIVE, LATER_TABLE, b"\xff\xd8"), "whole", "a second start"),
    "an end for a marker behind a scan": Case(
        change(PROGRESSIVE, LATER_TABLE + 1, b"\xd9"), "partly", "no scan of the picture's finer parts"
    ),
    "length of a table behind a scan": Case(
        change(PROGRESSIVE, LATER_TABLE + 2, b"\0\3"), "whole", "found the length 3"
    ),
    "length that swallows another segment": Case(
        insert(WHOLE, 2, change(Segment(COM, b"a comment").to_bytes(), 2, b"\0\x11")), "whole", "found the length 17"
    ),
    "unknown marker of a table": Case(change(WHOLE, place(WHOLE, DQT) + 1, b"\x5a"), "no", "found the marker 5a"),
    "a start for a table's marker": Case(change(WHOLE, place(WHOLE, DQT) + 1, b"\xd8"), "no", "a second start"),
    "an end for a comment's marker": Case(
        change(WHOLE, place(WHOLE, COM) + 1, b"\xd9"), "whole", "an end before the picture"
    ),
    "other marker for the start": Case(change(WHOLE, 1, b"\xdb"), "whole", "found ff db, expected the start"),
    "start twice": Case(WHOLE[:2] + WHOLE, "whole", "a second start"),
    "start twice, later": Case(insert(WHOLE, FRAME, b"\xff\xd8"), "whole", "a second start"),
    "a restart between": Case(insert(WHOLE, FRAME, b"\xff\xd1"), "whole", "found a marker without a length (ff d1)"),
    "tables twice": Case(
        insert(WHOLE, place(WHOLE, DQT), OTHER_TABLE.to_bytes()), "whole", "a second quantisation table 0"
    ),
    "tables twice alike": Case(
        joined(*[x for part in parts_of(WHOLE) for x in ([part, part] if part.marker in (DQT, DHT) else [part])]),
        "whole",
    ),
    "tables behind the scan": Case(
        insert(WHOLE, END, OTHER_TABLE.to_bytes()), "whole", "a second quantisation table 0"
    ),
    "frame twice": Case(
        joined(*[x for part in parts_of(WHOLE) for x in ([part, part] if part.marker in FRAMES else [part])]),
        "whole",
        "one more frame",
    ),
    "two frames": Case(insert(WHOLE, FRAME, OTHER_FRAME.to_bytes()), "whole", "one more frame"),
    "frame behind the scan": Case(
        joined(
            *[part for part in parts_of(WHOLE) if part.marker not in (*FRAMES, EOI)],
            *[part for part in parts_of(WHOLE) if part.marker in (*FRAMES, EOI)],
        ),
        "no",
        "found 0 frames",
    ),
    "no frame": Case(joined(*[part for part in parts_of(WHOLE) if part.marker not in FRAMES]), "no", "found 0 frames"),
    "no tables": Case(joined(*[part for part in parts_of(WHOLE) if part.marker != DQT]), "no", "no quantisation table"),
    "no scan": Case(WHOLE[: place(WHOLE, SOS)] + b"\xff\xd9", "no", "found no scan"),
    "metadata behind the scan": Case(
        joined(Segment(SOI), *parts_of(WHOLE)[2:-1], Segment(0xE1, EXIF), Segment(COM, b"late"), Segment(EOI)), "whole"
    ),
    "comments and tables between scans": Case(
        joined(
            *[
                x
                for part in parts_of(PROGRESSIVE)
                for x in ([part, Segment(COM, b"x"), Segment(0xE9, b"y")] if part.marker == SOS else [part])
            ]
        ),
        "whole",
    ),
    "a frame between scans": Case(
        insert(PROGRESSIVE, LATER_TABLE, OTHER_FRAME.to_bytes()), "whole", "found one more frame (SOF0)"
    ),
    "height behind the scan": Case(with_height(WHOLE, 0, 96), "whole", "found the height 0 and 96 behind the scan"),
    "another height behind the scan": Case(with_height(WHOLE, 96, 64), "whole", "found the height 64 behind the scan"),
    "a height of many bytes": Case(
        insert(WHOLE, FRAME, Segment(DNL, b"\1" * 4000).to_bytes()), "whole", "found the height 257"
    ),
    "no height": Case(with_height(WHOLE, 0), "no", "found the height 0"),
    "too great a height": Case(with_height(WHOLE, 512), "partly", "expected more of the picture"),
    "too small a height": Case(with_height(WHOLE, 64), "whole", "bytes in a scan's data that no viewer shows"),
    "length beyond the end": Case(change(WHOLE, EXIF_AT + 2, b"\xff\xf0"), "whole", "found the length 65520"),
    "length too great": Case(
        change(WHOLE, EXIF_AT + 2, struct.pack(">H", len(EXIF) + 90)), "whole", "found the length"
    ),
    "length too small": Case(change(WHOLE, EXIF_AT + 2, b"\0\x20"), "whole", "bytes of no segment"),
    "length 0": Case(change(WHOLE, EXIF_AT + 2, b"\0\0"), "whole", "found the length 0"),
    "length of a table": Case(change(WHOLE, place(WHOLE, DQT) + 2, b"\0\x50"), "whole", "found the length 80"),
    "length of the frame": Case(change(WHOLE, FRAME + 2, b"\0\x14"), "whole", "found the length 20"),
    "length of the scan's header": Case(change(WHOLE, place(WHOLE, SOS) + 2, b"\0\x08"), "whole", "found the length 8"),
    "broken code": Case(broken_code(WHOLE), "partly", "found a broken scan"),
    "broken code, progressive": Case(broken_code(PROGRESSIVE), "partly", "found"),
    "a marker in the data": Case(insert(WHOLE, MIDDLE, b"\xff\x1a"), "partly", "the marker 1a in the data of a scan"),
    "an end in the data": Case(insert(WHOLE, MIDDLE, b"\xff\xd9"), "partly", "expected more of the picture"),
    "bytes lost in the data": Case(WHOLE[: MIDDLE - 400] + WHOLE[MIDDLE:], "partly", "found"),
    "a restart lost": Case(RESTARTS.replace(b"\xff\xd3", b"", 1), "partly", "found"),
    "an interval lost": Case(
        RESTARTS[: RESTARTS.index(b"\xff\xd3")] + RESTARTS[RESTARTS.index(b"\xff\xd4") :], "partly", "found"
    ),
    "bytes lost before a restart": Case(
        RESTARTS[: RESTARTS.index(b"\xff\xd3") - 9] + RESTARTS[RESTARTS.index(b"\xff\xd3") :], "partly", "expected more"
    ),
    "a restart where none may be": Case(insert(WHOLE, MIDDLE, b"\xff\xd1"), "partly", "found"),
    "truncated in the data": Case(WHOLE[:MIDDLE], "partly", "found the end of the file"),
    "zeros in the data": Case(change(WHOLE, MIDDLE, bytes(512)), "partly", "found 512 zeros in a scan's data"),
    "truncated in the data by an upload": Case(WHOLE[:MIDDLE] + bytes(3000), "partly", "zeros in a scan's data"),
    "truncated in a later scan": Case(
        PROGRESSIVE[: place(PROGRESSIVE, SOS, number=3) + 40], "partly", "the end of the file"
    ),
    "truncated between scans": Case(PROGRESSIVE[: place(PROGRESSIVE, SOS, number=3) + 4], "partly", "truncated"),
    "ended between scans": Case(
        PROGRESSIVE[: place(PROGRESSIVE, SOS, number=3)] + b"\xff\xd9",
        "partly",
        "found no scan of a component's finer parts",
    ),
    "marker of a later scan": Case(
        change(PROGRESSIVE, place(PROGRESSIVE, SOS, number=3), b"\0"), "whole", "found 00 da"
    ),
    "truncated before the scan": Case(WHOLE[: place(WHOLE, SOS)], "no", "found the end of the file"),
    "truncated in Exif": Case(WHOLE[: EXIF_AT + 4 + len(EXIF) - 2], "no", "it is truncated"),
    "a start alone": Case(WHOLE[:2], "no", "found the end of the file"),
    "a start and an end": Case(b"\xff\xd8\xff\xd9", "no", "found 0 frames"),
    "a start and zeros": Case(b"\xff\xd8" + bytes(5000), "no", "5000 bytes of no segment"),
    "12 bits": Case(change(WHOLE, FRAME + 4, b"\x0c"), "no", "found 12 bits a sample"),
    "lossless": Case(change(WHOLE, FRAME + 1, b"\xc3"), "no", "coded as lossless"),
    "arithmetic": Case(change(WHOLE, FRAME + 1, b"\xc9"), "no", "coded as extended, arithmetic (SOF9)"),
    "hierarchical": Case(change(WHOLE, FRAME + 1, b"\xc5"), "no", "coded as extended, hierarchical (SOF5)"),
    "JPEG-LS": Case(change(WHOLE, FRAME + 1, b"\xf7"), "no", "found the marker f7"),
}
