"""Tests of how cama.photo.decoding finds out how a photograph is to be turned."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from cama.jpeg.segments import Segment, read_segments
from cama.photo.decoding import read_srgb
from tests.jpeg.helpers import jpeg

PLAIN = jpeg()
ORIENTATION = 0x0112
FORMS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
NAMES = {1: "BYTE", 3: "SHORT", 4: "LONG", 6: "SBYTE", 8: "SSHORT", 9: "SLONG", 11: "FLOAT", 12: "DOUBLE", 13: "IFD"}


def exif(order: str, kind: int, count: int, value: bytes) -> bytes:
    """An APP1 payload whose only entry is an orientation."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{order}I", 26)
    behind = value if len(value) > 4 else b""
    return b"Exif\0\0" + head + struct.pack(f"{order}HHHI", 1, ORIENTATION, kind, count) + place + bytes(4) + behind


def with_app1(path: Path, *payloads: bytes) -> Path:
    start, *rest = read_segments(PLAIN).segments
    parts = (start, *(Segment(0xE1, payload) for payload in payloads), *rest)
    path.write_bytes(b"".join(part.to_bytes() for part in parts))
    return path


def xmp(text: str) -> bytes:
    return b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + text.encode() + b"</x:xmpmeta>"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", NAMES, ids=NAMES.values())
def test_every_type_of_number_is_an_orientation(order, kind, tmp_path):
    for value in range(1, 9):
        path = with_app1(tmp_path / "a.jpg", exif(order, kind, 1, struct.pack(order + FORMS[kind], value)))
        assert read_srgb(path)[1:] == (value, [])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (2, 2, b"6\0"),
        (2, 1, b"6"),
        (2, 4, b" 6 \0"),
        (129, 2, b"6\0"),
        (7, 1, b"\6"),
        (1, 3, b"\6\1\1"),
        (1, 70, b"\6" * 70),
    ],
    ids=["ASCII", "without a NUL", "blanks", "UTF-8", "UNDEFINED", "three BYTEs", "seventy BYTEs"],
)
def test_texts_and_bytes_are_orientations(order, kind, count, value, tmp_path):
    assert read_srgb(with_app1(tmp_path / "a.jpg", exif(order, kind, count, value)))[1:] == (6, [])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "values"), [(3, (6, 1)), (3, (6, 1, 1)), (4, (6, 8)), (8, (6, 3)), (5, (6, 1)), (10, (12, 2))]
)
def test_the_first_of_several_values_counts(order, kind, values, tmp_path):
    count = 1 if kind in (5, 10) else len(values)  # a fraction is two numbers
    raw = struct.pack(order + FORMS[kind][0] * len(values), *values)
    assert read_srgb(with_app1(tmp_path / "a.jpg", exif(order, kind, count, raw)))[1:] == (6, [])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "count", "form", "value"),
    [
        (3, 1, "H", 0),
        (3, 1, "H", 9),
        (8, 1, "h", -6),
        (4, 1, "I", 0x60000),
        (11, 1, "f", 6.5),
        (3, 0, "H", 6),
        (2, 2, "2s", b"x"),
    ],
)
def test_a_value_out_of_range_is_ignored_with_a_warning(order, kind, count, form, value, tmp_path):
    _, orientation, (warning,) = read_srgb(
        with_app1(tmp_path / "a.jpg", exif(order, kind, count, struct.pack(order + form, value)))
    )
    assert orientation == 1
    assert warning.startswith("its orientation was ignored: found ")


@pytest.mark.parametrize(
    "text", ['<rdf tiff:Orientation="6"/>', "<tiff:Orientation>6</tiff:Orientation>", "<rdf tiff:Orientation = '6'/>"]
)
def test_xmp_counts_where_exif_says_nothing(text, tmp_path):
    path = tmp_path / "a.jpg"
    assert read_srgb(with_app1(path, xmp(text)))[1:] == (6, [])
    empty = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6)
    assert read_srgb(with_app1(path, empty, xmp(text)))[1:] == (6, [])
    said = exif("<", 3, 1, b"\3\0")
    assert read_srgb(with_app1(path, xmp(text), said))[1:] == (3, [])
    odd = exif("<", 3, 1, b"\0\0")
    assert read_srgb(with_app1(path, odd, xmp(text)))[1] == 1
    assert "found 77" in read_srgb(with_app1(path, xmp(text.replace("6", "77"))))[2][0]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool, an independent witness, is not installed")
def test_exiftool_agrees(tmp_path):
    for order in "<>":
        for kind in NAMES:
            with_app1(tmp_path / f"{kind}{ord(order)}.jpg", exif(order, kind, 1, struct.pack(order + FORMS[kind], 8)))
        with_app1(tmp_path / f"text{ord(order)}.jpg", exif(order, 2, 2, b"8\0"))
    with_app1(tmp_path / "xmp.jpg", b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
              b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
              b' tiff:Orientation="8"/></rdf:RDF></x:xmpmeta>')  # fmt: skip
    done = subprocess.run(
        ["exiftool", "-n", "-json", "-Orientation", tmp_path], capture_output=True, text=True, check=True
    )
    records = json.loads(done.stdout)
    assert len(records) == 2 * len(NAMES) + 3
    for record in records:
        assert str(read_srgb(Path(record["SourceFile"]))[1]) == str(record["Orientation"]) == "8"


def test_other_containers_are_turned_too(tmp_path):
    said = Image.Exif()
    said[ORIENTATION] = 6
    for name in ("a.png", "a.webp", "a.tif"):
        Image.new("RGB", (64, 48)).save(tmp_path / name, exif=said)
        picture, orientation, warnings = read_srgb(tmp_path / name)
        assert (picture.shape, orientation, warnings) == ((48, 64, 3), 6, [])
