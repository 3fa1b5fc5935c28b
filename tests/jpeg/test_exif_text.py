"""Places in degrees, and comments in the encoding that they declare."""

import struct
from typing import Any

import pytest

from cama.jpeg.exif import Entry, Exif, read_exif
from cama.jpeg.exif_text import decode_comment, text_of
from tests.jpeg.test_exif import tiff

RATIONAL, SIGNED_RATIONAL, DOUBLE, ASCII, BYTE, SHORT, UNDEFINED = 5, 10, 12, 2, 1, 3, 7
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE, ALTITUDE_REF, ALTITUDE, TIME = 1, 2, 3, 4, 5, 6, 7
NORTH = Entry("GPS", LATITUDE_REF, "N", ASCII)


def gps(tag: int, value: Any, kind: int, *others: Entry) -> str:
    entry = Entry("GPS", tag, value, kind)
    return text_of(entry, Exif("<", [*others, entry]))


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("N", "59° 54' 30.5\" N (59.908472)"),
        ("S", "59° 54' 30.5\" S (-59.908472)"),
        ("n", "59° 54' 30.5\" N (59.908472)"),
        ("South", "59° 54' 30.5\" S (-59.908472)"),
        ("X", "59° 54' 30.5\" (59.908472, north or south is not told)"),
        ("", "59° 54' 30.5\" (59.908472, north or south is not told)"),
        (b"S\0", "59° 54' 30.5\" S (-59.908472)"),
    ],
)
def test_a_latitude_is_told_in_both_ways(side, expected):
    value = ((59, 1), (54, 1), (61, 2))
    assert gps(LATITUDE, value, RATIONAL, Entry("GPS", LATITUDE_REF, side, ASCII)) == expected


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("E", "10° 45' 7.2\" E (10.752000)"),
        ("W", "10° 45' 7.2\" W (-10.752000)"),
        ("", "10° 45' 7.2\" (10.752000, east or west is not told)"),
    ],
)
def test_a_longitude_too(side, expected):
    value = ((10, 1), (45, 1), (72, 10))
    others = NORTH, Entry("GPS", LONGITUDE_REF, side, ASCII)
    assert gps(LONGITUDE, value, RATIONAL, *others) == expected
    others = Entry("GPS", 19, "N", ASCII), Entry("GPS", 21, side, ASCII)
    assert gps(22, value, RATIONAL, *others) == expected  # of the destination


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (((59, 1), (5450833, 100000), (0, 1)), RATIONAL, "59° 54.50833' 0\" N (59.908472)"),
        (((59908472, 1000000), (0, 1), (0, 1)), RATIONAL, "59.908472° 0' 0\" N (59.908472)"),
        (((59, 1), (54, 1), (1, 0)), RATIONAL, "59° 54' 1/0\" N (about 59.900000)"),
        (((59, 1), (0, 0), (0, 0)), RATIONAL, "59° 0/0' 0/0\" N (about 59.000000)"),
        (((1, 0), (54, 1), (30, 1)), RATIONAL, "1/0° 54' 30\" N (no place can be told)"),
        (((59, 1), (30, 1)), RATIONAL, "59° 30' N (59.500000)"),
        ((59, 2), RATIONAL, "29.5° N (29.500000)"),
        ((59.5, 0.0, 0.0), DOUBLE, "59.5° 0' 0\" N (59.500000)"),
        ((float("nan"), 0.0, 0.0), DOUBLE, "nan° 0' 0\" N (no place can be told)"),
        ((59, 30, 0), SHORT, "59° 30' 0\" N (59.500000)"),
        ("59,54.5N", ASCII, "59,54.5N"),
        (b"\1\2\3", UNDEFINED, "3 bytes"),
    ],
)
def test_a_latitude_of_any_shape_is_text(value, kind, expected):
    assert gps(LATITUDE, value, kind, NORTH) == expected


def test_a_negative_latitude_is_south_whatever_else_is_said():
    value = ((-59, 1), (0, 1), (0, 1))
    south = Entry("GPS", LATITUDE_REF, "S", ASCII)
    assert gps(LATITUDE, value, SIGNED_RATIONAL, south) == "-59° 0' 0\" S (-59.000000)"


@pytest.mark.parametrize(
    ("level", "value", "expected"),
    [
        (0, (1234, 10), "123.4 m above sea level"),
        (1, (12, 1), "12 m below sea level"),
        (b"\1", (12, 1), "12 m below sea level"),
        ("0", (12, 1), "12 m above sea level"),
        (3, (12, 1), "12 m below the ellipsoid"),
        (None, (12, 1), "12 m (above or below sea level is not told)"),
        ((1, 2), (12, 1), "12 m (above or below sea level is not told)"),
        (0, (12, 0), "12/0"),
    ],
)
def test_the_altitude_is_in_metres(level, value, expected):
    others = [] if level is None else [Entry("GPS", ALTITUDE_REF, level, BYTE)]
    assert gps(ALTITUDE, value, RATIONAL, *others) == expected


def test_other_values_of_the_receiver_have_their_units():
    assert gps(TIME, ((7, 1), (5, 1), (95, 10)), RATIONAL) == "07:05:09.5 UTC"
    assert gps(TIME, ((7, 1), (5, 1), (95, 0)), RATIONAL) == "7 5 95/0"
    assert gps(13, (25, 2), RATIONAL, Entry("GPS", 12, "K")) == "12.5 km/h"
    assert gps(17, (25, 2), RATIONAL, Entry("GPS", 16, "T")) == "12.5 degrees, true north"
    assert gps(17, (25, 2), RATIONAL) == "12.5"


def test_fractions_are_written_as_fractions():
    entries = [
        Entry("Exif", 0x829A, (1, 250), RATIONAL),
        Entry("Exif", 0x920A, (50, 1), RATIONAL),
        Entry("Exif", 0x9204, (-1, 3), SIGNED_RATIONAL),
        Entry("Exif", 0x829A, (1, 0), RATIONAL),
        Entry("Exif", 0xA432, ((18, 1), (55, 1), (7, 2)), RATIONAL),
        Entry("IFD0", 0x0102, (8, 8), SHORT),
    ]
    assert [text_of(entry, Exif("<", entries)) for entry in entries] == [
        "1/250",
        "50",
        "-1/3",
        "1/0",
        "18 55 7/2",
        "8 8",
    ]


SAID = "Grüße aus Oslo, 東京"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("written", ["<", ">"])
def test_utf_16_is_read_in_the_order_of_the_exif_and_where_programs_take_the_other(order, written):
    data = SAID.encode({"<": "utf-16-le", ">": "utf-16-be"}[written])
    assert decode_comment(b"UNICODE\0" + data, order) == SAID
    mark = "\ufeff".encode({"<": "utf-16-le", ">": "utf-16-be"}[written])
    assert decode_comment(b"UNICODE\0" + mark + data + b"\0\0", order) == SAID


@pytest.mark.parametrize("order", ["<", ">"])
def test_utf_16_without_a_plain_letter_is_of_the_order_of_the_exif(order):
    data = "東京".encode({"<": "utf-16-le", ">": "utf-16-be"}[order])
    assert decode_comment(b"UNICODE\0" + data, order) == "東京"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"ASCII\0\0\0by Jorunn   \0\0", "by Jorunn"),
        (b"ASCII\0\0\0" + SAID.encode(), SAID),  # against the standard, but common
        (b"ASCII\0\0\0caf\xe9", "café"),
        (b"ascii\0\0\0by Jorunn", "by Jorunn"),
        (b"JIS\0\0\0\0\0" + "東京".encode("iso2022_jp"), "東京"),
        (b"JIS\0\0\0\0\0" + "東京".encode("euc_jp"), "東京"),
        (bytes(8) + b"by Jorunn", "by Jorunn"),
        (bytes(8) + SAID.encode(), SAID),
        (bytes(8) + SAID.encode("utf-16-le"), SAID),
        (bytes(8) + "by Jorunn".encode("utf-16-be"), "by Jorunn"),
        (b"by Jorunn, without a header", "by Jorunn, without a header"),
        (bytes(8) + bytes(range(256)), "264 bytes"),
        (bytes(40), ""),
        (b"ASCII\0\0\0", ""),
        (b"", ""),
        (b"UNICODE\0a", ""),
    ],
)
def test_a_comment_is_text_in_the_encoding_that_it_declares(data, expected):
    assert decode_comment(data, "<") == expected


@pytest.mark.parametrize("kind", [UNDEFINED, ASCII, BYTE])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pointer", [0x8769, 0x8825])
def test_a_comment_in_a_file_is_read_whatever_type_it_has(kind, order, pointer):
    comment = b"UNICODE\0" + "by Jorunn".encode({"<": "utf-16-le", ">": "utf-16-be"}[order])
    place = struct.pack(f"{order}I", 44)
    inner = (
        struct.pack(f"{order}HHHI", 1, 0x9286 if pointer == 0x8769 else 0x1B, kind, len(comment))
        + place
        + bytes(4)
        + comment
    )
    exif = read_exif(tiff(order, (pointer, 4, 1, struct.pack(f"{order}I", 26)), after=inner))
    assert exif.faults == []
    assert [text_of(entry, exif) for entry in exif.entries if entry.is_comment] == ["by Jorunn"]
