"""Finding the pictures within a JPEG's metadata and behind its end: thumbnails, previews, second pictures."""

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.exif import HEADER, THUMBNAIL, THUMBNAIL_SIZE, Exif, read_exif
from cama.jpeg.photoshop import THUMBNAIL_HEADER_BYTES, join, read_resources
from cama.jpeg.segments import APP1, EOI, Jpeg, Segment, read_segments
from cama.jpeg.xmp import extended_xmp
from cama.photo.thumbnail import Thumbnail, from_image, read_thumbnail

JFXX_JPEG, JFXX_PALETTE, JFXX_RGB = 0x10, 0x11, 0x13  # the byte after `JFXX\0`
JPEG_START = b"\xff\xd8\xff"
# a JPEG in base64 as XMP has it, with the line ends that programs put in it
BASE64_JPEG = re.compile(rb"/9j/(?:[A-Za-z0-9+/=\s]|&#x?[0-9A-Fa-f]+;){100,}")
LINE_ENDS = re.compile(rb"&#x?[0-9A-Fa-f]+;|\s+")
TIFF_START = len(HEADER)  # in a segment of EXIF
MPF_HEADER = b"MPF\0"
MPF_ENTRIES, MPF_ENTRY_BYTES = 0xB002, 16
COMPRESSION, STRIP, SAMPLES, WIDTH, HEIGHT = (
    0x0103,
    0x0111,
    0x0115,
    0x0100,
    0x0101,
)  # TIFF tags of a thumbnail without JPEG
PROPERTY, DEPTH = (
    re.compile(rb"[\w-]+:[\w-]+(?:\s*=\s*[\"']|\s*>)\s*$"),
    re.compile(rb"Depth|Confidence"),
)  # before its value
# What XMP and segments in a picture say that belongs to another one as a map: brightness, distance, parts of a body.
MAPS = (
    (re.compile(rb"hdrgm:(?:GainMapM|Version)|HDRGainMapVersion|hdrgainmap|urn:iso:std:iso:ts:21496:-1"), "a gain map"),
    (re.compile(rb"urn:com:apple:photo:\d+:aux:\w*matte|aux:semantic\w*"), "a matte"),
    (
        re.compile(rb"AuxiliaryImageSubType\W+(?:depth|disparity)|kCGImageAuxiliaryDataType(?:Depth|Disparity)"),
        "a depth map",
    ),
)
MAX_FOUND = 16  # pictures in one place; only files made to cost time have more
MAX_RAW_PIXELS = 1_000_000  # of a thumbnail without JPEG, which an EXIF segment cannot hold


@dataclass(frozen=True)
class Found:
    """A picture in a file: `where` it is (EXIF, JFXX, JFIF, Photoshop, MPF, XMP, maker's note, trailer ...), its bytes, its
    offset in the file where that is known, its pixels where it is no JPEG, and the `map` that the file says it is, if any.
    """

    where: str
    data: bytes
    offset: int | None = None
    raw: Thumbnail | None = None
    map: str = ""

    def read(self) -> Thumbnail | None:
        """The decoded picture, or None where it cannot be decoded."""
        return self.raw or read_thumbnail(self.data)


def map_in(jpeg: Jpeg) -> str:
    """What map a picture within a file says it is, such as `a gain map`; empty for none."""
    head = b" ".join(segment.payload for segment in jpeg.segments if segment.marker in (APP1, APP1 + 1))
    return next((name for pattern, name in MAPS if pattern.search(head)), "")


def find_previews(jpeg: Jpeg) -> list[Found]:
    """All pictures that a JPEG holds besides its own, but for those within them."""
    found: list[Found] = []
    for segment in jpeg.segments:
        found += _in_segment(segment)
    for packet in extended_xmp(jpeg):
        found += _in_xmp(packet)
    found += _in_photoshop(jpeg)
    return [*found, *_in_trailer(jpeg)]


def _in_segment(segment: Segment) -> Iterator[Found]:
    payload, start = segment.payload, segment.offset + segment.fill + 4
    if segment.kind == "Exif":
        yield from _in_exif(payload, start)
    elif segment.kind == "JFXX":
        yield from _in_jfxx(payload, start)
    elif segment.kind == "JFIF" and len(payload) > 14:
        raw = _raw(payload[14:], payload[12], payload[13])
        if raw is not None:
            yield Found("JFIF", payload[14:], start + 14, raw)
    elif segment.kind == "XMP":
        yield from _in_xmp(payload)
    elif segment.kind in ("", "MPF", "ICC", "JUMBF") and segment.name.startswith("APP"):
        yield from carve(payload, segment.name.split()[0], start)


def _in_exif(payload: bytes, start: int) -> Iterator[Found]:
    try:
        exif = read_exif(payload)
    except CamaError:
        yield from carve(payload, "EXIF", start)
        return
    known = set()
    groups = dict.fromkeys(entry.group for entry in exif.entries)
    for group in (group for group in groups if group.startswith("IFD")):
        at, size = exif.offset(group, THUMBNAIL), exif.offset(group, THUMBNAIL_SIZE)
        if at and size and at not in known and payload[TIFF_START + at :]:
            known.add(at)
            yield Found("EXIF", payload[TIFF_START + at : TIFF_START + at + size], start + TIFF_START + at)
    yield from _uncompressed(exif, payload[TIFF_START:], start + TIFF_START)
    notes = [entry.value for entry in exif.entries if entry.name == "MakerNote" and isinstance(entry.value, bytes)]
    note = payload.find(notes[0]) if notes and notes[0] else len(payload)
    for found in carve(payload, "EXIF", start):
        at = (found.offset or 0) - start
        if at - TIFF_START not in known:
            in_note = note <= at < note + len(notes[0]) if notes else False
            yield replace(found, where="maker's note" if in_note else "EXIF, unnamed")


def _uncompressed(exif: Exif, tiff: bytes, start: int) -> Iterator[Found]:
    """The thumbnail of IFD1 as rows of RGB, which EXIF allows."""
    width, height, strip = (exif.offset("IFD1", tag) for tag in (WIDTH, HEIGHT, STRIP))
    if exif.offset("IFD1", COMPRESSION) == 1 and width and height and strip and exif.offset("IFD1", SAMPLES) == 3:
        data = tiff[strip : strip + 3 * width * height]
        yield Found("EXIF", data, start + strip, _raw(data, width, height))


def _in_jfxx(payload: bytes, start: int) -> Iterator[Found]:
    kind = payload[5] if len(payload) > 8 else 0
    if kind == JFXX_JPEG:
        yield Found("JFXX", payload[6:], start + 6)
    elif kind == JFXX_RGB:
        yield Found("JFXX", payload[8:], start + 8, _raw(payload[8:], payload[6], payload[7]))
    elif kind == JFXX_PALETTE:
        palette, indices = payload[8:776], payload[776:]
        colours = [palette[3 * n : 3 * n + 3] for n in range(len(palette) // 3)]
        data = b"".join(colours[index] for index in indices if index < len(colours))
        yield Found("JFXX", payload[8:], start + 8, _raw(data, payload[6], payload[7]))


def _in_xmp(xmp: bytes) -> Iterator[Found]:
    for number, text in enumerate(BASE64_JPEG.finditer(xmp)):
        if number == MAX_FOUND:
            return
        letters = LINE_ENDS.sub(b"", text.group())
        before = PROPERTY.search(xmp, max(0, text.start() - 80), text.start())
        depth = "a depth map" if before and DEPTH.search(before.group()) else ""
        try:
            yield Found("XMP", base64.b64decode(letters[: len(letters) // 4 * 4]), map=depth)
        except binascii.Error:
            yield Found("XMP", text.group())


def _in_photoshop(jpeg: Jpeg) -> Iterator[Found]:
    segments = jpeg.of_kind("Photoshop")
    payload = join([segment.payload for segment in segments])
    start = segments[0].offset + segments[0].fill + 4 if len(segments) == 1 else None
    for resource in read_resources(payload)[0]:
        at = None if start is None else start + payload.find(resource.data)
        if not resource.thumbnail:
            yield from carve(resource.data, "Photoshop", at)
            continue
        image = read_thumbnail(resource.thumbnail) if resource.blue_first else None
        if image is not None:
            image = replace(image, pixels=np.ascontiguousarray(image.pixels[..., ::-1]), steps=None)
        place = None if at is None else at + THUMBNAIL_HEADER_BYTES
        yield Found("Photoshop", resource.thumbnail, place, image)


def _in_trailer(jpeg: Jpeg) -> Iterator[Found]:
    """The pictures behind the end, and those that an index (MPF) names."""
    last = jpeg.segments[-1]
    start = last.offset + last.fill + 2 if last.marker == EOI else last.offset + len(last.to_bytes())
    named = {offset - start: size for segment in jpeg.of_kind("MPF") for offset, size in mpf_entries(segment)}
    seen = set()
    for at, size in list(named.items())[:MAX_FOUND]:
        if 0 <= at < len(jpeg.trailer):
            seen.add(at)
            yield Found("MPF", jpeg.trailer[at : at + size], start + at)
    for found in carve(jpeg.trailer, "trailer", start):
        inside = (at for at in seen if at <= found.offset - start < at + named[at])
        if next(inside, None) is None:
            yield found


def mpf_entries(segment: Segment) -> list[tuple[int, int]]:
    """The offset in the file and the size of each picture that a segment of the Multi-Picture Format (CIPA DC-007) names,
    without the first one, the file's own.
    """
    tiff = segment.payload[len(MPF_HEADER) :]
    base = segment.offset + segment.fill + 4 + len(MPF_HEADER)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return []
    start = struct.unpack_from(f"{order}I", tiff, 4)[0]
    if start + 2 > len(tiff):
        return []
    count = struct.unpack_from(f"{order}H", tiff, start)[0]
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, _, size, offset = struct.unpack_from(f"{order}HHII", tiff, at)
        if tag == MPF_ENTRIES and offset + size <= len(tiff):
            entries = [
                struct.unpack_from(f"{order}II", tiff, e + 4)
                for e in range(offset, offset + size - 15, MPF_ENTRY_BYTES)
            ]
            return [(base + place, length) for length, place in entries if place]
    return []


def carve(data: bytes, where: str, start: int | None = None) -> Iterator[Found]:
    """The JPEG files somewhere in `data`, which begins at `start` in the file; those within them are left to a second look."""
    at = 0
    for _ in range(MAX_FOUND):
        at = data.find(JPEG_START, at)
        if at < 0:
            return
        try:
            rest = read_segments(data[at:]).trailer
        except CamaError:  # damaged: what follows may still be seen by viewers, if the rest looks like a picture
            end = data.find(JPEG_START, at + 3)
            end = len(data) if end < 0 else end
            if read_thumbnail(data[at:end]) is not None:
                yield Found(where, data[at:end], None if start is None else start + at)
            at = end
            continue
        end = len(data) - len(rest)
        yield Found(where, data[at:end], None if start is None else start + at)
        at = end


def _raw(data: bytes, width: int, height: int) -> Thumbnail | None:
    """A thumbnail from rows of RGB, or None where there are too few."""
    if not 0 < width * height <= MAX_RAW_PIXELS or len(data) < 3 * width * height:
        return None
    return from_image(Image.frombytes("RGB", (width, height), data[: 3 * width * height]), (width, height))
