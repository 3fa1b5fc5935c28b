"""Tests of cama.photo.anonymize: what is written holds pixels alone, and after an error nothing is written."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from cama.cli import main
from cama.container import encoding
from cama.container.segments import APP0, read_segments
from cama.errors import CamaError
from cama.images import read_rgb
from cama.models.classifiers import save_classifier
from cama.models.generator import Generator, save_generator
from cama.photo import anonymize as module
from cama.photo.anonymize import NEUTRAL_TIME, Anonymizer, anonymize, upright
from cama.photo.inspect import inspect
from cama.photo.profile import learn_profile
from cama.settings.networks import GeneratorSpec
from cama.transfer.distortion import psnr
from tests.container.helpers import jpeg, scene
from tests.container.test_exif import tiff
from tests.models.helpers import net_spec, shake, tiny_classifier
from tests.real import needs_photographs, photographs

LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")
SPEC = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", input="rgb")
SECRETS = (b"Jorunn", b"SN0042", b"2026", b"Alcyon", b"http")


@pytest.fixture
def model(tmp_path) -> Path:
    torch.manual_seed(0)
    save_generator(tmp_path / "g.safetensors", shake(Generator(3, SPEC), 0.03).eval(), SPEC, LABELS, {})
    return tmp_path / "g.safetensors"


@pytest.fixture
def photo(tmp_path) -> Path:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x013B] = "Alcyon", "A10", "Jorunn Dahl"
    exif.get_ifd(0x8769)[0xA431] = "SN0042"
    path = tmp_path / "IMG_2026.jpg"
    path.write_bytes(jpeg(scene(96, 128), exif=exif.tobytes(), comment=b"http://example.org") + b"SN0042 behind")
    return path


def how(model: Path, profile: Path | None = None, classifiers: tuple[Path, ...] = ()) -> Anonymizer:
    return Anonymizer.load(model, "Corvus_C300", profile, classifiers)


def test_the_written_file_holds_pixels_alone(photo, model, tmp_path):
    before = photo.read_bytes()
    out = tmp_path / "out.jpg"
    record = anonymize(photo, out, how(model), force=False)
    data = out.read_bytes()
    names = [segment.name for segment in read_segments(data).segments]
    assert set(names) == {"SOI", "APP0 JFIF", "DQT", "SOF0", "DHT", "SOS", "EOI"}
    assert not [secret for secret in SECRETS if secret in data]
    assert inspect(out)["leaks"] == []
    assert out.stat().st_mtime == NEUTRAL_TIME
    assert photo.read_bytes() == before
    assert record["psnr"] == pytest.approx(psnr(read_rgb(photo), read_rgb(out)), abs=0.01)
    assert 20 < record["psnr"] < 45
    assert record["encoding"] == "neutral"


STRUCTURE = {
    *("FileType", "FileTypeExtension", "MIMEType", "ImageWidth", "ImageHeight", "EncodingProcess", "BitsPerSample"),
    *("ColorComponents", "YCbCrSubSampling", "JFIFVersion", "ResolutionUnit", "XResolution", "YResolution"),
    *("ImageSize", "Megapixels", "ExifToolVersion", "SourceFile"),
}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool, an independent witness, is not installed")
def test_exiftool_finds_structure_alone(photo, model, tmp_path):
    out = tmp_path / "out.jpg"
    anonymize(photo, out, how(model), force=False)
    command = ["exiftool", "-json", "-a", "-u", "-U", "--system:all", str(out)]
    (found,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert set(found) <= STRUCTURE
    (before,) = json.loads(
        subprocess.run([*command[:-1], str(photo)], capture_output=True, text=True, check=True).stdout
    )
    assert {"Make", "SerialNumber", "Comment"} <= set(before)  # it would have found them


def test_a_profile_is_imitated(photo, model, tmp_path):
    for number, options in enumerate(({"subsampling": "4:2:2", "quality": 97},) * 2):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Dorado", "D5"
        (tmp_path / f"d{number}.jpg").write_bytes(jpeg(scene(48, 64, number), exif=exif.tobytes(), **options))
    learn_profile([tmp_path / "d0.jpg", tmp_path / "d1.jpg"], tmp_path / "p.json")
    record = anonymize(photo, tmp_path / "out.jpg", how(model, tmp_path / "p.json"), force=False)
    (found,) = inspect(tmp_path / "out.jpg", profiles=[tmp_path / "p.json"])["profiles"]
    # no EXIF is written, and the photograph keeps its size
    assert {trait for trait, same in found["matches"].items() if not same} == {"segments", "dimensions"}
    assert record["encoding"] == "Dorado D5"


def test_the_classifiers_are_asked_before_and_after(photo, model, tmp_path, capsys):
    save_classifier(tmp_path / "f.safetensors", tiny_classifier("rgb"), net_spec("rgb"), LABELS, {})
    arguments = [str(photo), "--model", str(model), "--to", "Corvus_C300", "--out", str(tmp_path / "out.jpg")]
    assert main(["anonymize", *arguments, "--classifier", str(tmp_path / "f.safetensors"), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    for when in ("before", "after"):
        (found,) = record[when]
        assert set(found["probabilities"]) == set(LABELS)
    assert "Nothing was measured against classifiers of real cameras" in record["caution"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = scene(48, 64)
    (tmp_path / "a.jpg").write_bytes(jpeg(picture, quality=100, subsampling="4:4:4", exif=exif.tobytes()))
    expected = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture, 3),
        7: picture[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(picture, 1),
    }[orientation]
    assert psnr(upright(tmp_path / "a.jpg"), np.ascontiguousarray(expected)) > 35


def test_colours_become_srgb(tmp_path):
    wide = ImageCms.createProfile("LAB")
    with pytest.raises(CamaError, match="cannot be brought to sRGB"):
        path = tmp_path / "lab.jpg"
        path.write_bytes(jpeg(icc_profile=ImageCms.ImageCmsProfile(wide).tobytes()))
        upright(path)
    path = tmp_path / "srgb.jpg"
    picture = scene(48, 64)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path.write_bytes(jpeg(icc_profile=profile))
    assert np.array_equal(upright(path), read_rgb(path))
    # the same with red and green exchanged, under another name
    swapped = profile.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")
    path.write_bytes(jpeg(picture, icc_profile=swapped, quality=100, subsampling="4:4:4"))
    assert psnr(upright(path), np.ascontiguousarray(read_rgb(path)[..., [1, 0, 2]])) > 35


def test_an_existing_file_is_replaced_by_force_alone(photo, model, tmp_path):
    out = tmp_path / "out.jpg"
    out.write_bytes(b"mine")
    with pytest.raises(CamaError, match="there is a file of that name already"):
        anonymize(photo, out, how(model), force=False)
    assert out.read_bytes() == b"mine"
    anonymize(photo, out, how(model), force=True)
    assert out.read_bytes()[:2] == b"\xff\xd8"
    with pytest.raises(CamaError, match="found the photograph itself"):
        anonymize(photo, photo, how(model), force=True)


def leaking(picture: np.ndarray) -> bytes:
    return jpeg(picture, comment=b"left behind")


def another(picture: np.ndarray) -> bytes:
    return encoding.encode_neutral(255 - picture)


def cut(picture: np.ndarray) -> bytes:
    return encoding.encode_neutral(picture)[:-30]


@pytest.mark.parametrize("encode", [leaking, another, cut])
def test_a_file_that_is_not_as_it_should_be_is_never_left(encode, photo, model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "encode_neutral", encode)
    before = set(tmp_path.iterdir())
    with pytest.raises(CamaError):
        anonymize(photo, tmp_path / "out.jpg", how(model), force=False)
    assert set(tmp_path.iterdir()) == before


def grey() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", jpeg()[:-30], grey()])
def test_one_bad_file_does_not_stop_the_others(data, photo, model, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(data)
    (tmp_path / "out").mkdir()
    arguments = [str(tmp_path / "bad.jpg"), str(photo), "--model", str(model), "--to", "Alcyon_A10"]
    assert main(["anonymize", *arguments, "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert f"cama anonymize: {tmp_path / 'bad.jpg'}: " in captured.err
    assert captured.err.count("cama anonymize") == 1
    assert "1 written, 1 failed." in captured.out
    (written,) = (tmp_path / "out").iterdir()
    assert written.name.startswith("picture-")
    assert "IMG" not in written.name


def test_odd_exif_does_not_stop_a_photograph(model, tmp_path):
    """Values of types that libraries stumble over when they write EXIF again."""
    entries = (0x0112, 3, 1, b"\6\0\0\0"), (0x0128, 4, 1, b"\x70\x11\1\0"), (0x011A, 2, 3, b"72\0\0")
    (tmp_path / "a.jpg").write_bytes(jpeg(scene(48, 64), exif=tiff("<", *entries)))
    record = anonymize(tmp_path / "a.jpg", tmp_path / "out.jpg", how(model), force=False)
    assert (record["width"], record["height"]) == (48, 64)


def test_a_generator_that_destroys_the_picture_is_refused(photo, tmp_path):
    torch.manual_seed(0)
    save_generator(tmp_path / "wild.safetensors", shake(Generator(3, SPEC), 2.0).eval(), SPEC, LABELS, {})
    with pytest.raises(CamaError, match="found it changed beyond recognition"):
        anonymize(photo, tmp_path / "out.jpg", how(tmp_path / "wild.safetensors"), force=False)
    assert not (tmp_path / "out.jpg").exists()


def test_a_file_that_appears_meanwhile_is_kept(photo, model, tmp_path, monkeypatch):
    out = tmp_path / "out.jpg"
    real = module.check_bare

    def check_and_lose_the_race(data: bytes, name: str) -> object:
        out.write_bytes(b"somebody else's")
        return real(data, name)

    monkeypatch.setattr(module, "check_bare", check_and_lose_the_race)
    with pytest.raises(OSError, match="exists"):
        anonymize(photo, out, how(model), force=False)
    assert out.read_bytes() == b"somebody else's"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "change", [{"codings": []}, {"segments": [{"count": 1, "value": ["SOI"]}]}, {"codings": [{"value": {}}]}]
)
def test_a_profile_that_cannot_be_imitated_is_refused_at_once(change, model, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Dorado", "D5"
    (tmp_path / "d.jpg").write_bytes(jpeg(exif=exif.tobytes()))
    profile = learn_profile([tmp_path / "d.jpg"], tmp_path / "p.json") | change
    (tmp_path / "p.json").write_text(json.dumps(profile))
    with pytest.raises(CamaError, match="imitated"):
        how(model, tmp_path / "p.json")


def test_a_target_that_the_model_does_not_know_is_refused(photo, model, capsys):
    assert main(["anonymize", str(photo), "--model", str(model), "--to", "nobody"]) == 1
    assert "--to: found 'nobody', expected one of Alcyon_A10, Borealis_B2, Corvus_C300" in capsys.readouterr().err


def test_bytes_behind_and_fill_bytes_are_found():
    bare = encoding.encode_neutral(scene())
    encoding.check_bare(bare, "a.jpg")
    with pytest.raises(CamaError, match="found 3 bytes behind the picture"):
        encoding.check_bare(bare + b"abc", "a.jpg")
    with pytest.raises(CamaError, match="found a segment APP0 JFIF at byte 2"):
        encoding.check_bare(bare[:2] + b"\xff" + bare[2:], "a.jpg")
    thumb = bare.replace(encoding.JFIF, encoding.JFIF[:-2] + b"\1\1" + b"abc").replace(
        b"\xff\xe0\0\x10", b"\xff\xe0\0\x13"
    )
    assert read_segments(thumb).of(APP0)
    with pytest.raises(CamaError, match="found a segment APP0 JFIF"):
        encoding.check_bare(thumb, "a.jpg")


@needs_photographs
def test_real_photographs_are_imitated_by_their_own_profiles(tmp_path):
    paths = photographs("natural")
    for name in ("D70", "D70s", "D200"):
        own = [path for path in paths if path.name.startswith(f"Nikon_{name}_")]
        profile = learn_profile(own, tmp_path / f"{name}.json")
        picture = read_rgb(own[0])[:320, :480]
        order = profile["segments"][0]["value"]
        for coding in profile["codings"]:
            data = encoding.encode_like(picture, coding["value"], order)
            written = encoding.check_bare(data, name)
            assert [segment.name for segment in written.segments] == [n for n in order if n != "APP1 Exif"]
