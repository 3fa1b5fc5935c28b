"""Tests of cama.jpeg.iptc."""

import struct

import pytest

from cama.jpeg.iptc import Record, read_iptc


def record(number: tuple[int, int], value: bytes) -> bytes:
    return b"\x1c" + bytes(number) + struct.pack(">H", len(value)) + value


@pytest.mark.parametrize(
    ("head", "encoding"), [(record((1, 90), b"\x1b%G"), "utf-8"), (b"", "utf-8"), (b"", "latin-1"), (b"", "cp1252")]
)
def test_names_are_read_in_the_encoding_that_is_declared_or_can_be(head, encoding):
    data = head + record((2, 0), b"\0\4") + record((2, 80), "Zoë Müller".encode(encoding))
    assert read_iptc(data) == ([Record("person", "By-line", "Zoë Müller")], b"")


def test_a_long_record_and_one_without_a_name_are_read():
    data = b"\x1c\x02\x78\x80\x04" + struct.pack(">I", 40_000) + b"x" * 40_000 + record((2, 221), b"own")
    found, rest = read_iptc(data)
    assert [(each.name, len(each.text)) for each in found] == [("Caption", 40_000), ("2:221", 3)]
    assert (found[1].tells, rest) == ("unknown", b"")


@pytest.mark.parametrize("broken", [b"\x1c\x02\x50\x00\xffAnn", b"\x1c\x02\x50", b"\x1c\x02\x50\xff\xff\0", b"other"])
def test_what_cannot_be_read_is_kept(broken):
    assert read_iptc(record((2, 90), b"Bergen") + broken) == ([Record("place", "City", "Bergen")], broken)
