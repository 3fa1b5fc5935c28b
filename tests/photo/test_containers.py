"""Tests of cama.photo.containers: photographs that are no JPEG are decoded, and what their files hold is told."""

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.photo.anonymize import PhotoAnonymizer, anonymize
from cama.photo.containers import isolated
from cama.photo.containers.container import merged, uncovered
from cama.photo.containers.heif import read_heif
from cama.photo.containers.reading import read_container
from cama.photo.decoding import ORIENTATIONS, orient, read_srgb
from cama.photo.inspect import inspect
from cama.photo.profile import learn_profile, write_profile
from cama.photo.summary import summary
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import LABELS, camera_file, model_file
from tests.photo.test_colour import PROFILE, SWAPPED

SCENE = scene(64, 96)
ALPHA = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
SHARE = ALPHA[..., None] / 255
CASES = Path(__file__).parents[3] / "shared" / "data" / "cases"
XMP = b"<x:xmpmeta><rdf dc:creator='A. Nobody'/></x:xmpmeta>"
ON_WHITE = "its transparent parts were put on white"


def picture(mode: str = "RGB") -> Image.Image:
    """A new picture each time, since saving it may change its state."""
    image = Image.fromarray(SCENE)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(ALPHA))
        return image
    return image.quantize(64) if mode == "P" else image.convert(mode)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010F], found[0x013B] = orientation, "Acme", "A. Nobody"
    found.get_ifd(0x8769)[0xA431] = "SN0042"
    found.get_ifd(0x8825)[2] = (59.0, 54.0, 30.5)
    return found


def heif(*images: Image.Image, primary: int = 0, **options: Any) -> bytes:
    file, buffer = pillow_heif.HeifFile(), io.BytesIO()
    for image in images or (picture(),):
        exif = image.info.pop("exif", None)  # by which Pillow's picture would be turned already
        file.add_from_pillow(image)
        file[len(file) - 1].info["exif"] = exif
    file.save(buffer, **{"quality": 95, "chroma": 444, "primary_index": primary, **options})
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, software=False, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixels: np.ndarray, *chunks: bytes, colour: int = 2) -> bytes:
    """A PNG of 8 or 16 bits with other chunks before its pixels."""
    raw = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", *pixels.shape[1::-1], 8 * pixels.itemsize, colour, 0, 0, 0)
    body = b"".join((chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def put(tmp_path):
    def put(data: bytes) -> Path:
        (tmp_path / "photo").write_bytes(data)
        return tmp_path / "photo"

    return put


RGB, GREY = SCENE, np.asarray(picture("L").convert("RGB"))
WIDE, GREY_WIDE = SCENE.astype(np.uint16) * 257, GREY[..., 0].astype(np.uint16) * 257
HALF_THERE = np.dstack([WIDE, np.full((64, 96), 0x8080, np.uint16)])
PLANES = SCENE.transpose(2, 0, 1)
INKS = "it is in CMYK without a colour profile that fits: its colours are not exact"
ANIMATED = "it is animated: its first picture is taken"
LATER = Image.fromarray(SCENE[::-1])
# The file, its picture, the largest mean difference, and the warnings.
DECODED = {
    "grey JPEG": (saved("JPEG", picture("L"), quality=95), GREY, 4, []),
    "CMYK JPEG": (saved("JPEG", picture("CMYK"), quality=95), RGB, 4, [INKS]),
    "PNG": (saved("PNG"), RGB, 0, []),
    "grey PNG": (saved("PNG", picture("L")), GREY, 0, []),
    "PNG of one bit": (saved("PNG", picture("1")), np.asarray(picture("1").convert("RGB")), 0, []),
    "palette PNG": (saved("PNG", picture("P")), np.asarray(picture("P").convert("RGB")), 0, []),
    "alpha PNG": (saved("PNG", picture("RGBA")), SCENE * SHARE + 255 * (1 - SHARE), 1, [ON_WHITE]),
    "opaque alpha PNG": (saved("PNG", picture().convert("RGBA")), RGB, 0, []),
    "grey alpha PNG": (saved("PNG", picture("LA")), GREY, 0, []),
    "PNG of 16 bits": (png(WIDE), RGB, 0, []),
    "grey PNG of 16 bits": (png(GREY_WIDE, colour=0), GREY, 0, []),
    "alpha PNG of 16 bits": (png(HALF_THERE, colour=6), SCENE / 2 + 127, 1, [ON_WHITE]),
    "animated PNG": (saved("PNG", save_all=True, append_images=[LATER]), RGB, 0, [ANIMATED]),
    "PNG gamma of sRGB": (png(SCENE, chunk(b"gAMA", struct.pack(">I", 45455))), RGB, 0, []),
    "PNG gamma of 0": (png(SCENE, chunk(b"gAMA", bytes(4))), RGB, 0,
                       ["its colours were taken for sRGB: found the gamma 0, expected 0.1 to 10"]),
    "WebP": (saved("WEBP", quality=98), RGB, 6, []),
    "lossless WebP": (saved("WEBP", lossless=True), RGB, 0, []),
    "alpha WebP": (saved("WEBP", picture("RGBA"), lossless=True, exact=True), SCENE * SHARE + 255 * (1 - SHARE), 1, [ON_WHITE]),
    "animated WebP": (saved("WEBP", lossless=True, save_all=True, append_images=[LATER]), RGB, 0, [ANIMATED]),
    "TIFF": (tiff(SCENE), RGB, 0, []),
    "TIFF in strips": (tiff(SCENE, rowsperstrip=5, compression="zlib"), RGB, 0, []),
    "TIFF in tiles": (tiff(SCENE, tile=(16, 16)), RGB, 0, []),
    "TIFF of planes": (tiff(PLANES, planarconfig="separate", photometric="rgb"), RGB, 0, []),
    "big-endian TIFF of 16 bits": (tiff(WIDE, byteorder=">"), RGB, 0, []),
    "little-endian TIFF of 16 bits": (tiff(WIDE, byteorder="<", compression="zlib"), RGB, 0, []),
    "grey TIFF": (tiff(GREY[..., 0]), GREY, 0, []),
    "grey TIFF of 16 bits": (tiff(GREY_WIDE), GREY, 0, []),
    "inverted TIFF": (tiff(255 - GREY[..., 0], photometric="miniswhite"), GREY, 0, []),
    "inverted TIFF of 16 bits": (tiff(65535 - GREY_WIDE, photometric="miniswhite"), GREY, 0, []),
    "LZW TIFF": (saved("TIFF", compression="tiff_lzw"), RGB, 0, []),
    "TIFF with a JPEG": (saved("TIFF", compression="jpeg", quality=95), RGB, 6, []),
    "fax TIFF": (saved("TIFF", picture("1"), compression="group4"), np.asarray(picture("1").convert("RGB")), 0, []),
    "CMYK TIFF": (saved("TIFF", picture("CMYK")), RGB, 0, [INKS]),
    "palette TIFF": (saved("TIFF", picture("P")), np.asarray(picture("P").convert("RGB")), 0, []),
    "alpha TIFF": (saved("TIFF", picture("RGBA")), SCENE * SHARE + 255 * (1 - SHARE), 1, [ON_WHITE]),
    "TIFF of pages": (saved("TIFF", save_all=True, append_images=[LATER]), RGB, 0, ["it has 2 pictures: the first is taken"]),
    "HEIC": (heif(), RGB, 4, []),
    "grey HEIC": (heif(picture("L")), GREY, 4, []),
    "alpha HEIC": (heif(picture("RGBA")), SCENE * SHARE + 255 * (1 - SHARE), 4, [ON_WHITE]),
    "HEIC in tiles": (heif(tile_size=32), RGB, 4, []),
    "HEIC of two": (heif(LATER, picture(), primary=1), RGB, 4, ["it has 2 pictures: the primary one is taken"]),
    "HEIC of 10 bits": (heif(Image.fromarray(GREY_WIDE)), GREY, 4, []),
    "AVIF": (saved("AVIF", quality=95), RGB, 6, []),
}  # fmt: skip


@pytest.mark.parametrize("name", DECODED)
def test_a_picture_is_decoded_with_its_warnings(name, put):
    data, expected, difference, warnings = DECODED[name]
    found, orientation, said = read_srgb(put(data))
    assert (found.shape, found.dtype, orientation) == ((64, 96, 3), np.uint8, 1)
    assert np.abs(found - expected.astype(float)).mean() <= difference
    assert said == warnings
    record = inspect(put(data))
    assert record["container"] in (name, *name.replace("HEIC", "HEIF").split())
    assert (record["width"], record["height"]) == (96, 64)
    assert record["warnings"] == warnings
    assert record["faults"] == []
    assert {leak["tells"] for leak in record["leaks"]} <= {"content", "settings"}
    assert "96x64 pixels" in summary(record)


def test_a_ycck_jpeg_shows_its_colours(put):
    """Photoshop's: luminance and chrominance of the inks, stored inverted, with black ink beside them."""
    negative = Image.fromarray(255 - SCENE).convert("YCbCr")
    inverted = [band.point(lambda level: 255 - level) for band in negative.split()]
    data = saved("JPEG", Image.merge("CMYK", (*inverted, Image.new("L", negative.size, 51))), quality=98)
    marked = data.replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2")
    assert marked != data
    found, _, warnings = read_srgb(put(marked))
    assert np.abs(found - 0.8 * SCENE).mean() < 4
    assert warnings == [INKS]


def test_one_level_of_16_bits_can_be_transparent(put):
    levels = np.full((48, 64), 0x8001, np.uint16)
    levels[:24] = 0x8000
    found, _, warnings = read_srgb(put(png(levels, chunk(b"tRNS", struct.pack(">H", 0x8000)), colour=0)))
    assert np.all(found[:24] == 255)
    assert np.all(found[24:] == 128)
    assert warnings == [ON_WHITE]


def test_transparent_colours_of_a_palette_become_white(put):
    image = Image.new("P", (64, 48))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(1, (0, 0, 64, 24))
    found, _, warnings = read_srgb(put(saved("PNG", image, transparency=1)))
    assert np.all(found[:24] == 255)
    assert np.all(found[24:] == [10, 20, 30])
    assert warnings == [ON_WHITE]


def test_a_linear_png_becomes_srgb(put):
    linear = np.where(SCENE / 255 <= 0.04045, SCENE / 255 / 12.92, ((SCENE / 255 + 0.055) / 1.055) ** 2.4)
    wide = np.round(255 * linear).astype(np.uint8)
    found, _, _ = read_srgb(put(png(wide, chunk(b"gAMA", struct.pack(">I", 100_000)))))
    assert np.abs(found.astype(int) - SCENE).mean() < 1
    other, _, _ = read_srgb(put(png(wide, chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"sRGB", b"\0"))))
    assert np.array_equal(other, wide)  # which says more than the gamma


def test_a_png_tells_its_colours_by_numbers_before_all_else(put):
    flat = np.full((48, 64, 3), [200, 100, 50], np.uint8)
    p3, icc = chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"iCCP", b"x\0\0" + zlib.compress(SWAPPED))
    chromaticities = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    gamma = chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", chromaticities)
    for chunks, expected in (((p3, icc), [215, 93, 33]), ((icc, *gamma), [100, 200, 50]), (gamma, [216, 93, 24])):
        found, _, warnings = read_srgb(put(png(flat, *chunks)))
        assert np.abs(found.astype(int) - expected).max() <= 2
        assert warnings == []
    odd = chunk(b"cICP", bytes([77, 13, 0, 1]))
    _, _, (warning,) = read_srgb(put(png(flat, odd)))
    assert "unknown colours 77/13" in warning
    found, _, warnings = read_srgb(put(png(flat, odd, icc)))
    assert (found[0, 0].tolist(), warnings) == ([100, 200, 50], [])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_profile_is_applied_or_ignored(kind, put):
    def file(profile: bytes) -> bytes:
        if kind == "HEIF":
            image = picture()
            image.info["icc_profile"] = profile
            return heif(image)
        return saved(kind, icc_profile=profile, **({"lossless": True} if kind == "WEBP" else {}))

    plain, _, none = read_srgb(put(file(PROFILE)))
    assert none == []
    swapped, _, none = read_srgb(put(file(SWAPPED)))
    assert none == []
    assert np.abs(swapped.astype(int) - plain[..., [1, 0, 2]]).mean() < 8 < np.abs(swapped.astype(int) - plain).mean()
    ignored, _, warnings = read_srgb(put(file(SWAPPED[:-200])))
    assert np.array_equal(ignored, plain)
    assert [warning.partition(":")[0] for warning in warnings] == ["its colour profile was ignored"]
    assert "ICC" in [leak["where"] for leak in inspect(put(file(PROFILE)))["leaks"]]


def test_display_p3_that_a_heic_file_tells_by_numbers_becomes_srgb(put):
    image = Image.new("RGB", (96, 64), (200, 100, 50))
    found, _, warnings = read_srgb(put(heif(image, color_primaries=12, transfer_characteristics=13, quality=100)))
    assert np.abs(found.astype(int) - [215, 93, 33]).max() <= 2
    assert warnings == []
    _, _, warnings = read_srgb(put(heif(image, color_primaries=9, transfer_characteristics=16)))
    assert "high dynamic range" in warnings[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_a_picture_is_turned_once(kind, orientation, put):
    if kind == "HEIF":
        image = picture()
        image.info["exif"] = exif(orientation).tobytes()
        data = heif(image)
    else:
        data = saved(kind, exif=exif(orientation), **({"quality": 98} if kind in ("WEBP", "AVIF") else {}))
    found, turn, warnings = read_srgb(put(data))
    expected = ORIENTATIONS[orientation](SCENE)
    upright = orient(found, turn)
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 6
    assert warnings == []


def test_exif_does_not_turn_what_its_heic_file_does_not(put):
    image = picture()
    image.info["exif"] = exif(6).tobytes()
    whole = heif(image)
    record = inspect(put(whole))
    assert (record["width"], record["height"]) == (64, 96)  # as it is seen
    data = whole.replace(b"irot", b"free")
    found, orientation, warnings = read_srgb(put(data))
    assert (found.shape, orientation) == ((64, 96, 3), 1)
    assert warnings == ["the orientation 6 in its EXIF was ignored, since its container has none"]


def told(record: dict[str, Any]) -> set[tuple[str, str]]:
    return {(leak["tells"], leak["where"]) for leak in record["leaks"] if leak["tells"] != "settings"}


EXIF = {
    ("person", "Exif Artist"), ("place", "Exif GPSLatitude"), ("device", "Exif BodySerialNumber"), ("camera", "Exif Make"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_metadata_is_told_as_a_jpegs(kind, put):
    if kind == "HEIF":
        image = picture()
        image.info |= {"exif": exif().tobytes(), "xmp": XMP}
        data = heif(image)
    elif kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        data = saved(kind, exif=exif(), pnginfo=info)
    elif kind == "TIFF":
        both = exif()
        both[700] = XMP
        data = saved(kind, exif=both.tobytes())
    else:
        data = saved(kind, exif=exif(), xmp=XMP)
    record = inspect(put(data))
    assert told(record) >= EXIF
    assert ("person", "XMP dc:creator") in told(record)
    assert record["faults"] == []
    assert sum(part["bytes"] for part in record["segments"]) == len(data) or kind == "TIFF"


def test_what_is_special_to_png_is_told(put):
    exif_text = b"\nexif\n%8d\n%s\n" % (len(exif().tobytes()), exif().tobytes().hex().encode())
    iptc = b"8BIM\x04\x04\0\0\0\0\0\x05\x1c\x02\x50\0\0\0"
    chunks = (
        chunk(b"tEXt", b"Author\0A. Nobody"),
        chunk(b"tEXt", b"Software\0Screenshot 1.0"),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"at home")),
        chunk(b"iTXt", b"Title\0\1\0en\0\0" + zlib.compress("på".encode())),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(exif_text)),
        chunk(b"tEXt", b"Raw profile type iptc\0\niptc\n%8d\n%s\n" % (len(iptc), iptc.hex().encode())),
        chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(b"\niptc\n5\n1c02500000\n")),  # bare, as exiftool's
        chunk(b"tIME", struct.pack(">H5B", 2026, 11, 26, 12, 0, 1)),
        chunk(b"caBX", b"jumb"),
        chunk(b"prIv", b"serial 4711"),
        chunk(b"pHYs", bytes(9)),
    )
    record = inspect(put(png(SCENE, *chunks) + b"behind"))
    assert told(record) == {
        ("person", "PNG tEXt Author"), ("person", "JUMBF"), ("person", "IPTC By-line"), ("time", "PNG tIME"),
        ("software", "PNG tEXt Software"), ("content", "PNG zTXt Comment"), ("content", "PNG iTXt Title"),
        ("unknown", "PNG prIv"), ("unknown", "behind the picture"), *EXIF,
    }  # fmt: skip
    values = {leak["where"]: leak["value"] for leak in record["leaks"]}
    assert values["PNG zTXt Comment"] == "at home"
    assert values["PNG iTXt Title"] == "på"
    assert values["PNG tIME"] == "2026-11-26 12:00:01"
    assert "serial 4711" in values["PNG prIv"]
    assert record["trailing_bytes"] == 6


def test_what_is_special_to_webp_is_told(put):
    data = saved("WEBP", exif=exif()) + b"ABCD\x04\0\0\0home"
    whole = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    record = inspect(put(whole + b"behind"))
    assert told(record) == {*EXIF, ("unknown", "WebP ABCD"), ("unknown", "behind the picture")}
    assert [part["name"] for part in record["segments"]][:2] == ["RIFF", "VP8X"]


def test_what_is_special_to_tiff_is_told(put):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        extra = [(33723, 1, 6, b"\x1c\x02\x50\0\0\0", True), (34377, 1, 14, b"8BIM\x04\x06\0\0\0\0\0\2by", True)]
        options = {"photometric": "rgb", "metadata": None, "software": "Scan 1.0"}
        file.write(SCENE, description="at home", extratags=extra, **options)
        file.write(SCENE[::4, ::4], subfiletype=1, **options)
        file.write(scene(40, 40), datetime="2026:11:26 12:00:00", **options)
    record = inspect(put(buffer.getvalue() + b"somebody wrote this behind all"))
    assert told(record) == {
        ("person", "IPTC By-line"), ("time", "Exif DateTime"), ("software", "Exif Software"), ("software", "Photoshop"),
        ("content", "Exif ImageDescription"), ("content", "TIFF"), ("thumbnail", "TIFF"), ("unknown", "TIFF"),
    }  # fmt: skip
    assert record["warnings"] == ["it has 2 pictures: the first is taken"]
    (thumbnail,) = record["thumbnails"]
    assert (thumbnail["where"], thumbnail["width"], thumbnail["height"]) == ("TIFF", 24, 16)


def test_what_is_special_to_heif_is_told(put):
    image = Image.fromarray(scene(96, 128))
    data = heif(image, LATER, thumbnails=[64])
    data += (
        struct.pack(">I4s", 24, b"uuid")
        + b"0123456789abcdef"
        + struct.pack(">I4s", 34, b"free")
        + b"somebody wrote this inside"
    )
    record = inspect(put(data))
    assert told(record) == {
        ("content", "HEIF"), ("thumbnail", "HEIF"), ("unknown", "HEIF uuid"), ("unknown", "HEIF free"),
    }  # fmt: skip
    assert [thumbnail["where"] for thumbnail in record["thumbnails"]] == ["HEIF"]
    assert record["thumbnails"][0]["width"] == 64
    assert sum(part["bytes"] for part in record["segments"]) == len(data)


def test_a_reference_of_another_container_is_compared(tmp_path):
    for name, seed in (("a.png", 0), ("b.tif", 1), ("c.webp", 2)):
        Image.fromarray(scene(64, 64, seed)).save(tmp_path / name)
    record = inspect(tmp_path / "a.png", references=[tmp_path / "b.tif", tmp_path / "c.webp"])
    assert record["fingerprint"]["references"] == 2


def test_another_container_than_a_jpeg_has_no_profile_to_compare(tmp_path):
    Image.fromarray(scene(64, 64, 0)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(camera_file("Alcyon_A10"))
    write_profile(tmp_path / "p.json", learn_profile([tmp_path / "b.jpg"]))
    record = inspect(tmp_path / "a.png", profiles=[tmp_path / "p.json"])
    assert record["warnings"] == ["not compared with container profiles: it is a PNG file, and not a JPEG"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    "name", ["grey JPEG", "CMYK JPEG", "alpha PNG", "animated WebP", "TIFF of pages", "HEIC of two", "AVIF"]
)
def test_all_become_jpegs_and_warnings_are_told(name, model, put, tmp_path, capsys):
    data, expected, _, warnings = DECODED[name]
    out = tmp_path / "out.jpg"
    command = ["anonymize", str(put(data)), "--model", str(model), "--to", LABELS[0], "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert all(f"; WARNING: {warning}" in said for warning in warnings)
    done = anonymize(put(data), out, PhotoAnonymizer.load(model, LABELS[0]), force=True)
    assert set(warnings) <= set(done["warnings"])
    record = inspect(out)
    assert (record["container"], record["leaks"], record["warnings"]) == ("JPEG", [], [])
    with Image.open(out) as image:
        assert np.abs(np.asarray(image) - expected.astype(float)).mean() < 16


@pytest.mark.parametrize(
    ("name", "count"), [("PNG", 60), ("lossless WebP", 60), ("TIFF", 10), ("LZW TIFF", 10), ("HEIC", 10), ("AVIF", 10)]
)
def test_damage_is_one_line_or_a_result(name, count, put, capfd):
    """Bytes changed anywhere, most of them near the beginning; nothing but an error of one line may come of it."""
    whole, rng = DECODED[name][0], np.random.default_rng(0)
    for number in range(count):
        data = bytearray(whole)
        for at in rng.integers(0, 400 if number % 2 else len(data), 4) % len(data):
            data[at] = rng.integers(0, 256)
        begun = time.monotonic()
        for read in (read_srgb, inspect):
            try:
                read(put(bytes(data)))
            except CamaError as error:
                assert "\n" not in str(error)
        assert time.monotonic() - begun < 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["PNG", "lossless WebP", "TIFF", "HEIC", "AVIF"])
def test_a_truncated_file_is_told_and_not_anonymized(name, cut, put):
    whole = DECODED[name][0]
    data = whole[: int(cut * len(whole))]
    with pytest.raises(CamaError):
        read_srgb(put(data))
    try:
        record = inspect(put(data))
    except CamaError as error:
        assert "\n" not in str(error)
    else:
        assert record["faults"]


def test_a_picture_too_large_is_not_decoded(put):
    """Small files that say they are enormous."""
    begun = time.monotonic()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    files = [b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")]
    files.append(tiff(SCENE).replace(struct.pack("<HHII", 256, 4, 1, 96), struct.pack("<HHII", 256, 4, 1, 60_000_000)))
    files.append(heif().replace(struct.pack(">II", 96, 64), struct.pack(">II", 60_000, 60_000)))
    for data in files:
        with pytest.raises(CamaError, match="expected at most 200000000 in all"):
            read_srgb(put(data))
        record = inspect(put(data))
        assert record["faults"] == []
        assert any("too large" in warning for warning in record["warnings"])
    assert time.monotonic() - begun < 10


def test_texts_that_inflate_without_end_are_cut(put):
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    begun = time.monotonic()
    record = inspect(put(png(SCENE, *[text] * 200)))
    assert time.monotonic() - begun < 10
    assert len(record["leaks"]) == 200


def test_more_parts_than_a_photograph_has_are_refused(put):
    with pytest.raises(CamaError, match="found more than 20000 parts"):
        inspect(put(png(SCENE, *[chunk(b"prIv", b"")] * 20_001)))
    with pytest.raises(CamaError, match="found more than 200000 chunks of pixels"):
        inspect(put(png(SCENE, *[chunk(b"IDAT", b"")] * 200_001)))


def test_a_heif_file_of_countless_pieces_ends_soon(put):
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    items = b"".join(struct.pack(">HHH", number, 0, 50_000) + bytes(range(250)) * 200 for number in range(200))
    places = box(b"iloc", struct.pack(">IBBH", 0, 0x10, 0, 200) + items)
    begun = time.monotonic()
    free = [box(b"free", b"what nobody names is told")] * 10_000
    record = inspect(put(b"".join((box(b"ftyp", b"heic\0\0\0\0mif1"), box(b"meta", bytes(4) + places), *free))))
    assert time.monotonic() - begun < 20
    assert any("iloc" in fault for fault in record["faults"])
    assert any("64 were searched" in fault for fault in record["faults"])
    assert [leak["where"] for leak in record["leaks"]].count("HEIF free") == 64


def test_a_decoder_that_crashes_or_hangs_is_one_line(put, monkeypatch):
    data = heif()
    monkeypatch.setattr(isolated, "SECONDS", 0.01)
    with pytest.raises(CamaError, match=r"takes more than 0\.01 s to decode"):
        read_srgb(put(data))
    monkeypatch.setattr(isolated, "SECONDS", 60)
    monkeypatch.setattr(isolated.sys, "executable", "/bin/false")
    with pytest.raises(CamaError, match=r"cannot be decoded as a photograph \(its decoder ended with status 1\)"):
        read_srgb(put(data))


def test_a_smaller_copy_before_the_picture_is_not_taken_for_it(put):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for pixels, kind in ((SCENE[::4, ::4], 1), (SCENE, 0)):
            file.write(pixels, photometric="rgb", subfiletype=kind, metadata=None, software=False)
    found, _, warnings = read_srgb(put(buffer.getvalue()))
    assert np.array_equal(found, SCENE)
    assert warnings == []
    record = inspect(put(buffer.getvalue()))
    assert (record["width"], [thumbnail["width"] for thumbnail in record["thumbnails"]]) == (96, [24])


RAWS = {
    "DNG": tiff(SCENE, extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
    "filter array": tiff(SCENE).replace(struct.pack("<HHIH", 262, 3, 1, 2), struct.pack("<HHIH", 262, 3, 1, 32803)),
    "NEF": tiff(SCENE).replace(struct.pack("<HHIH", 259, 3, 1, 1), struct.pack("<HHIH", 259, 3, 1, 34713)),
}


@pytest.mark.parametrize("name", RAWS)
def test_the_preview_in_a_raw_photograph_is_not_taken_for_it(name, put):
    with pytest.raises(CamaError, match="found a raw photograph"):
        read_srgb(put(RAWS[name]))
    assert "found a raw photograph" in inspect(put(RAWS[name]))["faults"][0]


def test_channels_of_16_bits_one_after_the_other_are_refused(put):
    """Pillow makes a wrong picture of them, without a word."""
    with pytest.raises(CamaError, match="found channels of 16 bits one after the other"):
        read_srgb(put(tiff(WIDE.transpose(2, 0, 1), planarconfig="separate", photometric="rgb")))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GIF89a", "GIF"),
        (b"BM\0\0", "BMP"),
        (b"\xff\x0a\0", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "raw"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
    ],
)
def test_formats_that_are_not_read_are_named(data, kind, put):
    expected = f"found a {kind} file, expected JPEG, PNG, WebP, TIFF, HEIC or AVIF: convert it first"
    with pytest.raises(CamaError, match=expected):
        inspect(put(data))


def test_bytes_between_known_ones_are_found():
    data = bytes(range(1, 21))
    known = merged([(4, 6), (2, 4), (9, 12), (10, 11), (15, 30)])
    assert known == [(2, 6), (9, 12), (15, 30)]
    for first, last in ((0, 20), (3, 10), (0, 1), (6, 9), (16, 18), (5, 5)):
        inside = {at for begin, end in known for at in range(begin, end)}
        assert uncovered(data, first, last, known) == bytes(data[at] for at in range(first, last) if at not in inside)


def test_a_jpeg_is_no_other_container():
    assert read_container(jpeg(), "a") is None
    assert read_container(b"", "a") is None
    with pytest.raises(CamaError, match="BigTIFF"):
        read_container(tiff(SCENE, bigtiff=True), "a")


@pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/cases is not beside the repository")
@pytest.mark.parametrize(
    ("name", "kind", "warnings"),
    [
        ("icc-of-lab.jpg", "JPEG", 1),
        ("icc-garbage.jpg", "JPEG", 1),
        ("icc-truncated.jpg", "JPEG", 1),
        ("icc-part-missing.jpg", "JPEG", 1),
        ("grey.jpg", "JPEG", 0),
        ("cmyk.jpg", "JPEG", 1),
        ("screenshot.png", "PNG", 0),
        ("picture.webp", "WebP", 0),
        ("scan.tif", "TIFF", 0),
        ("phone.heic", "HEIF", 0),
    ],
)
def test_the_collected_cases_show_one_picture(name, kind, warnings):
    same = read_srgb(CASES / "screenshot.png")[0].astype(float)
    found, orientation, said = read_srgb(CASES / name)
    if name == "grey.jpg":
        same = np.asarray(Image.fromarray(same.astype(np.uint8)).convert("L").convert("RGB"), float)
    assert np.abs(found - same).mean() < 6
    assert (orientation, len(said), inspect(CASES / name)["container"]) == (1, warnings, kind)


@pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/cases is not beside the repository")
@pytest.mark.parametrize("name", ["ascii", "byte", "slong"])
def test_the_collected_orientations_are_obeyed(name):
    assert read_srgb(CASES / f"orientation-{name}.jpg")[1:] == (6, [])


def test_no_code_that_lies_beside_a_photograph_is_run(tmp_path, monkeypatch):
    (tmp_path / "a.tif").write_bytes(tiff(SCENE))
    marker = tmp_path / "run"
    for name in ("numpy", "pickle", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    assert inspect(tmp_path / "a.tif")["width"] == 96
    assert not marker.exists()


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.parametrize("kind", ["locations", "references", "properties"])
def test_a_heic_file_that_lists_too_much_is_damaged_and_takes_no_memory(kind, put):
    many = 400_000
    listed = {
        "locations": box(b"iloc", bytes([2, 0, 0, 0, 0, 0]), struct.pack(">I", many), bytes(12 * many)),
        "references": box(b"iref", bytes(4), box(b"dimg", struct.pack(">HH", 1, 0xFFFF), bytes(2 * many))),
        "properties": box(b"iprp", box(b"ipma", bytes(4), struct.pack(">I", many), bytes(3 * many))),
    }[kind]
    path = put(box(b"ftyp", b"heic", bytes(4), b"heic") + box(b"meta", bytes(4), listed))
    tracemalloc.start()
    found = read_heif(path.read_bytes(), str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("that is damaged" in fault for fault in found.faults)
    assert peak < 30_000_000


def test_the_pictures_of_a_heic_file_of_many_parts_are_counted_at_once(put):
    items, tiles = 1_000, 60_000
    infes = [
        box(b"infe", bytes([2, 0, 0, 0]), struct.pack(">HH4s", number, 0, b"hvc1"), b"\0") for number in range(items)
    ]
    grid = box(
        b"dimg",
        struct.pack(">HH", 0, tiles),
        b"".join(struct.pack(">H", number) for number in range(2_000, 2_000 + tiles)),
    )
    information = box(b"iinf", bytes(4), struct.pack(">H", items), *infes)
    path = put(
        box(b"ftyp", b"heic", bytes(4), b"heic") + box(b"meta", bytes(4), information, box(b"iref", bytes(4), grid))
    )
    begun = time.process_time()
    found = read_heif(path.read_bytes(), str(path))
    assert found.pictures == items  # the first is the primary one
    assert time.process_time() - begun < 0.5
