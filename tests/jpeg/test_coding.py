"""Tests of cama.jpeg.coding, with Pillow as the other reader."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import read_coding
from cama.jpeg.quantisation import ZIGZAG
from cama.jpeg.segments import DHT, DQT, FRAMES, SOS, Jpeg, Segment, read_segments
from tests.jpeg.helpers import jpeg
from tests.real_photographs import needs_photographs, photographs


def coding(data: bytes):
    return read_coding(read_segments(data))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_what_pillow_was_asked_for_is_read(subsampling, progressive):
    tables = [list(np.random.default_rng(n).integers(1, 200, 64)) for n in (0, 1)]
    found = coding(
        jpeg(subsampling=subsampling, progressive=progressive, qtables=[list(map(int, t)) for t in tables], quality=-1)
    )
    assert found.subsampling == subsampling
    assert found.process == ("progressive" if progressive else "baseline")
    assert (found.width, found.height, found.precision) == (64, 48, 8)
    assert [found.quantisation[n] for n in (0, 1)] == [tuple(map(int, table)) for table in tables]
    assert (len(found.scans) > 1) == progressive
    assert {(table.kind, table.identifier) for table in found.huffman} >= {(0, 0), (1, 0)}


def test_one_component_is_grey():
    buffer = io.BytesIO()
    Image.new("L", (16, 8), 9).save(buffer, "JPEG")
    assert coding(buffer.getvalue()).subsampling == "grey"


def test_the_restart_interval_is_read():
    assert coding(jpeg(restart_marker_blocks=2)).restart == 2
    assert coding(jpeg()).restart == 0


def changed(marker: int, change) -> Jpeg:
    """A JPEG with the payload of each segment of a kind changed."""
    segments = read_segments(jpeg()).segments
    return Jpeg(tuple(Segment(s.marker, change(s.payload), s.scan) if s.marker == marker else s for s in segments))


def without(*markers: int) -> Jpeg:
    return Jpeg(tuple(s for s in read_segments(jpeg()).segments if s.marker not in markers))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (without(*FRAMES), "found 0 frames, expected one"),
        (without(SOS), "found no scan, expected a picture"),
        (without(DQT), "found no quantisation table 0, which a component names"),
        (changed(0xC0, lambda p: p[:-1]), "found a segment SOF0 of 16 bytes"),
        (changed(0xC0, lambda p: p[:1] + b"\0\0" + p[3:]), "found a picture of 64x0 pixels"),
        (changed(0xC0, lambda p: p[:7] + b"\x51" + p[8:]), "found a component sampled 51"),
        (changed(0xC0, lambda p: p[:9] + p[6:7] + p[10:]), "found two components of one name"),
        (changed(SOS, lambda p: p[:1] + b"\x09" + p[2:]), "found a scan of the component 9"),
        (changed(SOS, lambda p: b"\x07" + p[1:]), "found a segment SOS"),
        (changed(DQT, lambda p: p[:-1]), "expected whole tables of 64 steps"),
        (changed(DQT, lambda p: p[:5] + b"\0" + p[6:]), "found a step of 0 in the quantisation table"),
        (changed(DHT, lambda p: p + b"\0"), "expected whole Huffman tables"),
        (changed(DHT, lambda p: p[:1] + b"\xff" + p[2:]), "as many symbols as its counts say"),
        (Jpeg((*without().segments[:-1], Segment(0xDC, b"\0\0"), without().segments[-1])), "found the height behind"),
        (
            Jpeg((*without().segments[:-1], Segment(0xDD, b"\0"), without().segments[-1])),
            "found a segment DRI of 3 bytes",
        ),
    ],
)
def test_contradictions_are_refused(found, words):
    with pytest.raises(CamaError) as error:
        read_coding(found, "a.jpg")
    assert str(error.value).startswith("a.jpg: ")
    assert words in str(error.value)


def test_sixteen_bit_tables_are_read():
    steps = list(range(300, 364))
    payload = b"\x10" + struct.pack(">64H", *steps)
    segments = list(without(DQT).segments)
    found = read_coding(Jpeg((segments[0], Segment(DQT, payload), Segment(DQT, b"\x11" + payload[1:]), *segments[1:])))
    assert [found.quantisation[0][place] for place in ZIGZAG] == steps


BASE = jpeg()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 640), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_is_read_or_refused(changes):
    data = bytearray(BASE)
    for at, value in changes:
        data[at] = value
    try:
        coding(bytes(data))
    except CamaError as error:
        assert "\n" not in str(error)


@needs_photographs
def test_real_photographs_have_the_tables_that_pillow_reads():
    for path in photographs():
        found = coding(path.read_bytes())
        with Image.open(path) as image:
            assert found.quantisation == {name: tuple(table) for name, table in image.quantization.items()}
            assert (found.width, found.height) == image.size
        assert found.subsampling == "4:2:2"
