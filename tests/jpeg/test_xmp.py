"""Tests of cama.jpeg.xmp."""

import struct
import time

import pytest

from cama.jpeg.segments import Jpeg, Segment
from cama.jpeg.xmp import EXTENDED, Property, extended_xmp, read_xmp

RDF = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'


def packet(inner: str = "", attributes: str = "") -> str:
    body = f"{RDF} {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>"
    return f'<?xpacket begin="\ufeff" id="W5M0"?><x:xmpmeta xmlns:x="adobe:ns:meta/">{body}<?xpacket end="w"?>'


CREATOR = "<dc:creator><rdf:Seq><rdf:li>Jorunn Dahl</rdf:li><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_properties_are_read_from_elements_and_attributes(encoding):
    found = read_xmp(packet(CREATOR, 'exif:GPSLatitude="60,23.752N"').encode(encoding))
    assert found.whole
    assert found.properties == [
        Property("exif:GPSLatitude", "60,23.752N"),
        Property("dc:creator", "Jorunn Dahl"),
        Property("dc:creator", "Ann"),
    ]


def test_a_declaration_of_another_encoding_is_passed_over():
    data = b'<?xml version="1.0" encoding="UTF-16"?>' + packet(CREATOR).split("?>", 1)[1].encode()
    assert read_xmp(data).properties[0] == Property("dc:creator", "Jorunn Dahl")


def test_what_lies_in_another_has_both_names():
    inner = '<xmpMM:History><rdf:Seq><rdf:li stEvt:softwareAgent="Editor 1"/></rdf:Seq></xmpMM:History>'
    assert read_xmp(packet(inner).encode()).properties == [Property("xmpMM:History stEvt:softwareAgent", "Editor 1")]


def test_what_stands_before_damage_is_read():
    data = packet(CREATOR + "<dc:title>Har").encode()
    for end in (data.index(b"</rdf:Seq>"), data.index(b"Har") + 3):
        found = read_xmp(data[:end])
        assert not found.whole
        assert Property("dc:creator", "Jorunn Dahl") in found.properties


@pytest.mark.parametrize("data", [b"", b"no XMP", b"<", b"\xff\xfe<", b"<" * 100_000, b"<a:b>" * 100_000])
def test_what_is_no_packet_has_no_properties(data):
    assert read_xmp(data).properties == []
    assert not read_xmp(data).whole


def test_entities_cost_no_time_and_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9)
    )
    outside = f'<!DOCTYPE a [<!ENTITY j SYSTEM "file://{secret}">'
    begun = time.monotonic()
    for head in (bomb, outside):
        found = read_xmp(f"<?xml version='1.0'?>{head}]><x:a><dc:b>&j;</dc:b></x:a>".encode())
        assert (found.properties, found.whole) == ([], False)
    assert time.monotonic() - begun < 5


def test_long_and_many_properties_are_bounded():
    (only,) = read_xmp(packet(f"<a:b>{'x' * 100_000}</a:b>").encode()).properties
    assert only.text == f"100000 characters: {'x' * 60}"
    (only,) = read_xmp(packet(f"<a:{'n' * 50_000}>1</a:{'n' * 50_000}>").encode()).properties
    assert len(only.name) == 120
    found = read_xmp(packet("<a:b>1</a:b>" * 5000).encode())
    assert len(found.properties) <= 300
    assert not found.whole


def test_a_packet_in_several_segments_is_put_together_in_its_order():
    whole = packet(CREATOR).encode()
    parts = [
        Segment(0xE1, EXTENDED + guid * 32 + struct.pack(">II", len(whole), at) + whole[at : at + 100])
        for guid in (b"A", b"B")
        for at in range(0, len(whole), 100)
    ]
    short = Segment(0xE1, EXTENDED + b"A" * 20)
    assert extended_xmp(Jpeg((*parts[::-1], short))) == [whole, whole]
