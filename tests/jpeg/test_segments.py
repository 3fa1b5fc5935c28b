"""Tests of cama.jpeg.segments: every byte is somewhere, and nothing that is no JPEG passes."""

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.segments import EOI, SOI, SOS, Jpeg, Segment, read_segments
from tests.jpeg.helpers import jpeg
from tests.real_photographs import needs_photographs, photographs

KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "grey": {"picture": "L"},
    "restarts": {"restart_marker_blocks": 2},
    "comment": {"comment": b"written here"},
    "profile": {"icc_profile": b"\0" * 200},
    "exif": {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"},
}


def example(kind: str) -> bytes:
    options = dict(KINDS[kind])
    if options.pop("picture", None):
        buffer = io.BytesIO()
        Image.new("L", (40, 30), 90).save(buffer, "JPEG")
        return buffer.getvalue()
    return jpeg(**options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_segments_are_the_file(kind):
    data = example(kind)
    found = read_segments(data)
    assert found.to_bytes() == data
    assert found.segments[0].marker == SOI
    assert found.segments[-1].marker == EOI
    at = 0
    for segment in found.segments:
        assert segment.offset == at
        at += len(segment.to_bytes())
    assert at == len(data)


def test_names_say_what_a_segment_holds():
    data = jpeg(exif=KINDS["exif"]["exif"], comment=b"x", progressive=True)
    names = [segment.name for segment in read_segments(data).segments]
    assert names[:2] == ["SOI", "APP0 JFIF"]
    assert {"APP1 Exif", "COM", "DQT", "DHT", "SOF2", "SOS", "EOI"} <= set(names)
    assert names.count("SOS") > 1
    assert Segment(0xE5, b"maker's own").name == "APP5 unknown"


def test_stuffed_bytes_and_restart_markers_belong_to_the_scan():
    (scan,) = read_segments(example("restarts")).with_marker(SOS)
    assert b"\xff\xd0" in scan.scan
    assert b"\xff\xd1" in scan.scan


@pytest.mark.parametrize("trailer", [b"\0", b"\xff\xd8 another picture", b"\xff" * 9])
def test_what_stands_behind_the_picture_is_the_trailer(trailer):
    data = jpeg() + trailer
    found = read_segments(data)
    assert found.trailer == trailer
    assert found.to_bytes() == data


def test_fill_bytes_before_a_marker_are_kept():
    data = jpeg()
    filled = data[:2] + b"\xff\xff\xff" + data[2:]
    found = read_segments(filled)
    assert found.segments[1].fill == 3
    assert found.to_bytes() == filled
    assert Image.open(io.BytesIO(filled)).size == (64, 48)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "found an empty file, expected a photograph"),
        (b"\x89PNG\r\n", "found no JPEG (it begins with 89 50 4e 47), expected ff d8"),
        (b"\xff\xd8", "the end of the file at byte 2, expected a marker: it is truncated"),
        (b"\xff\xd8ABCD", "41 at byte 2, expected ff"),
        (b"\xff\xd8\xff\x00\x00\x02", "the marker 00 at byte 2, expected that of a segment"),
        (b"\xff\xd8\xff\xd8\xff\xd9", "the marker d8 at byte 2"),
        (b"\xff\xd8\xff\xd3\xff\xd9", "the marker d3 at byte 2"),
        (b"\xff\xd8\xff\xe1\x00\x01", "the length 1 at byte 4, expected at least 2"),
        (b"\xff\xd8\xff\xe1\x00", "the end of the file at byte 2, expected a segment's length"),
        (b"\xff\xd8\xff\xe1\x00\x09abc", "a segment of 9 bytes that ends behind the file at byte 2"),
        (b"\xff\xd8\xff\xda\x00\x02\x12\x34\xff\x00", "expected the end of a scan: it is truncated"),
    ],
)
def test_what_is_no_jpeg_is_refused_with_its_place(data, words):
    with pytest.raises(CamaError) as error:
        read_segments(data, "a.jpg")
    assert str(error.value).startswith("a.jpg: found ")
    assert words in str(error.value)


def test_long_runs_of_fill_bytes_take_no_time():
    start = time.process_time()
    data = jpeg()
    at = data.index(b"\xff\xda") + 14
    for end in (b"\0", b"\xd0", b""):
        hostile = data[:at] + b"\xff" * 300_000 + end
        with pytest.raises(CamaError):
            read_segments(hostile)
        whole = hostile + data[at:]
        assert read_segments(whole).to_bytes() == whole
    assert time.process_time() - start < 2


def test_a_file_of_countless_segments_is_refused():
    with pytest.raises(CamaError, match="found more than 20000 segments"):
        read_segments(b"\xff\xd8" + b"\xff\xfe\0\2" * 30_000)


def test_every_truncation_is_refused():
    data = jpeg()
    for end in range(len(data)):
        with pytest.raises(CamaError):
            read_segments(data[:end])


def parse(data: bytes) -> Jpeg | None:
    """The segments, which are the file again; None where it is refused."""
    try:
        found = read_segments(data)
    except CamaError as error:
        assert "\n" not in str(error)
        return None
    assert found.to_bytes() == data
    return found


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_kept(data):
    parse(data)
    parse(b"\xff\xd8" + data)
    parse(b"\xff\xd8" + data + b"\xff\xd9")


BASE = jpeg(progressive=True, comment=b"x" * 20)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_is_refused_or_kept(changes):
    data = bytearray(BASE)
    for at, value in changes:
        data[at] = value
    parse(bytes(data))


@needs_photographs
def test_every_byte_of_real_photographs_is_accounted_for():
    for path in photographs():
        data = path.read_bytes()
        assert read_segments(data, path.name).to_bytes() == data
