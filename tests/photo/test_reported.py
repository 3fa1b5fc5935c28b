"""Photographs of kinds that other programs read wrongly or not at all, as public reports say; those without one are variants
of those before them. What such a file holds is told, and none of it is in the anonymized one.
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from cama.commands.main import main
from cama.jpeg.exif import HEADER as EXIF
from cama.jpeg.xmp import EXTENDED
from cama.jpeg.xmp import HEADER as XMP
from cama.photo.inspect import inspect
from cama.photo.summary import summary
from tests.jpeg.helpers import jpeg, scene
from tests.jpeg.test_iptc import record as iptc
from tests.jpeg.test_xmp import packet
from tests.photo.helpers import LABELS, model_file

BASE = jpeg(scene(64, 96))
NAME, SERIAL = "Jorunn Dahl", "SN 0042-77"
Entry = tuple[int, int, bytes]  # tag, type, value
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 12: 8}


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def within(*segments: bytes, data: bytes = BASE, at: int = 2) -> bytes:
    return data[:at] + b"".join(segments) + data[at:]


def directory(at: int, entries: list[Entry], following: int = 0) -> bytes:
    """A directory at this offset of a little-endian TIFF, and its values behind it."""
    rows, values, place = b"", b"", at + 6 + 12 * len(entries)
    for tag, kind, value in sorted(entries):
        field = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", place + len(values))
        rows += struct.pack("<HHI", tag, kind, len(value) // WIDTHS.get(kind, 1)) + field
        values += value if len(value) > 4 else b""
    return struct.pack("<H", len(entries)) + rows + struct.pack("<I", following) + values


def tiff(*entries: Entry, exif: tuple[Entry, ...] = (), gps: tuple[Entry, ...] = (), following: int = 0) -> bytes:
    own, inner = list(entries), [(tag, table) for tag, table in ((0x8769, exif), (0x8825, gps)) if table]
    at = 8 + len(directory(8, [*own, *[(tag, 4, bytes(4)) for tag, _ in inner]]))
    behind = b""
    for tag, table in inner:
        own.append((tag, 4, struct.pack("<I", at + len(behind))))
        behind += directory(at + len(behind), list(table))
    return b"II*\0\x08\0\0\0" + directory(8, own, following) + behind


def text(tag: int, value: str, kind: int = 2, encoding: str = "utf-8") -> Entry:
    return tag, kind, value.encode(encoding) + b"\0"


def fractions(*parts: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<II", *part) for part in parts)


def app13(*blocks: bytes, head: bytes = b"Photoshop 3.0\0") -> bytes:
    return segment(0xED, head + b"".join(blocks))


def block(data: bytes, number: int = 0x0404) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


ARTIST, DATE = text(0x013B, NAME), text(0x9003, "2026:01:02 03:04:05")
OWN = tiff(ARTIST, exif=(DATE, text(0xA431, SERIAL)))
LONG = tiff(ARTIST, exif=(DATE, text(0xA431, SERIAL), (0x9286, 7, b"ASCII\0\0\0" + b"x" * 70_000)))
RECORDS = iptc((2, 80), NAME.encode()) + iptc((2, 90), b"Bergen")
CREATOR = f"<dc:creator><rdf:Seq><rdf:li>{NAME}</rdf:li></rdf:Seq></dc:creator>"
WHO = {("person", "Exif Artist"): NAME}
ALL = WHO | {
    ("time", "Exif DateTimeOriginal"): "2026:01:02 03:04:05",
    ("device", "Exif BodySerialNumber"): SERIAL,
}
BY, CITY = {("person", "IPTC By-line"): NAME}, {("place", "IPTC City"): "Bergen"}
GPS_60 = {("place", "Exif GPSLatitude"): "60° 23' 45\" S (-60.395833)"}


def gps(latitude: Entry, *more: Entry) -> bytes:
    return within(segment(0xE1, EXIF + tiff(gps=(latitude, *more))))


def extended() -> bytes:
    whole = packet(f"<a:b>{'y' * 900}</a:b>{CREATOR}").encode()
    parts = [
        segment(0xE1, EXTENDED + b"A" * 32 + struct.pack(">II", len(whole), at) + whole[at : at + 500])
        for at in range(0, len(whole), 500)
    ]
    return within(*parts[::-1], segment(0xE1, XMP + packet(attributes=f'xmpNote:HasExtendedXMP="{"A" * 32}"').encode()))


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data) + 8, kind) + data


CLAIM = box(b"jumb", box(b"jumd", b"c2pa" + bytes(13)) + box(b"json", b'{"author": [{"name": "%s"}]}' % NAME.encode()))
VIDEO = (
    box(b"ftyp", b"mp42\0\0\0\0isom")
    + box(b"moov", b"\xa9xyz\0\x12\x15\xc7+60.3958+005.3200/")
    + box(b"mdat", bytes(99))
)

REPORTED = {
    # python-pillow/Pillow pull 8350: the header twice
    "header-twice": (within(segment(0xE1, EXIF + EXIF + OWN)), ALL),
    "header-after-padding": (within(segment(0xE1, EXIF + b"\0\0" + OWN)), ALL),
    # c2pa-org/public-draft issue 32: EXIF in segments of another number
    "exif-in-app2": (within(segment(0xE2, EXIF + OWN)), ALL),
    "exif-in-app3": (within(segment(0xE3, b"Meta\0\0" + OWN)), ALL),
    "exif-in-small-letters": (within(segment(0xE1, b"EXIF\0\0" + OWN)), ALL),
    # python-pillow/Pillow issue 7495: EXIF longer than a segment
    "exif-in-two-segments": (
        within(segment(0xE1, EXIF + LONG[:65_000]), segment(0xE1, EXIF + LONG[65_000:])),
        ALL,
    ),
    # remvee/exifr issue 63, python-pillow/Pillow issue 2944: a second EXIF
    "second-exif": (within(segment(0xE1, EXIF + tiff(text(0x010F, "Acme"))), segment(0xE1, EXIF + OWN)), ALL),
    # haraldk/TwelveMonkeys issue 1128: EXIF behind the picture's data
    "exif-before-the-end": (within(segment(0xE1, EXIF + OWN), at=len(BASE) - 2), ALL),
    # brendan-duncan/image pull 605, ianare/exif-py issue 161: directories in a circle
    "directory-that-follows-itself": (within(segment(0xE1, EXIF + tiff(ARTIST, following=8))), WHO),
    "too-many-entries": (within(segment(0xE1, EXIF + OWN[:8] + b"\xf4\1" + OWN[10:])), WHO),
    "cut-in-a-value": (within(segment(0xE1, EXIF + tiff(ARTIST, exif=(DATE,))[:-6])), WHO),
    "unknown-type": (
        within(segment(0xE1, EXIF + tiff((0x013B, 0, NAME.encode())))),
        {("unknown", "Exif"): f"{len(NAME)} bytes that no entry names: {NAME}"},
    ),
    # LeoHsiao1/pyexiv2 issues 15 and 155: text that is not UTF-8
    "latin-1": (
        within(segment(0xE1, EXIF + tiff(text(0x013B, "Zoë Müller", encoding="latin-1")))),
        {("person", "Exif Artist"): "Zoë Müller"},
    ),
    "utf-16": (within(segment(0xE1, EXIF + tiff(text(0x013B, NAME, encoding="utf-16-le")))), WHO),
    "text-as-bytes": (within(segment(0xE1, EXIF + tiff(text(0x013B, NAME, kind=1)))), WHO),
    "text-as-undefined": (within(segment(0xE1, EXIF + tiff(text(0x013B, NAME, kind=7)))), WHO),
    # RawTherapee/RawTherapee issue 3841: IPTC and XMP in EXIF
    "iptc-in-exif": (within(segment(0xE1, EXIF + tiff((0x83BB, 4, RECORDS + b"\0" * (-len(RECORDS) % 4))))), BY | CITY),
    "xmp-in-exif": (
        within(segment(0xE1, EXIF + tiff((0x02BC, 1, packet(CREATOR).encode())))),
        {("person", "XMP dc:creator"): NAME},
    ),
    # mapillary/mapillary_issues issue 2369, bwindels/exif-parser issue 36, observ-ing/core pull 405
    "gps-letter-as-a-number": (gps((2, 5, fractions((60, 1), (23, 1), (45, 1))), (1, 1, b"S")), GPS_60),
    "gps-zero": (
        gps((2, 5, fractions((0, 1), (0, 1), (0, 1))), (1, 2, b"N\0")),
        {("place", "Exif GPSLatitude"): "0° 0' 0\" N (0, which programs also write where they removed the place)"},
    ),
    "gps-beyond-the-pole": (
        gps((2, 5, fractions((375, 1), (0, 1), (0, 1))), (1, 2, b"N\0")),
        {("place", "Exif GPSLatitude"): "375° 0' 0\" N (no place on Earth)"},
    ),
    # jim-easterbrook/Photini issue 249: a name or number that the maker's note alone has
    "serial-in-maker-note": (
        within(segment(0xE1, EXIF + tiff(exif=((0x927C, 7, b"\x01\x02\xff\x00NO= 20025295\0\x80\x81"),)))),
        {("device", "Exif MakerNote"): "19 bytes: NO= 20025295"},
    ),
    # MikeKovarik/exifr issue 121, SerenityOS/serenity pull 26101, mattiasw/ExifReader pull 596
    "iptc": (within(app13(block(RECORDS))), BY | CITY),
    "iptc-of-old-photoshop": (within(app13(block(RECORDS), head=b"Adobe_Photoshop2.5:\0")), BY | CITY),
    "iptc-after-a-broken-segment": (
        within(app13(b"8BIM\4\4\0\0\xff\xff\xff\xff"), app13(block(RECORDS))),
        BY | CITY,
    ),
    "iptc-in-two-segments": (within(app13(block(RECORDS)[:20]), app13(block(RECORDS)[20:])), BY | CITY),
    "iptc-without-blocks": (within(segment(0xED, RECORDS)), BY | CITY),
    # Crazy-Marvin/MetadataRemover issue 152, immich-app/immich issue 3540, drewnoakes/metadata-extractor issue 184
    "xmp": (
        within(segment(0xE1, XMP + packet(CREATOR, 'exif:GPSLatitude="60,23.752N" aux:SerialNumber="SN77"').encode())),
        {
            ("person", "XMP dc:creator"): NAME,
            ("place", "XMP exif:GPSLatitude"): "60,23.752N",
            ("device", "XMP aux:SerialNumber"): "SN77",
        },
    ),
    # darktable-org/darktable issue 17355: who is in the picture, and where
    "names-of-faces": (
        within(
            segment(
                0xE1,
                XMP
                + packet(
                    f"<mwg-rs:Regions><mwg-rs:RegionList><rdf:Bag><rdf:li><mwg-rs:Name>{NAME}</mwg-rs:Name></rdf:li></rdf:Bag>"
                    "</mwg-rs:RegionList></mwg-rs:Regions><crs:Look><crs:Name>Adobe Colour</crs:Name></crs:Look>"
                ).encode(),
            )
        ),
        {("person", "XMP mwg-rs:Regions mwg-rs:Name"): NAME, ("settings", "XMP crs:Look crs:Name"): "Adobe Colour"},
    ),
    # drewnoakes/metadata-extractor issue 220: what Facebook writes
    "code-of-facebook": (
        within(app13(block(iptc((2, 40), b"FBMD01000aa503")))),
        {("content", "IPTC Special Instructions"): "FBMD01000aa503 (a code of Facebook's, which links copies)"},
    ),
    "second-xmp": (
        within(segment(0xE1, XMP + packet().encode()), segment(0xE1, XMP + packet(CREATOR).encode())),
        {("person", "XMP dc:creator"): NAME},
    ),
    "xmp-in-segments-out-of-order": (extended(), {("person", "extended XMP dc:creator"): NAME}),
    "xmp-without-its-header": (
        within(segment(0xE1, b"http://ns.adobe.com/xap/1.0/" + packet(CREATOR).encode())),
        {("person", "XMP dc:creator"): NAME},
    ),
    # ImageOptim/ImageOptim issue 436: a manifest in two segments
    "manifest-in-two-segments": (
        within(segment(0xEB, b"JP\0\1\0\0\0\1" + CLAIM[:40]), segment(0xEB, b"JP\0\1\0\0\0\2" + CLAIM[40:])),
        {},
    ),
    # photoprism/photoprism issue 439, superseriousbusiness/gotosocial issue 2577: a video, and the place in it
    "motion-photo": (BASE + VIDEO, {("place", "behind the picture"): "+60.3958+005.3200/"}),
    # drewnoakes/metadata-extractor issue 319: what Samsung's phones write behind the picture
    "samsung-trailer": (
        BASE + b"\0\0\1\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFH\x6b\0\0\0\1\0\0\0" + bytes(16) + b"SEFT",
        {("time", "behind the picture"): "2023-11-14 22:13:20 UTC"},
    ),
    # drewnoakes/metadata-extractor issue 115: names in segments that few programs know
    "app12": (
        within(segment(0xEC, b"OLYMPUS OPTICAL CO.,LTD.\0[picture info]\r\nSerial#=20025295\r\n")),
        {("unknown", "APP12 unknown"): "59 bytes: OLYMPUS OPTICAL CO.,LTD. [picture info] Serial#=20025295"},
    ),
    # GCWizard/GCWizard issue 875: comments in UTF-8 and others
    "comment-in-utf-8": (within(segment(0xFE, "Žofie ☂".encode())), {("content", "comment"): "Žofie ☂"}),
    "long-comment": (within(segment(0xFE, b"x y " * 99 + NAME.encode())), {("content", "comment"): "x y " * 99 + NAME}),
}
HIDDEN = (
    NAME.encode(),
    NAME.encode("utf-16-le"),
    SERIAL.encode(),
    b"20025295",
    b"Bergen",
    b"60.3958",
    b"Exif",
    b"8BIM",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("name", REPORTED)
def test_what_a_file_of_a_reported_kind_holds_is_told(name, tmp_path):
    data, expected = REPORTED[name]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    record = inspect(path)
    told = {(leak["tells"], leak["where"]): leak["value"] for leak in record["leaks"]}
    assert expected.items() <= told.items()
    if NAME.encode() in data:
        assert NAME in json.dumps(record)
    assert all(line.isprintable() for line in summary(record).splitlines())


@pytest.mark.parametrize("name", REPORTED)
def test_nothing_of_it_is_in_the_anonymized_file(name, model, tmp_path):
    path, out = tmp_path / "a.jpg", tmp_path / "out.jpg"
    path.write_bytes(REPORTED[name][0])
    assert main(["anonymize", str(path), "--model", str(model), "--to", LABELS[1], "--out", str(out)]) == 0
    written = out.read_bytes()
    assert [text for text in HIDDEN if text in written] == []


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(64, 96)).save(buffer, "PNG")
    packed = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return within(*packed, data=buffer.getvalue(), at=33)


def webp(*chunks: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    """A WebP file whose header says nothing of these chunks."""
    buffer = io.BytesIO()
    Image.fromarray(scene(64, 96)).save(buffer, "WEBP")
    extra = b"".join(kind + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for kind, d in chunks)
    header = b"VP8X" + struct.pack("<IIHBHB", 10, 0, 95, 0, 63, 0)
    body = b"WEBP" + header + buffer.getvalue()[12:] + extra
    return b"RIFF" + struct.pack("<I", len(body)) + body + behind


def raw_profile(kind: str, data: bytes) -> tuple[bytes, bytes]:
    """A profile in a text, as ImageMagick writes it."""
    return b"zTXt", f"Raw profile type {kind}\0\0".encode() + zlib.compress(
        f"\n{kind}\n{len(data):8}\n{data.hex()}\n".encode()
    )


CONTAINERS = {
    # python-pillow/Pillow issue 4460, drewnoakes/metadata-extractor-dotnet issue 316
    "png-exif": (png(raw_profile("exif", EXIF + OWN)), ALL),
    "png-app1": (png(raw_profile("APP1", XMP + packet(CREATOR).encode())), {("person", "XMP dc:creator"): NAME}),
    "png-iptc": (png(raw_profile("iptc", block(RECORDS))), BY | CITY),
    "png-manifest": (
        png((b"caBX", CLAIM)),
        {},
    ),
    "png-long-text": (
        png((b"tEXt", b"parameters\0" + b"x y " * 99 + NAME.encode())),
        {("content", "PNG tEXt parameters"): "x y " * 99 + NAME},
    ),
    # php/php-src pull 22213, szTheory/exifcleaner issue 299
    "webp-exif": (webp((b"EXIF", EXIF + OWN)), ALL),
    "webp-second-exif": (webp((b"EXIF", tiff(text(0x010F, "Acme"))), (b"EXIF", OWN)), ALL),
    "webp-xmp": (webp((b"XMP ", packet(CREATOR).encode())), {("person", "XMP dc:creator"): NAME}),
    "webp-exif-behind-the-end": (webp(behind=b"EXIF" + struct.pack("<I", len(OWN)) + OWN), ALL),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_other_containers_hold_is_told_and_not_in_the_anonymized_file(name, model, tmp_path):
    data, expected = CONTAINERS[name]
    path, out = tmp_path / "a.png", tmp_path / "out.jpg"
    path.write_bytes(data)
    record = inspect(path)
    told = {(leak["tells"], leak["where"]): leak["value"] for leak in record["leaks"]}
    assert expected.items() <= told.items()
    assert NAME in json.dumps(record)
    assert main(["anonymize", str(path), "--model", str(model), "--to", LABELS[1], "--out", str(out)]) == 0
    written = out.read_bytes()
    assert [text for text in HIDDEN if text in written] == []


def test_a_file_made_of_blocks_within_unknown_bytes_ends(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(BASE + (block(RECORDS) + b"?") * 20_000)
    told = [leak["where"] for leak in inspect(path)["leaks"]]
    assert sorted(told) == ["IPTC By-line", "IPTC City", "behind the picture"]
    path.write_bytes(within(*[segment(0xFE, b"%d" % number) for number in range(6000)]))
    record = inspect(path)
    assert len(record["leaks"]) == 5000
    assert "found more than 5000 things that tell" in record["faults"][0]


def test_metadata_of_a_picture_behind_the_end_is_not_the_pictures_own(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(BASE + within(segment(0xE1, EXIF + OWN), data=jpeg(scene(32, 48))) + b"and this behind")
    told = {(leak["tells"], leak["where"]): leak["value"] for leak in inspect(path)["leaks"]}
    assert told["person", "trailer picture's Exif Artist"] == NAME
    assert ("person", "Exif Artist") not in told
    assert told["unknown", "behind the picture"].endswith(" bytes with 1 picture: and this behind")
    path.write_bytes(BASE + jpeg(scene(32, 48)))
    assert [leak["tells"] for leak in inspect(path)["leaks"]] == ["content"]


MAPS = {
    "gain-map-of-android": segment(0xE1, XMP + packet(attributes='hdrgm:Version="1.0" hdrgm:GainMapMax="2"').encode()),
    "gain-map-of-apple": segment(0xE1, XMP + packet(attributes='HDRGainMap:HDRGainMapVersion="65536"').encode()),
    "gain-map-of-iso": segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0"),
    "matte": segment(
        0xE1,
        XMP + packet("<a:b>urn:com:apple:photo:2018:aux:portraiteffectsmatte</a:b>").encode(),
    ),
}


@pytest.mark.parametrize("name", [*MAPS, "depth"])
def test_a_map_that_says_so_is_no_picture_of_before(name, tmp_path):
    """deckerst/aves issue 1185, Exiv2/exiv2 issue 2150: brightness or distance as a second picture."""
    path, second = tmp_path / "a.jpg", jpeg(scene(120, 160, seed=5))
    plain = jpeg(scene(480, 640)) + second
    declared = jpeg(scene(480, 640)) + within(MAPS.get(name, b""), data=second)
    if name == "depth":
        depth = f'GDepth:Data="{base64.b64encode(second).decode()}"'
        declared = within(segment(0xE1, XMP + packet(attributes=depth).encode()), data=jpeg(scene(480, 640)))
    found = []
    for data in (plain, declared):
        path.write_bytes(data)
        (thumbnail,) = inspect(path)["thumbnails"]
        found.append((thumbnail["verdict"], thumbnail["reason"]))
    assert [verdict for verdict, _ in found] == ["differs", "undecided"]
    assert "it says that it is a " in found[1][1]


def test_a_profile_in_many_segments_is_told_once(tmp_path):
    path = tmp_path / "a.jpg"
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 70]) + bytes(65_000)) for number in range(1, 71)]
    path.write_bytes(within(*parts))
    (told,) = [leak["value"] for leak in inspect(path)["leaks"] if leak["where"] == "ICC"]
    assert told.startswith("4550980 bytes in 70 segments: ")
