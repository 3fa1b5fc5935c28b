"""Tests of cama.jpeg.exif, with Pillow as the other reader and writer."""

import io
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.exif import HEADER, join_exif, read_exif
from cama.jpeg.exif_text import text_of
from cama.jpeg.segments import read_segments
from tests.jpeg.helpers import jpeg
from tests.real_photographs import needs_photographs, photographs

MAKE, MODEL, ARTIST, EXPOSURE, SERIAL, LATITUDE = 0x010F, 0x0110, 0x013B, 0x829A, 0xA431, 2


def written() -> bytes:
    """An APP1 payload with entries in three directories, as Pillow writes it."""
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ARTIST] = "Alcyon", "A10", "Jorunn Dahl"
    exif.get_ifd(0x8769)[SERIAL] = "0042"
    exif.get_ifd(0x8769)[EXPOSURE] = (1, 250)
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[LATITUDE] = (59.0, 54.0, 30.5)
    return exif.tobytes()


def tiff(order: str, *entries: tuple[int, int, int, bytes], after: bytes = b"", following: int = 0) -> bytes:
    """An APP1 payload with one directory of entries (tag, type, count, four bytes)."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    body = struct.pack(f"{order}H", len(entries))
    body += b"".join(struct.pack(f"{order}HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return HEADER + head + body + struct.pack(f"{order}I", following) + after


def test_what_pillow_wrote_is_read():
    exif = read_exif(written())
    assert exif.get("IFD0", MAKE) == "Alcyon"
    assert exif.get("IFD0", ARTIST) == "Jorunn Dahl"
    assert exif.get("Exif", SERIAL) == "0042"
    assert exif.get("Exif", EXPOSURE) in ((1, 250), (4, 1000))
    assert exif.get("GPS", LATITUDE) == ((59, 1), (54, 1), (61, 2))
    assert exif.faults == []
    assert {entry.name for entry in exif.entries} >= {"Make", "BodySerialNumber", "GPSLatitude", "ExposureTime"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order):
    exif = read_exif(tiff(order, (0x0112, 3, 1, struct.pack(f"{order}HH", 6, 0)), (MAKE, 2, 4, b"Abc\0")))
    assert (exif.get("IFD0", 0x0112), exif.get("IFD0", MAKE)) == (6, "Abc")


def test_the_thumbnail_is_found():
    small = jpeg()
    place = 8 + 2 + 4 + 2 + 24 + 4
    second = (
        struct.pack("<H", 2)
        + struct.pack("<HHII", 0x0201, 4, 1, place)
        + struct.pack("<HHII", 0x0202, 4, 1, len(small))
    )
    exif = read_exif(tiff("<", after=second + b"\0\0\0\0" + small, following=14))
    assert exif.thumbnail == small
    assert exif.faults == []


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (tiff("<", (1, 99, 1, b"1234")), "IFD0: an entry 0x0001 of the unknown type 99"),
        (tiff("<", (MAKE, 2, 400, struct.pack("<I", 20))), "IFD0: an entry 0x010f that ends behind the segment"),
        (tiff("<", (MAKE, 2, 2**32 - 1, struct.pack("<I", 8))), "IFD0: an entry 0x010f that ends behind the segment"),
        (tiff("<", (0x8769, 4, 1, struct.pack("<I", 60000))), "Exif: a directory outside the segment"),
        (tiff("<", (0x8769, 4, 1, struct.pack("<I", 8))), "Exif: a second directory of that kind"),
        (tiff("<", (0x0112, 3, 1, b"\1\0\0\0"), following=8000), "IFD1: a directory outside the segment"),
        (HEADER + b"II*\0\x08\0\0\0\xff\xff", "IFD0: 65535 entries that end behind the segment"),
        (
            tiff("<", (0x0201, 4, 1, b"\x09\0\0\0"), (0x0202, 4, 1, b"\xff\xff\0\0")),
            "IFD0: a thumbnail that ends behind the segment",
        ),
        (tiff("<", (0x8825, 3, 2, b"\0\0\1\0")), "IFD0: GPSInfo of another type than an offset"),
    ],
)
def test_what_breaks_the_standard_is_a_fault_and_the_rest_is_read(payload, fault):
    assert any(found.startswith(fault) for found in read_exif(payload).faults)


def test_what_programs_read_outside_the_standard_is_read():
    """A GPS directory behind an offset with a sign, a third directory in a row, and a picture in the first."""
    gps = struct.pack("<HHHI4sI", 1, 1, 2, 2, b"N\0\0\0", 0)
    assert read_exif(tiff("<", (0x8825, 9, 1, struct.pack("<I", 26)), after=gps)).get("GPS", 1) == "N"
    second, third = struct.pack("<HI", 0, 20), struct.pack("<HHHI4sI", 1, 0x013B, 2, 4, b"Ann\0", 0)
    exif = read_exif(tiff("<", after=second + third, following=14))
    assert (exif.get("IFD2", 0x013B), exif.faults) == ("Ann", [])
    small = jpeg()
    entries = (0x0201, 4, 1, struct.pack("<I", 38)), (0x0202, 4, 1, struct.pack("<I", len(small)))
    assert read_exif(tiff("<", *entries, after=small)).thumbnail == small


def test_directories_in_a_row_end():
    """One that names itself, and one of the standard's own that names another."""
    assert "IFD9: " not in str(read_exif(tiff("<", following=8)).faults)
    odd = struct.pack("<HI", 0, 8)
    faults = read_exif(tiff("<", (0x8769, 4, 1, struct.pack("<I", 26)), after=odd)).faults
    assert faults == ["Exif: names a further directory, which was not followed"]


def test_bytes_that_nothing_names_are_kept():
    exif = read_exif(tiff("<", (MAKE, 2, 4, b"Abc\0"), after=b"\0\0Jane Doe, 12 Elm Street\0"))
    assert exif.unreferenced == b"Jane Doe, 12 Elm Street"
    exif = read_exif(tiff("<", (MAKE, 2, 8, struct.pack("<I", 26)), after=b"A maker\0"))
    assert exif.unreferenced == b""


@pytest.mark.parametrize(("kind", "values"), [(3, (300, 301)), (6, (-1, -2)), (9, (-5,)), (4, (70_000,))])
def test_texts_of_windows_of_another_type_are_numbers(kind, values):
    size = {3: "H", 6: "b", 9: "i", 4: "I"}[kind]
    packed = struct.pack(f"<{len(values)}{size}", *values).ljust(4, b"\0")
    exif = read_exif(tiff("<", (0x9C9D, kind, len(values), packed)))
    (entry,) = exif.entries
    assert text_of(entry, exif) == " ".join(map(str, values))


def test_a_header_that_does_not_follow_at_once_is_found():
    good = tiff("<", (MAKE, 2, 4, b"Abc\0"))
    for before in (b"\0\0", HEADER, b"\0" * 40):
        exif = read_exif(HEADER + before + good[len(HEADER) :])
        assert exif.get("IFD0", MAKE) == "Abc"
        assert exif.faults == [f"EXIF: its TIFF header stands at byte {6 + len(before)}, expected it at byte 6"]
    with pytest.raises(CamaError, match="expected a TIFF header"):
        read_exif(HEADER + bytes(60) + good[len(HEADER) :])
    with pytest.raises(CamaError, match="ends within its TIFF header"):
        read_exif(HEADER + bytes(20) + b"II*\0\x08")


def test_segments_without_a_header_continue_the_one_before():
    first, second = tiff("<", (MAKE, 2, 4, b"Abc\0")), tiff(">", (MAKE, 2, 4, b"Def\0"))
    assert join_exif([first[:20], HEADER + first[20:], second]) == [first, second]
    assert join_exif([HEADER + b"other", first]) == [HEADER + b"other", first]
    assert join_exif([]) == []


def test_a_directory_that_is_too_long_is_read_as_far_as_it_can_be():
    """The values behind it are no entries."""
    good = tiff("<", (MAKE, 2, 4, b"Abc\0"), (0x0110, 2, 5, struct.pack("<I", 38)), after=b"X 10\0" + bytes(range(90)))
    at = len(HEADER) + 8
    exif = read_exif(good[:at] + b"\xff\0" + good[at + 2 :])
    assert [(entry.tag, entry.value) for entry in exif.entries] == [(MAKE, "Abc"), (0x0110, "X 10")]
    assert exif.faults == ["IFD0: 255 entries that end behind the segment"]


def test_the_rest_of_a_text_that_was_cut_is_read():
    exif = read_exif(tiff("<", (0x013B, 2, 40, struct.pack("<I", 26)), after=b"Jane Doe, 12 E"))
    assert exif.get("IFD0", 0x013B) == "Jane Doe, 12 E"
    assert exif.faults == ["IFD0: an entry 0x013b that ends behind the segment"]


@pytest.mark.parametrize(
    "payload", [b"", HEADER, HEADER + b"II*\0", HEADER + b"XX*\0\x08\0\0\0", HEADER + b"II+\0\x08\0\0\0"]
)
def test_a_header_that_is_none_is_refused(payload):
    with pytest.raises(CamaError, match="expected a TIFF header"):
        read_exif(payload, "a.jpg")


@pytest.mark.parametrize("value", [-1, -20, -(2**31)])
@pytest.mark.parametrize("kind", [9, 6, 8])
def test_offsets_with_a_sign_are_not_followed(kind, value):
    packed = struct.pack("<i", value)
    exif = read_exif(tiff("<", (0x8769, kind, 1, packed), (0x8825, kind, 1, packed)))
    assert {entry.group for entry in exif.entries} == {"IFD0"}


def test_a_directory_in_the_header_is_a_fault():
    assert read_exif(tiff("<", (0x8769, 4, 1, b"\0\0\0\0"))).faults == ["Exif: a directory outside the segment"]


def test_all_texts_of_an_entry_are_read():
    copyright_ = b" \0the editor\0"
    exif = read_exif(tiff("<", (0x8298, 2, len(copyright_), struct.pack("<I", 26)), after=copyright_))
    assert exif.get("IFD0", 0x8298) == " ; the editor"
    author = "Jorunn".encode("utf-16-le") + b"\0\0"
    exif = read_exif(tiff("<", (0x9C9D, 1, len(author), struct.pack("<I", 26)), after=author))
    assert text_of(exif.entries[0], exif) == "Jorunn"
    exif = read_exif(tiff("<", (0xA437, 129, 4, b"Ann\0")))
    assert exif.get("IFD0", 0xA437) == "Ann"


def test_entries_that_share_their_bytes_do_not_multiply():
    """Five thousand entries of 60,000 bytes each would be 300 MB."""
    many = [(0x1000 + i, 7, 60_000, struct.pack("<I", 8)) for i in range(5000)]
    start = time.process_time()
    exif = read_exif(tiff("<", *many, after=b"x" * 1000))
    assert time.process_time() - start < 1
    assert sum(len(entry.value) for entry in exif.entries) <= 70_000
    assert exif.faults == ["IFD0: entries that share their bytes"]


WRITTEN = written()


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.integers(6, len(WRITTEN) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(14, 400),
)
def test_damaged_exif_is_read_or_refused(changes, end):
    data = bytearray(WRITTEN)
    for at, value in changes:
        data[at] = value
    for payload in (bytes(data), bytes(data[:end])):
        try:
            exif = read_exif(payload)
        except CamaError:
            continue
        assert all(entry.name and isinstance(text_of(entry, exif), str) for entry in exif.entries)


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header_are_read(data):
    read_exif(HEADER + b"II*\0\x08\0\0\0" + data)


@needs_photographs
def test_real_photographs_have_what_pillow_reads():
    for path in photographs("natural"):
        (segment,) = read_segments(path.read_bytes()).of_kind("Exif")
        exif = read_exif(segment.payload)
        assert exif.faults == []
        with Image.open(path) as image:
            expected = image.getexif()
            for tag, value in expected.items():
                if isinstance(value, (str, int)):
                    assert exif.get("IFD0", tag) == value
            inner = {
                tag: value for tag, value in expected.get_ifd(0x8769).items() if isinstance(value, (str, int, bytes))
            }
        assert len(inner) > 20
        assert {tag: exif.get("Exif", tag) for tag in inner} == inner
        with Image.open(io.BytesIO(exif.thumbnail)) as thumbnail:
            assert thumbnail.size == (160, 120)


@pytest.mark.parametrize(
    ("stored", "name", "behind"),
    [
        (b"X10\0\0\xffqz9\0", "X10", ["IFD0: 4 bytes behind the end of Model: '\xffqz9'"]),
        (b"X10\0\0\0\0\0", "X10", []),
        (b"X10   \0", "X10   ", []),
        (b"X10", "X10", []),
        (b"\0X10\0", "; X10", []),
    ],
)
def test_a_cameras_name_ends_at_its_first_nul(stored, name, behind):
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, MODEL, 2, len(stored), 26) + b"\0" * 4 + stored
    found = read_exif(b"Exif\0\0" + tiff)
    if len(stored) > 4:
        assert (found.get("IFD0", MODEL), found.faults) == (name, behind)
    else:
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHI4s", 1, MODEL, 2, len(stored), stored) + b"\0" * 4
        assert read_exif(b"Exif\0\0" + tiff).get("IFD0", MODEL) == name
