"""Tests of cama.jpeg.exif_writing, with our reader and Pillow's as witnesses."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from cama.core.errors import CamaError
from cama.jpeg.exif import HEADER, TYPES, Entry, read_exif
from cama.jpeg.exif_writing import minimal_exif, write_exif
from cama.jpeg.profile import ExifStyle
from tests.jpeg.helpers import jpeg

NUMBERS = {3: (0, 2**16 - 1), 4: (0, 2**32 - 1), 8: (-(2**15), 2**15 - 1), 9: (-(2**31), 2**31 - 1)}
POINTERS = {0x8769, 0x8825, 0xA005, 0x0201, 0x0202}


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Entries of any type in any directory, each tag once."""
    places = draw(
        st.lists(
            st.tuples(st.sampled_from(["IFD0", "Exif", "Interop", "IFD1"]), st.integers(1, 2**16 - 1)),
            unique=True,
            max_size=12,
        )
    )
    found = []
    for group, tag in places:
        if tag in POINTERS:
            continue
        kind = draw(st.sampled_from([2, 129, 3, 4, 5, 7, 8, 9, 10]))
        if kind in (2, 129):
            codec = "ascii" if kind == 2 else "utf-8"
            value = draw(st.text(st.characters(codec=codec, exclude_characters="\0;"), max_size=20))
        elif kind == 7:
            value = draw(st.binary(max_size=20))
        else:
            one = st.integers(*NUMBERS[{5: 4, 10: 9}.get(kind, kind)])
            one = st.tuples(one, one) if kind in (5, 10) else one
            several = draw(st.lists(one, min_size=1, max_size=4))
            value = several[0] if len(several) == 1 else tuple(several)
        found.append(Entry(group, tag, value, kind))
    return found


@given(st.sampled_from("<>"), entries(), st.booleans())
def test_what_is_written_is_read(order, given, with_thumbnail):
    thumbnail = b"\xff\xd8 a thumbnail" if with_thumbnail else b""
    exif = read_exif(write_exif(order, given, thumbnail))
    assert (exif.faults, exif.order, exif.thumbnail) == ([], order, thumbnail)
    read = [entry for entry in exif.entries if entry.tag not in POINTERS]
    assert sorted(read, key=lambda e: (e.group, e.tag)) == sorted(given, key=lambda e: (e.group, e.tag))


def test_pillow_reads_it():
    given = [
        Entry("IFD0", 0x010F, "Alcyon"),
        Entry("IFD0", 0x011A, (300, 1), 5),
        Entry("Exif", 0x9000, b"0221", 7),
        Entry("Interop", 1, "R98"),
    ]
    payload = write_exif(">", given, jpeg())
    with Image.open(io.BytesIO(jpeg(exif=payload))) as image:
        exif = image.getexif()
        assert (exif[0x010F], exif[0x011A]) == ("Alcyon", 300)
        assert exif.get_ifd(0x8769)[0x9000] == b"0221"
        assert exif.get_ifd(0xA005)[1] == "R98"
        assert exif.get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(jpeg())


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry("IFD0", 0x010F, "\u00e9"), "found a Make that cannot be written"),
        (Entry("IFD0", 0x0112, 70_000, 3), "found a Orientation that cannot be written"),
        (Entry("IFD0", 0x0112, "one", 3), "found a Orientation that cannot be written"),
        (Entry("IFD0", 0x0112, 1, 99), "found a Orientation that cannot be written"),
        (Entry("IFD0", 0x011A, (1,), 5), "found a XResolution that cannot be written"),
        (Entry("IFD0", 0x010F, "a" * 66_000), "expected at most"),
        (Entry("GPS", 1, "N"), "found a GPSLatitudeRef in GPS, expected one of IFD0"),
    ],
)
def test_what_cannot_be_written_is_named(entry, expected):
    with pytest.raises(CamaError, match=expected):
        write_exif("<", [entry])


def style(**changes: object) -> ExifStyle:
    def entry(group: str, tag: int, kind: int, name: str, value: object = None, count: int = 3) -> dict:
        return {"group": group, "tag": tag, "type": kind, "name": name, "value": value, "count": count}

    values = {
        "byte_order": [{"count": 3, "value": "big"}],
        "entries": [
            entry("IFD0", 0x010F, 2, "Make", "NIKON CORPORATION"),
            entry("IFD0", 0x0112, 3, "Orientation"),
            entry("IFD0", 0x011A, 5, "XResolution", [300, 1]),
            entry("IFD0", 0x0131, 2, "Software", "Ver.1.00", count=2),  # not in every photograph
            entry("IFD0", 0x0132, 2, "DateTime"),
            entry("IFD0", 0x8769, 4, "ExifOffset"),
            entry("Exif", 0x9000, 7, "ExifVersion", "30323231"),
            entry("Exif", 0x9101, 7, "ComponentsConfiguration", "01020300"),
            entry("Exif", 0x927C, 7, "MakerNote"),
            entry("Exif", 0xA001, 3, "ColorSpace", 65535),  # all were taken in Adobe RGB
            entry("Exif", 0xA002, 3, "ExifImageWidth"),
            entry("Exif", 0xA003, 4, "ExifImageHeight"),
            entry("GPS", 0, 1, "GPSVersionID", [2, 2, 0, 0]),
            entry("IFD1", 0x0103, 3, "Compression", 6),
            entry("IFD1", 0x0201, 4, "JpegIFOffset"),
            entry("IFD1", 0x0202, 4, "JpegIFByteCount"),
        ],
    }
    return ExifStyle(**{**values, **changes})


def test_minimal_exif_holds_what_never_varies_and_the_pictures_size():
    exif = read_exif(minimal_exif(style(), 3, 640, 480, b"small"))
    found = {(e.group, e.name): (e.value, e.kind) for e in exif.entries if e.tag not in POINTERS}
    assert found == {
        ("IFD0", "Make"): ("NIKON CORPORATION", 2),
        ("IFD0", "Orientation"): (1, 3),
        ("IFD0", "XResolution"): ((300, 1), 5),
        ("Exif", "ExifVersion"): (b"0221", 7),
        ("Exif", "ComponentsConfiguration"): (b"\1\2\3\0", 7),
        ("Exif", "ColorSpace"): (1, 3),
        ("Exif", "ExifImageWidth"): (640, 3),
        ("Exif", "ExifImageHeight"): (480, 4),
        ("IFD1", "Compression"): (6, 3),
    }
    assert (exif.order, exif.thumbnail, exif.faults) == (">", b"small", [])


def test_a_camera_that_writes_no_thumbnail_gets_none():
    entries = [entry for entry in style().model_dump()["entries"] if entry["tag"] != 0x0201]
    exif = read_exif(minimal_exif(style(entries=entries), 3, 640, 480, b"small"))
    assert exif.thumbnail == b""
    assert "IFD1" not in {entry.group for entry in exif.entries}


def test_the_layout_is_what_the_standard_says():
    payload = write_exif("<", [Entry("IFD0", 0x0112, 6, 3)])
    assert payload == HEADER + b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    assert TYPES[3][0] == 2
