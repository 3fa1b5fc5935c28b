"""Tests of cama.jpeg.writing: files as other cameras build them, with Pillow as the reader."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import HuffmanTable, describe, read_coding, standard_huffman
from cama.jpeg.coefficients import coefficients
from cama.jpeg.encoding import encode_scans
from cama.jpeg.profile import Traits
from cama.jpeg.quantisation import ZIGZAG
from cama.jpeg.segments import APP0, DHT, DQT, DRI, FRAMES, SOS, Jpeg, Segment, read_segments
from cama.jpeg.writing import check_pixels_only, encode_like
from tests.jpeg.helpers import jpeg, scene

PICTURE = scene(45, 70)
EXIF = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6)
Parts = list[Segment]


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def like(data: bytes, picture: np.ndarray = PICTURE, exif: bytes = b"") -> bytes:
    """The picture as a file with every trait of another one, which a profile keeps."""
    found = read_segments(data)
    coding = Traits(**describe(read_coding(found))).model_dump()
    written = encode_like(picture, coding, [segment.name for segment in found.segments], exif)
    check_pixels_only(written, "written", exif)
    assert describe(read_coding(read_segments(written))) == describe(read_coding(found))
    return written


def of(parts: Parts, *markers: int) -> Parts:
    return [part for part in parts if part.marker in markers]


def split(parts: Parts, marker: int, size: Callable[[bytes], int]) -> Parts:
    """Each table in a segment of its own."""
    found = []
    for part in of(parts, marker):
        data = part.payload
        while data:
            found.append(Segment(marker, data[: size(data)]))
            data = data[size(data) :]
    return found


def tables(parts: Parts) -> tuple[Parts, Parts]:
    """Four Huffman tables and two quantisation tables, each in a segment."""
    return split(parts, DHT, lambda data: 17 + sum(data[1:17])), split(parts, DQT, lambda data: 65)


def joined(parts: Parts) -> Segment:
    return Segment(parts[0].marker, b"".join(part.payload for part in parts))


# From the parts of a file (SOI and JFIF header; frame; scan and EOI; DHT; DQT) to those of one that is built in another way.
ORDERS = {
    "one segment for all tables": lambda head, frame, end, dht, dqt: [*head, joined(dqt), frame, joined(dht), *end],
    "tables behind the frame": lambda head, frame, end, dht, dqt: [*head, frame, joined(dqt), *dht, *end],
    "Huffman tables first": lambda head, frame, end, dht, dqt: [*head, *dht, *dqt, frame, *end],
    "tables before the header": lambda head, frame, end, dht, dqt: [
        head[0], joined(dqt), head[1], frame, joined(dht), *end
    ],
    "mixed": lambda head, frame, end, dht, dqt: [*head, dht[3], dqt[1], dht[0], frame, dqt[0], dht[1], dht[2], *end],
    "two and two": lambda head, frame, end, dht, dqt: [
        *head, *dqt, frame, joined([dht[2], dht[0]]), joined([dht[3], dht[1]]), *end
    ],
    "no interval, first": lambda head, frame, end, dht, dqt: [*head, Segment(DRI, b"\0\0"), *dqt, frame, *dht, *end],
    "no interval, last": lambda head, frame, end, dht, dqt: [*head, *dqt, frame, *dht, Segment(DRI, b"\0\0"), *end],
    "tables twice": lambda head, frame, end, dht, dqt: [*head, *dqt, *dqt, frame, *dht, joined(dht), *end],
    "no header": lambda head, frame, end, dht, dqt: [head[0], *dqt, frame, *dht, *end],
    "steps of two bytes": lambda head, frame, end, dht, dqt: [
        *head,
        dqt[0],
        Segment(DQT, b"\x11" + struct.pack(">64H", *dqt[1].payload[1:])),
        frame,
        *dht,
        *end,
    ],
    "extended": lambda head, frame, end, dht, dqt: [*head, *dqt, Segment(0xC1, frame.payload), *dht, *end],
    "tables behind the scan": lambda head, frame, end, dht, dqt: [*head, *dqt, frame, *dht, *end[:-1], dqt[0], end[-1]],
    "an empty segment": lambda head, frame, end, dht, dqt: [*head, Segment(DQT), *dqt, frame, *dht, *end],
}  # fmt: skip


@pytest.mark.parametrize("build", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": "4:2:2", "quality": 97}, {"optimize": True}, {"restart_marker_blocks": 3}]
)
def test_segments_stand_as_in_the_other_file(build, options):
    saved = list(read_segments(jpeg(PICTURE, **options)).segments)
    dht, dqt = tables(saved)
    frame, end = of(saved, *FRAMES)[0], [*of(saved, SOS), saved[-1]]
    interval = of(saved, DRI)
    built = build([saved[0], *of(saved, APP0)], frame, [*interval, *end], dht, dqt)
    if interval and built.count(Segment(DRI, b"\0\0")):  # the last one counts
        built.remove(Segment(DRI, b"\0\0"))
    data = Jpeg(tuple(built)).to_bytes()
    assert np.array_equal(decoded(data), decoded(jpeg(PICTURE, **options)))
    written = like(data)
    assert np.array_equal(decoded(written), decoded(data))
    assert written == data


@pytest.mark.parametrize("exif", [b"", EXIF])
def test_exif_and_header_stand_once_where_the_other_file_has_them(exif):
    found = read_segments(jpeg(PICTURE))
    head = Segment(0xE1, EXIF)
    names = [segment.name for segment in found.segments]
    built = Jpeg((found.segments[0], head, *found.segments[1:3], head, found.segments[1], *found.segments[3:]))
    written = read_segments(like(built.to_bytes(), exif=exif))
    expected = [names[0], *(["APP1 Exif"] if exif else []), *names[1:]]
    assert [segment.name for segment in written.segments] == expected


@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 1, 1), (0, 0, 0), (3, 1, 0), (1, 0, 0)])
@pytest.mark.parametrize("equal", [False, True])
def test_each_component_has_its_own_table(numbers, equal):
    """As some cameras write three of which two are the same."""
    steps = {number: [2 + (0 if equal else number) + place // 8 for place in range(64)] for number in range(4)}
    saved = jpeg(PICTURE, quality=-1, qtables=[steps[number] for number in numbers])
    found = read_segments(saved)
    used = dict.fromkeys(numbers)
    parts = []
    for segment in found.segments:
        if segment.marker in FRAMES:
            data = bytearray(segment.payload)
            data[8::3] = bytes(numbers)
            parts += [Segment(DQT, bytes([n]) + struct.pack("64B", *zigzag(steps[n]))) for n in used]
            parts.append(Segment(segment.marker, bytes(data)))
        elif segment.marker != DQT:
            parts.append(segment)
    data = Jpeg(tuple(parts)).to_bytes()
    assert np.array_equal(decoded(data), decoded(saved))
    assert like(data) == data


def zigzag(steps: list[int]) -> list[int]:
    return [steps[place] for place in ZIGZAG]


def renamed(data: bytes, names: tuple[int, ...], factors: tuple[int, ...] = (0x22, 0x11, 0x11)) -> bytes:
    """The file with other identifiers and sampling factors of its components; its scan is then of no use."""
    parts = []
    for segment in read_segments(data).segments:
        payload = bytearray(segment.payload)
        if segment.marker in FRAMES:
            payload[6::3], payload[7::3] = bytes(names), bytes(factors)
        if segment.marker == SOS:
            payload[1:7:2] = bytes(names)
        parts.append(Segment(segment.marker, bytes(payload), segment.scan))
    return Jpeg(tuple(parts)).to_bytes()


@pytest.mark.parametrize("names", [(0, 1, 2), (1, 2, 3), (1, 34, 35), (255, 7, 9), (3, 2, 1), (66, 71, 82)])
@pytest.mark.parametrize("header", [False, True])
def test_components_have_the_names_of_the_other_file(names, header):
    parts = read_segments(renamed(jpeg(PICTURE), names)).segments
    data = Jpeg(tuple(part for part in parts if header or part.marker != APP0)).to_bytes()
    assert like(data) == data
    assert np.array_equal(decoded(data), decoded(jpeg(PICTURE)))


@pytest.mark.parametrize("header", [False, True])
def test_components_of_the_names_rgb_are_the_colours_unless_a_header_says_otherwise(header):
    found = read_segments(renamed(jpeg(PICTURE, subsampling="4:4:4"), (82, 71, 66), (0x11, 0x11, 0x11)))
    data = Jpeg(tuple(part for part in found.segments if header or part.marker != APP0)).to_bytes()
    written = decoded(like(data))
    if header:
        assert np.array_equal(written, decoded(jpeg(PICTURE, subsampling="4:4:4")))
    assert np.abs(written.astype(int) - PICTURE).mean() < 5


SAMPLINGS = {
    "4:4:0": (0x12, 0x11, 0x11),
    "4:1:1": (0x41, 0x11, 0x11),
    "4:1:0": (0x42, 0x11, 0x11),
    "vertical 4:1:1": (0x14, 0x11, 0x11),
    "4:2:2 doubled": (0x22, 0x12, 0x12),
    "4:4:0 doubled": (0x22, 0x21, 0x21),
    "unequal chroma": (0x22, 0x11, 0x12),
    "three to one": (0x31, 0x11, 0x11),
    "chroma larger": (0x11, 0x21, 0x21),
}


@pytest.mark.parametrize("factors", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize("size", [(45, 70), (64, 64), (1, 1), (9, 130)])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_blocks": 2}])
def test_samplings_that_pillow_cannot_write(factors, size, options):
    picture = scene(*size) if min(size) > 1 else np.full((1, 1, 3), 77, np.uint8)
    written = like(renamed(jpeg(picture, quality=97, **options), (1, 2, 3), factors), picture)
    found = decoded(written)
    coarsest = decoded(jpeg(picture, quality=97, subsampling="4:2:0"))
    errors = [np.abs(one.astype(int) - picture).mean() for one in (found, coarsest)]
    assert found.shape == picture.shape
    # four samples in one are coarser than those of 4:2:0, the others are not
    assert errors[0] <= errors[1] * (2.5 if max(factors) > 0x22 or 0x14 in factors else 1.5) + 0.5
    grey = [np.asarray(Image.fromarray(one).convert("L"), int) for one in (found, picture)]
    if factors[0] > 0x11:
        assert np.abs(grey[0] - grey[1]).mean() < 2.5


@pytest.mark.parametrize("factors", [(0x21,) * 3, (0x12,) * 3, (0x31,) * 3])
def test_equal_factors_are_those_of_no_subsampling(factors):
    """An MCU then has several blocks of each component, and the pixels are the same."""
    written = like(renamed(jpeg(PICTURE), (1, 2, 3), factors))
    assert np.array_equal(decoded(written), decoded(jpeg(PICTURE, subsampling="4:4:4")))


@pytest.mark.parametrize("factors", [(0x22, 0x11, 0x11), (0x22, 0x22, 0x22), (0x21, 0x11, 0x11)])
@pytest.mark.parametrize("restart", [0, 3])
def test_components_in_scans_of_their_own(factors, restart):
    found = list(read_segments(renamed(jpeg(PICTURE, restart_marker_blocks=restart), (1, 2, 3), factors)).segments)
    *head, scan, end = found
    scans = [Segment(SOS, bytes([1, n, min(n - 1, 1) * 17, 0, 63, 0]), scan.scan) for n in (1, 2, 3)]
    written = like(Jpeg((*head, *scans, end)).to_bytes())
    names = {0x22: "4:2:0", 0x21: "4:2:2"}
    normal = jpeg(PICTURE, subsampling="4:4:4" if len(set(factors)) == 1 else names[factors[0]])
    assert np.array_equal(decoded(written), decoded(normal))


@pytest.mark.parametrize("tables", [(0, 0, 0), (1, 1, 1), (0, 1, 0), (0, 2, 3)])
@pytest.mark.parametrize("optimize", [False, True])
def test_components_share_huffman_tables(tables, optimize):
    optimize |= max(tables) > 1  # there are two standard ones
    parts = []
    for segment in read_segments(jpeg(PICTURE, optimize=optimize)).segments:
        payload = bytearray(segment.payload)
        if segment.marker == SOS:
            payload[2:8:2] = bytes(n * 17 for n in tables)
        parts.append(Segment(segment.marker, bytes(payload), segment.scan))
    if max(tables) > 1:
        own = [segment for segment in parts if segment.marker == DHT]
        more = [Segment(DHT, bytes([kind << 4 | n]) + own[2 + kind].payload[1:]) for n in (2, 3) for kind in (0, 1)]
        at = parts.index(own[-1]) + 1
        parts[at:at] = more
    written = like(Jpeg(tuple(parts)).to_bytes())
    assert np.array_equal(decoded(written), decoded(jpeg(PICTURE)))


def flat_table(kind: int, identifier: int) -> HuffmanTable:
    """A table of all symbols, the same for every picture, with codes of other lengths than the standard's."""
    symbols = bytes(reversed(standard_huffman()[kind, 0].symbols))
    counts = [0, 0, 0, 6, 6, *[0] * 11] if kind == 0 else [*[0] * 7, 162, *[0] * 8]
    return HuffmanTable(kind, identifier, tuple(counts), symbols)


def test_huffman_tables_that_are_not_made_for_a_picture_are_the_cameras():
    picture = scene(45, 70, seed=5)
    found = read_segments(jpeg(picture))
    coding = read_coding(found)
    tables = {(kind, number): flat_table(kind, number) for kind in (0, 1) for number in (0, 1)}
    steps = [coding.quantisation[component.table] for component in coding.components]
    blocks = coefficients(picture, coding.components, steps)
    (scan,), _ = encode_scans(blocks, coding.components, coding.scans, 0, picture.shape[:2], tables)
    parts, left = [], dict(tables)
    for part in found.segments:
        if part.marker == DHT:
            table = left.pop((part.payload[0] >> 4, part.payload[0] & 15))
            parts.append(Segment(DHT, part.payload[:1] + bytes(table.counts) + table.symbols))
        else:
            parts.append(Segment(part.marker, part.payload, scan if part.marker == SOS else b""))
    data = Jpeg(tuple(parts)).to_bytes()
    assert np.array_equal(decoded(data), decoded(jpeg(picture)))
    assert list(describe(read_coding(read_segments(data)))["huffman"]) == ["DC0", "DC1", "AC0", "AC1"]
    assert like(data, picture) == data
    assert np.array_equal(decoded(like(data)), decoded(jpeg(PICTURE)))


@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 4}])
def test_progressive_files_are_pillows(options):
    data = jpeg(PICTURE, progressive=True, **options)
    assert like(data) == data
    other = renamed(data, (1, 2, 3), (0x12, 0x11, 0x11))
    with pytest.raises(CamaError, match="found progressive, 4:4:0, which cannot be imitated"):
        like(other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"precision": 12}, "found baseline of 12 bits, which cannot be imitated"),
        ({"process": "lossless"}, "found lossless of 8 bits, which cannot be imitated"),
        ({"components": [[1, 1, 1, 0]]}, "found 1 components, expected 3: a picture in colour"),
        ({"components": [[1, 2, 2, 0], [2, 2, 2, 1], [3, 2, 2, 1]]}, "expected at most 10 blocks in an MCU"),
        ({"layout": ["SOF0", "SOS"]}, "found DQT in the order of segments, which the coding does not have there"),
        ({"huffman": "own", "layout": ["DQT 0", "DQT 1", "SOF0", *["DHT"] * 4, "SOS"]}, "found other "),
        ({"components": [[1, 0, 1, 0], [2, 1, 1, 1], [3, 1, 1, 1]]}, "expected those of a JPEG"),
        ({"components": [[1, 2, 2, 0], [1, 1, 1, 1], [3, 1, 1, 1]]}, "expected those of a JPEG"),
        ({"components": [[1, 2, 2, 0], [2, 1, 1, 3], [3, 1, 1, 1]]}, "expected those of a JPEG"),
        ({"scans": [[[[9, 0, 0]], [0, 63], [0, 0]]]}, "found a scan of a component that the frame does not have"),
        ({"quantisation": {"0": [300] * 64, "1": [9] * 64}}, "found the step 300 in a table of one byte a step"),
        ({"huffman": {"DC0": "00" * 15 + "0201"}}, "found 1 symbols in the Huffman table DC0, expected 2"),
        (
            {"huffman": {"DC0": "03" + "00" * 15 + "000102"}},
            "found more codes in the Huffman table DC0 than their lengths",
        ),
        ({"huffman": {"DC0": "00" * 15 + "0101"}}, "found no Huffman table DC1, which a scan names"),
        ({"scans": []}, "found 0 scans of baseline, expected each component in one of them"),
    ],
)
def test_what_cannot_be_imitated_is_named(change, words):
    found = read_segments(jpeg(PICTURE))
    coding = describe(read_coding(found)) | change
    with pytest.raises(CamaError, match=words):
        encode_like(PICTURE, coding, [segment.name for segment in found.segments])
