"""Tests of cama.photo.previews, and of what cama.photo.leaks makes of them."""

import base64
import struct

import numpy as np
import pytest
from PIL import Image

from cama.jpeg.exif import Entry
from cama.jpeg.exif_writing import write_exif
from cama.jpeg.segments import Jpeg, Segment, read_segments
from cama.photo.leaks import MAX_PICTURES, Leaks
from cama.photo.previews import find_previews
from cama.storage.images import read_rgb
from tests.jpeg.helpers import jpeg
from tests.photo.test_thumbnail import CASES, landscape, needs_cases, painted, thumbnail

PICTURE = landscape()
SMALL = thumbnail(PICTURE)
OTHER = thumbnail(landscape(1))


def with_segments(*segments: Segment, trailer: bytes = b"", data: bytes | None = None) -> Jpeg:
    """A file with segments after its beginning."""
    start, *rest = read_segments(data or jpeg(PICTURE)).segments
    return read_segments(b"".join(part.to_bytes() for part in (start, *segments, *rest)) + trailer)


def exif_with(small: bytes, note: bytes = b"") -> bytes:
    entries = [Entry("IFD0", 0x010F, "Alcyon", 2)]
    return write_exif("<", [*entries, Entry("Exif", 0x927C, note, 7)] if note else entries, small)


def described(small: bytes) -> bytes:
    """The picture with metadata of its own."""
    exif = Image.Exif()
    exif[0x013B] = "Jorunn Dahl"
    comment = Segment(0xFE, b"taken from the balcony")
    return with_segments(Segment(0xE1, exif.tobytes()), comment, data=small).to_bytes()


def photoshop(number: int, small: bytes) -> bytes:
    block = bytes(28) + small
    return b"8BIM" + struct.pack(">HHI", number, 0, len(block)) + block + bytes(len(block) % 2)


def mpf(order: str, offsets: list[tuple[int, int]]) -> bytes:
    """An index of pictures: (offset from the byte order, bytes) for each."""
    entries = b"".join(struct.pack(f"{order}IIIHH", 0x020003, size, offset, 0, 0) for offset, size in offsets)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    table = struct.pack(f"{order}HHHI4s", 2, 0xB000, 7, 4, b"0100")
    table += struct.pack(f"{order}HHIII", 0xB002, 7, len(entries), 8 + 2 + 24 + 4, 0)
    return b"MPF\0" + head + table + entries


def xmp(text: bytes) -> Segment:
    return Segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + text + b"</x:xmpmeta>")


def in_base64(lines: str) -> bytes:
    code = base64.b64encode(SMALL).decode()
    return lines.join(code[at : at + 76] for at in range(0, len(code), 76)).encode()


HOLDERS = {
    "EXIF": Segment(0xE1, exif_with(SMALL)),
    "JFXX": Segment(0xE0, b"JFXX\0\x10" + SMALL),
    "Photoshop": Segment(0xED, b"Photoshop 3.0\0" + photoshop(0x040C, SMALL)),
    "XMP": xmp(b"<xmpGImg:image>" + in_base64("&#xA;") + b"</xmpGImg:image>"),
    "maker's note": Segment(0xE1, exif_with(b"", b"AcmeNote" + bytes(20) + SMALL + bytes(9))),
    "APP4": Segment(0xE4, b"vendor's preview" + SMALL),
}


@pytest.mark.parametrize("where", HOLDERS)
def test_pictures_in_segments_are_found_and_compared(where):
    file = with_segments(HOLDERS[where])
    (found,) = find_previews(file)
    assert (found.where, found.data) == (where, SMALL)
    if found.offset is not None:
        assert file.to_bytes()[found.offset :].startswith(SMALL)
    (record,) = Leaks(file, PICTURE, "photo.jpg").thumbnails
    assert (record["where"], record["verdict"], record["width"], record["height"]) == (where, "same", 160, 120)
    (record,) = Leaks(file, painted(PICTURE, (200, 200, 320, 300)), "photo.jpg").thumbnails
    assert record["verdict"] == "differs"
    assert record["box"][0] >= 180 and record["box"][2] <= 340


@pytest.mark.parametrize("lines", ["", "\n", "&#10;"])
def test_base64_is_read_with_every_line_end(lines):
    (found,) = find_previews(with_segments(xmp(b'<rdf:li xmpGImg:image="' + in_base64(lines) + b'"/>')))
    assert found.data == SMALL


def test_xmp_over_several_segments_is_joined():
    code = b"<GImage>" + in_base64("") + b"</GImage>"
    cut = len(code) // 2
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32
    parts = [Segment(0xE1, head + struct.pack(">II", len(code), at) + code[at : at + cut + 1]) for at in (0, cut + 1)]
    assert [found.data for found in find_previews(with_segments(*parts))] == [SMALL]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_pictures_of_an_index_are_found_behind_the_end(order):
    length = len(with_segments(Segment(0xE2, mpf(order, [(0, 0), (0, 0)]))).to_bytes())
    base = 2 + 4 + 4  # SOI, the segment's marker and length, `MPF`
    entries = [(0, length), (length + 10 - base, len(SMALL))]
    file = with_segments(Segment(0xE2, mpf(order, entries)), trailer=bytes(10) + SMALL + b"video" + OTHER)
    assert [(found.where, found.data) for found in find_previews(file)] == [("MPF", SMALL), ("trailer", OTHER)]
    assert [record["verdict"] for record in Leaks(file, PICTURE, "photo.jpg").thumbnails] == ["same", "differs"]


def test_an_index_that_points_nowhere_is_no_picture():
    file = with_segments(
        Segment(0xE2, mpf("<", [(0, 9), (2**31, 2**31), (5, 5)])), Segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff")
    )
    assert find_previews(file) == []


def test_thumbnails_without_jpeg_are_compared():
    small = np.asarray(Image.fromarray(PICTURE).resize((80, 60), Image.Resampling.BOX))
    indices, palette = Image.fromarray(small).quantize(256), b""
    palette = bytes(indices.getpalette()).ljust(768, b"\0")
    holders = {
        "JFIF": Segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1" + bytes([80, 60]) + small.tobytes()),
        "JFXX": Segment(0xE0, b"JFXX\0\x13" + bytes([80, 60]) + small.tobytes()),
        "JFXX, palette": Segment(0xE0, b"JFXX\0\x11" + bytes([80, 60]) + palette + indices.tobytes()),
        "EXIF": Segment(0xE1, uncompressed(small)),
    }
    for where, holder in holders.items():
        (record,) = Leaks(with_segments(holder), PICTURE, "photo.jpg").thumbnails
        assert (record["where"], record["width"], record["height"]) == (where.split(",")[0], 80, 60)
        assert record["verdict"] != "differs", where
        (record,) = Leaks(with_segments(holder), painted(PICTURE, (100, 100, 260, 240)), "photo.jpg").thumbnails
        assert record["verdict"] == "differs", where


def uncompressed(small: np.ndarray) -> bytes:
    """EXIF whose IFD1 has rows of RGB."""
    values = [
        (0x0100, small.shape[1]),
        (0x0101, small.shape[0]),
        (0x0103, 1),
        (0x0111, 14 + 6 + 2 + 12 * 5 + 4),
        (0x0115, 3),
    ]
    directory = struct.pack("<H", len(values)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in values
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HI", 0, 14) + directory + bytes(4 + 6) + small.tobytes()


def test_the_thumbnail_of_an_old_photoshop_has_its_channels_turned():
    noise = np.random.default_rng(0).integers(-4, 5, PICTURE.shape[:2])
    picture = np.clip(PICTURE + noise[..., None], 0, 255).astype(np.uint8)
    picture[..., 0] = picture[..., 0] // 3  # so that the order of the channels matters
    block = Segment(0xED, b"Photoshop 3.0\0" + photoshop(0x0409, thumbnail(picture[..., ::-1])))
    (record,) = Leaks(with_segments(block), picture, "photo.jpg").thumbnails
    assert record["verdict"] == "same"


def test_blocks_of_photoshop_go_on_in_the_next_segment():
    blocks = photoshop(0x040C, SMALL)
    parts = [Segment(0xED, b"Photoshop 3.0\0" + part) for part in (blocks[:500], blocks[500:])]
    assert [found.data for found in find_previews(with_segments(*parts))] == [SMALL]


def test_metadata_in_pictures_and_in_pictures_of_pictures_is_told():
    inner = described(SMALL)
    middle = with_segments(Segment(0xE1, exif_with(inner)), data=jpeg(PICTURE)).to_bytes()
    leaks = Leaks(with_segments(trailer=middle), PICTURE, "photo.jpg")
    assert [record["where"] for record in leaks.thumbnails] == ["trailer", "trailer > EXIF"]
    assert [record["verdict"] for record in leaks.thumbnails] == ["same", "same"]
    own = {(leak["tells"], leak["where"]): leak["value"] for leak in leaks.thumbnails[1]["leaks"]}
    assert own[("person", "Exif Artist")] == "Jorunn Dahl"
    assert own[("content", "comment")] == "taken from the balcony"
    told = {leak["where"]: leak["value"] for leak in leaks.leaks}
    assert told["trailer > EXIF picture's Exif Artist"] == "Jorunn Dahl"
    assert told["trailer picture's Exif Make"] == "Alcyon"


def test_pictures_without_end_are_told_up_to_a_number_and_a_depth():
    file = with_segments(trailer=thumbnail(PICTURE, (32, 24)) * 20)
    leaks = Leaks(file, PICTURE, "photo.jpg")
    assert 8 < len(leaks.thumbnails) <= MAX_PICTURES
    data = SMALL
    for _ in range(8):
        data = with_segments(Segment(0xE1, exif_with(data)), data=thumbnail(PICTURE)).to_bytes()
    found = Leaks(with_segments(Segment(0xE1, exif_with(data))), PICTURE, "photo.jpg").thumbnails
    assert [record["where"] for record in found] == ["EXIF", "EXIF > EXIF", "EXIF > EXIF > EXIF"]


def test_a_picture_that_cannot_be_decoded_is_told_and_undecided():
    file = with_segments(Segment(0xE0, b"JFXX\0\x10" + SMALL[:300]))
    (record,) = Leaks(file, PICTURE, "photo.jpg").thumbnails
    assert (record["readable"], record["verdict"], record["box"]) == (False, "undecided", None)
    (record,) = Leaks(with_segments(HOLDERS["EXIF"]), None, "photo.jpg").thumbnails
    assert (record["readable"], record["verdict"]) == (True, "undecided")


@needs_cases
def test_case_with_exif():
    path = CASES / "thumbnail-with-exif.jpg"
    leaks = Leaks(read_segments(path.read_bytes()), read_rgb(path), path.name)
    told = {leak["where"]: leak["value"] for leak in leaks.leaks}
    assert told["EXIF picture's Exif Artist"] == "A. Nobody"
    assert "EXIF picture's comment" in told
