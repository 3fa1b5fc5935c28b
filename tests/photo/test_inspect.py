"""Tests of cama.photo.inspect and its table."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.jpeg.segments import Segment, read_segments
from cama.models.classifiers import save_classifier
from cama.photo.inspect import inspect
from cama.photo.summary import summary
from tests.jpeg.helpers import jpeg, scene, with_frame
from tests.models.helpers import net_spec, tiny_classifier
from tests.real_photographs import DRESDEN, needs_photographs, photographs


def exif(thumbnail: bytes = b"") -> bytes:
    found = Image.Exif()
    found[0x010F], found[0x0110], found[0x0131], found[0x013B] = "Alcyon", "A10", "1.0", "Jorunn Dahl"
    found.get_ifd(0x8769)[0xA431] = "SN0042"
    found.get_ifd(0x8769)[0x9003] = "2026:11:25 12:00:00"
    found.get_ifd(0x8769)[0x829A] = 0.004
    found.get_ifd(0x8825)[2] = (59.0, 54.0, 30.5)
    return found.tobytes()


@pytest.fixture
def photo(tmp_path):
    """A photograph that tells all there is to tell."""
    segments = list(read_segments(jpeg(scene(96, 128), exif=exif(), comment=b"by \x1b[31mJ. D.")).segments)
    segments[1:1] = [
        Segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        Segment(0xE2, b"MPF\0abc"),
        Segment(0xEB, b"JP\0\0jumb"),
        Segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\3Ann\0" + b"8BIM\4\6\1x\0\0\0\2by"),
        Segment(0xE9, b"maker's own"),
    ]
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"".join(segment.to_bytes() for segment in segments) + b"behind")
    return path


def told(record: dict, tells: str) -> dict[str, str]:
    return {leak["where"]: leak["value"] for leak in record["leaks"] if leak["tells"] == tells}


def test_every_layer_is_told(photo):
    record = inspect(photo)
    assert told(record, "person") == {
        "Exif Artist": "Jorunn Dahl",
        "JUMBF": "8 bytes: a C2PA manifest: a signed history of the picture",
        "IPTC": "3 bytes: names, places, captions",
    }
    assert told(record, "place") == {"Exif GPSLatitude": "59° 54' 30.5\" (59.908472, north or south is not told)"}
    assert told(record, "time") == {"Exif DateTimeOriginal": "2026:11:25 12:00:00"}
    assert told(record, "device") == {"Exif BodySerialNumber": "SN0042"}
    assert told(record, "camera") == {"Exif Make": "Alcyon", "Exif Model": "A10"}
    assert told(record, "software") == {"Exif Software": "1.0", "Photoshop": "2 bytes, block 0x0406: by"}
    assert set(told(record, "content")) == {"XMP", "MPF", "comment"}
    assert told(record, "unknown") == {"APP9 unknown": "11 bytes: maker's own", "behind the picture": "6 bytes: behind"}
    assert set(told(record, "settings")) == {"Exif ExposureTime"}
    assert record["trailing_bytes"] == 6
    assert sum(segment["bytes"] for segment in record["segments"]) + 6 == record["bytes"] == photo.stat().st_size
    assert record["coding"]["standard_quality"] == 90


def test_what_hides_in_plain_headers_is_told(tmp_path):
    start, header, *rest = read_segments(jpeg()).segments
    odd = Image.Exif()
    odd[0x010D], odd[0x9C9D] = "secret name", "Jorunn".encode("utf-16-le")
    path = tmp_path / "odd.jpg"
    hidden = (
        Segment(header.marker, header.payload + b"hidden"),
        Segment(0xEE, b"Adobe" + bytes(7) + b"more"),
        Segment(0xE1, odd.tobytes()),
    )
    path.write_bytes(b"".join(segment.to_bytes() for segment in (start, *hidden, *rest)))
    record = inspect(path)
    unknown = told(record, "unknown")
    assert set(unknown) == {"APP0 JFIF", "APP14 Adobe", "Exif DocumentName"}
    assert "secret name" in unknown["Exif DocumentName"]
    assert told(record, "person") == {"Exif XPAuthor": "Jorunn"}


def test_thumbnails_outside_exif_are_compared_too(tmp_path):
    """Photoshop's, and that of a JFIF extension; neither shows the picture."""
    start, header, *rest = read_segments(jpeg()).segments
    rng = np.random.default_rng(5)
    other = jpeg(np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8)))
    block = bytes(28) + other
    photoshop = b"Photoshop 3.0\0" + b"8BIM\4\x0c\0\0" + struct.pack(">I", len(block)) + block
    hidden = Segment(0xE0, b"JFXX\0\x10" + other), Segment(0xED, photoshop)
    path = tmp_path / "two.jpg"
    path.write_bytes(b"".join(segment.to_bytes() for segment in (start, header, *hidden, *rest)))
    record = inspect(path)
    assert [(found["where"], found["width"], found["verdict"]) for found in record["thumbnails"]] == [
        ("JFXX", 80, "differs"),
        ("Photoshop", 80, "differs"),
    ]
    assert set(told(record, "thumbnail")) == {"JFXX", "Photoshop"}
    assert told(record, "person") == {}


def test_bytes_in_exif_that_no_entry_names_are_told(tmp_path):
    start, *rest = read_segments(jpeg()).segments
    empty = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6)
    path = tmp_path / "stale.jpg"
    for behind, found in ((b"Jane Doe, 12 Elm Street, serial 4711", True), (b"\xff" * 8, False)):
        segments = (start, Segment(0xE1, empty + behind), *rest)
        path.write_bytes(b"".join(segment.to_bytes() for segment in segments))
        said = told(inspect(path), "unknown")
        assert said == ({"Exif": f"{len(behind)} bytes that no entry names: {behind.decode()}"} if found else {})


def test_a_picture_too_large_to_decode_still_tells_what_its_file_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("cama.storage.images.MAX_PIXELS", 100)
    start, *rest = read_segments(jpeg()).segments
    exif = Image.Exif()
    exif[0x013B] = "Jorunn Dahl"
    path = tmp_path / "large.jpg"
    path.write_bytes(b"".join(segment.to_bytes() for segment in (start, Segment(0xE1, exif.tobytes()), *rest)))
    record = inspect(path)
    assert told(record, "person") == {"Exif Artist": "Jorunn Dahl"}
    assert record["faults"] == []
    assert record["warnings"] == [f"{path}: too large, found 64x48 pixels, expected at most 100 in all"]
    assert "too large" in summary(record)
    assert "damaged" not in summary(record)
    with pytest.raises(CamaError, match="expected at most 100"):
        inspect(path, references=[path])


@pytest.mark.parametrize("side", [14_500, 65_500])
def test_a_picture_over_the_limit_is_too_large_and_not_damaged(side, tmp_path, capsys):
    path = tmp_path / "large.jpg"
    path.write_bytes(with_frame(jpeg(), lambda frame: frame[:1] + struct.pack(">HH", side, side) + frame[5:]))
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"{path}: too large, " in shown
    assert "damaged" not in shown


def test_a_video_behind_the_picture_is_a_video_and_no_scans(tmp_path):
    """Two bytes of a scan's head stand in any 64 KiB of it."""
    path = tmp_path / "motion.jpg"
    video = np.random.default_rng(0).bytes(9_000_000)
    assert video.count(b"\xff\xda") > 100
    path.write_bytes(jpeg(np.zeros((3072, 4080, 3), np.uint8)) + video)
    record = inspect(path)
    assert record["faults"] == []
    assert list(told(record, "unknown")) == ["behind the picture"]


def test_a_bare_picture_tells_nothing(tmp_path):
    path = tmp_path / "bare.jpg"
    path.write_bytes(jpeg())
    record = inspect(path)
    assert record["leaks"] == record["thumbnails"] == record["faults"] == []


def test_nothing_from_a_file_commands_the_terminal(photo):
    shown = summary(inspect(photo))
    assert "J. D." in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_damaged_exif_is_a_fault_and_not_the_end(tmp_path):
    path = tmp_path / "damaged.jpg"
    start, *rest = read_segments(jpeg()).segments
    path.write_bytes(b"".join(s.to_bytes() for s in (start, Segment(0xE1, b"Exif\0\0nothing"), *rest)))
    record = inspect(path)
    assert record["faults"] == [f"{path}: found EXIF that begins with 6e 6f 74 68, expected a TIFF header"]
    assert "damaged" in summary(record)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"II*\0"])
def test_what_is_no_jpeg_is_refused(data, tmp_path, capsys):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert main(["inspect", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cama inspect: {path}: ")
    assert error.count("\n") == 1


def test_a_file_too_large_for_a_photograph_is_not_read(tmp_path):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(500_000_001)  # sparse
    with pytest.raises(CamaError, match=r"large.jpg: too large, found 500000001 bytes, expected at most 500000000"):
        inspect(path)


def test_the_classifiers_are_asked(tmp_path):
    path, model = tmp_path / "a.jpg", tmp_path / "f.safetensors"
    path.write_bytes(jpeg(scene(100, 150)))
    labels = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")
    save_classifier(model, tiny_classifier("rgb"), net_spec("rgb"), labels, {})
    (found,) = inspect(path, [model])["attribution"]
    assert found["classifier"] == "f.safetensors"
    assert set(found["probabilities"]) == set(labels)
    values = list(found["probabilities"].values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-3)
    assert "attribution" in summary(inspect(path, [model]))
    path.write_bytes(jpeg(scene(40, 40)))
    with pytest.raises(CamaError, match="expected at least 64 a side to attribute"):
        inspect(path, [model])


def test_references_must_be_other_photographs_of_the_same_size(tmp_path):
    paths = [tmp_path / f"{name}.jpg" for name in "abc"]
    for seed, (path, size) in enumerate(zip(paths, ((64, 64), (64, 64), (64, 80)), strict=True)):
        path.write_bytes(jpeg(scene(*size, seed)))
    assert inspect(paths[0], references=[paths[1]])["fingerprint"]["references"] == 1
    with pytest.raises(CamaError, match="found it among its own references"):
        inspect(paths[0], references=[paths[1], paths[0]])
    with pytest.raises(CamaError, match=r"c.jpg: found 80x64 pixels, expected 64x64"):
        inspect(paths[0], references=[paths[2]])


def test_the_command_prints_a_table_or_json(photo, capsys):
    assert main(["inspect", str(photo)]) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0] == str(photo)
    assert "which device" in table
    assert main(["inspect", "--json", str(photo)]) == 0
    printed = {"format": "cama inspect", "version": 3, "results": [inspect(photo)]}
    assert json.loads(capsys.readouterr().out) == printed


@needs_photographs
def test_real_photographs_tell_their_model_and_their_device():
    for path in photographs("natural")[::5]:
        record = inspect(path)
        model = path.name.split("_")[1]
        assert told(record, "camera")["Exif Model"] == f"NIKON {model}"
        assert "Exif MakerNote" in told(record, "device")
        assert record["faults"] == []
        assert [found["where"] for found in record["thumbnails"]] == ["EXIF", "maker's note"]
        assert all(found["verdict"] != "differs" for found in record["thumbnails"])


@needs_photographs
def test_a_real_photograph_matches_the_fingerprint_of_its_own_device():
    photo = DRESDEN / "natural" / "Nikon_D70s_0_21853.JPG"
    own, other = (sorted((DRESDEN / "flatfield").glob(f"Nikon_D70s_{device}_*.JPG")) for device in (0, 1))
    assert inspect(photo, references=own)["fingerprint"]["match"]
    assert not inspect(photo, references=other)["fingerprint"]["match"]


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_pictures_without_three_colours_are_pictures_too(mode, tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for number, path in enumerate(paths):
        Image.fromarray(scene(80, 80, number)).convert(mode).save(path, exif=exif())
    record = inspect(paths[0], references=[paths[1]])
    assert told(record, "device") == {"Exif BodySerialNumber": "SN0042"}
    assert record["fingerprint"]["references"] == 1
