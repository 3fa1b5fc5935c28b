"""Tests of cama.photo.anonymize: what is written holds pixels alone, and after an error nothing is written."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from cama import shipped
from cama.api import load_model
from cama.attacks.trained import learned_attack
from cama.commands.main import main
from cama.compute.device import Compute
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.jpeg import writing
from cama.jpeg.coding import describe, read_coding
from cama.jpeg.exif import read_exif
from cama.jpeg.segments import APP0, read_segments
from cama.photo import anonymize as module
from cama.photo import anonymize_files
from cama.photo.anonymize import NEUTRAL_TIME, PhotoAnonymizer, anonymize
from cama.photo.attribution import attribute, load_attributor
from cama.photo.decoding import orient, read_srgb
from cama.photo.inspect import inspect
from cama.photo.profile import learn_profile, write_profile
from cama.settings.attacks import MethodSpec
from cama.settings.training import ComputeSpec
from cama.storage.images import read_rgb
from cama.storage.model_files import read_model, save_tensors
from tests.commands.helpers import refusal
from tests.jpeg.helpers import jpeg, scene
from tests.jpeg.test_exif import tiff
from tests.photo.helpers import LABELS, camera_file, model_file
from tests.real_photographs import needs_photographs, photographs

SECRETS = (b"Jorunn", b"SN0042", b"2026", b"Alcyon", b"http")


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "model").mkdir()
    return model_file(tmp_path / "model")


@pytest.fixture
def photo(tmp_path) -> Path:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x013B] = "Alcyon", "A10", "Jorunn Dahl"
    exif.get_ifd(0x8769)[0xA431] = "SN0042"
    path = tmp_path / "IMG_2026.jpg"
    path.write_bytes(jpeg(scene(96, 128), exif=exif.tobytes(), comment=b"http://example.org") + b"SN0042 behind")
    return path


def how(model: Path, target: str = "Corvus_C300", **options: Any) -> PhotoAnonymizer:
    return PhotoAnonymizer.load(model, target, **{"encoding": "neutral", **options})


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


@pytest.fixture
def profile(tmp_path) -> Path:
    paths = [tmp_path / f"d{number}.jpg" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes(camera_file("Dorado_D5", number, subsampling="4:2:2", quality=97))
    write_profile(tmp_path / "p.json", learn_profile(paths))
    return tmp_path / "p.json"


def test_a_profile_is_imitated(photo, model, profile, tmp_path):
    record = anonymize(photo, tmp_path / "out.jpg", how(model, encoding="target", profile=profile), force=False)
    (found,) = inspect(tmp_path / "out.jpg", profiles=[profile])["profiles"]
    # no EXIF is written, and the photograph keeps its size
    assert {trait for trait, same in found["matches"].items() if not same} == {"segments", "dimensions"}
    assert (record["encoding"], record["metadata"]) == ("Dorado D5", "none")


def test_the_model_files_own_profile_is_imitated(photo, model, tmp_path):
    record = anonymize(photo, tmp_path / "out.jpg", how(model, encoding="target"), force=False)
    assert record["encoding"] == "Corvus C300"
    assert inspect(tmp_path / "out.jpg")["coding"]["subsampling"] == "4:2:2"
    # it has none of the first camera
    anonymizer = how(model, "Alcyon_A10", encoding="target")
    assert anonymize(photo, tmp_path / "neutral.jpg", anonymizer, force=False)["encoding"] == "neutral"
    assert inspect(tmp_path / "neutral.jpg")["coding"]["subsampling"] == "4:2:0"


def test_minimal_exif_says_what_the_targets_firmware_says_and_nothing_of_the_photograph(photo, model, tmp_path):
    anonymizer = how(model, encoding="target", metadata="target")
    record = anonymize(photo, tmp_path / "out.jpg", anonymizer, force=False)
    assert record["metadata"] == "target"
    data = (tmp_path / "out.jpg").read_bytes()
    assert not [secret for secret in SECRETS if secret in data]
    exif = read_exif(read_segments(data).of_kind("Exif")[0].payload)
    assert exif.faults == []
    found = {(entry.group, entry.name): entry.value for entry in exif.entries}
    assert found == {
        ("IFD0", "Make"): "Corvus",
        ("IFD0", "Model"): "C300",
        ("IFD0", "Software"): "1.0",
        ("IFD0", "Orientation"): 1,
        ("IFD0", "XResolution"): (72, 1),
        ("IFD0", "ExifOffset"): found["IFD0", "ExifOffset"],
        ("Exif", "ExifVersion"): b"0220",
        ("Exif", "ColorSpace"): 1,
        ("Exif", "ExifImageWidth"): 128,
        ("Exif", "ExifImageHeight"): 96,
    }
    with Image.open(tmp_path / "out.jpg") as image:  # an independent reader
        assert image.getexif()[0x010F] == "Corvus"
        assert image.getexif().get_ifd(0x8769)[0xA002] == 128


def test_minimal_exif_needs_a_profile(model, tmp_path):
    with pytest.raises(CamaError, match="--metadata: found target without a container profile of Alcyon_A10"):
        how(model, "Alcyon_A10", encoding="target", metadata="target")
    with pytest.raises(
        CamaError, match=r"--metadata: found target, and no EXIF in the photographs that .* of Borealis_B2"
    ):
        tensors, header = read_model(model, "anonymizer")
        header["profiles"]["Borealis_B2"]["exif"]["entries"] = []  # as of crops that have lost it
        save_tensors(tmp_path / "bare.safetensors", tensors, header)
        how(tmp_path / "bare.safetensors", "Borealis_B2", metadata="target", encoding="target")
    with pytest.raises(CamaError, match="--metadata: found target beside --encoding neutral, expected one of the two"):
        how(model, metadata="target")
    with pytest.raises(CamaError, match="--encoding: found neutral beside --profile"):
        how(model, profile=Path("p.json"))


def test_e_and_the_classifiers_are_asked_before_and_after(photo, model, tmp_path, capsys):
    classifier = model.with_name("e.safetensors")
    arguments = [str(photo), "--model", str(model), "--to", "Corvus_C300", "--out", str(tmp_path / "out.jpg")]
    assert main(["anonymize", *arguments, "--classifier", str(classifier), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    attributor = load_attributor(classifier)
    for when, path in (("before", photo), ("after", tmp_path / "out.jpg")):
        (expected,) = attribute(read_rgb(path), [attributor])
        assert record[when]["classifiers"] == [expected]
        (found,) = record[when]["model"]
        assert found["classifier"] == "rgb"
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=2e-3)
        assert record[when]["target"] == found["probabilities"]["Corvus_C300"]
    assert record["held_out"] is False
    assert record["before"] != record["after"]
    assert "nothing was measured against classifiers of real ones" in record["caution"]


def test_what_was_measured_on_real_cameras_is_not_called_simulated(photo, tmp_path):
    anonymizer = how(model_file(tmp_path, dataset="dresden"))
    assert "photographs of its own data (dresden), not on yours" in anonymizer.caution
    assert "simulated" not in anonymizer.caution


def oriented(path: Path) -> np.ndarray:
    picture, orientation, _ = read_srgb(path)
    return np.ascontiguousarray(orient(picture, orientation))


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
    assert psnr(oriented(tmp_path / "a.jpg"), np.ascontiguousarray(expected)) > 35


def test_g_sees_a_photograph_as_it_is_stored(model, tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    path, out = tmp_path / "a.jpg", tmp_path / "out.jpg"
    path.write_bytes(jpeg(scene(96, 128), exif=exif.tobytes()))
    seen = []
    real = module.packaged_attack

    def watched(*parts: Any) -> Callable[..., np.ndarray]:
        def attack(picture: np.ndarray, *arguments: Any) -> np.ndarray:
            seen.append(picture.copy())
            return real(*parts)(picture, *arguments)

        return attack

    monkeypatch.setattr(module, "packaged_attack", watched)
    record = anonymize(path, out, how(model), force=False)
    assert np.array_equal(seen[0], read_rgb(path))
    assert (record["width"], record["height"]) == (96, 128)
    assert record["psnr"] == pytest.approx(psnr(np.ascontiguousarray(np.rot90(seen[0], 3)), read_rgb(out)), abs=0.01)


def test_colours_become_srgb(tmp_path):
    path = tmp_path / "srgb.jpg"
    picture = scene(48, 64)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path.write_bytes(jpeg(icc_profile=profile))
    assert np.array_equal(oriented(path), read_rgb(path))
    # the same with red and green exchanged, under another name
    swapped = profile.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")
    renamed = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")
    for other in (renamed, swapped):  # what it calls itself does not matter
        path.write_bytes(jpeg(picture, icc_profile=other, quality=100, subsampling="4:4:4"))
        assert psnr(oriented(path), np.ascontiguousarray(read_rgb(path)[..., [1, 0, 2]])) > 35


def test_adobe_rgb_that_exif_alone_tells_becomes_srgb(tmp_path):
    """As cameras write it: DCF's R03 and no profile."""
    with np.printoptions():  # it sets others, by which tables of later tests would be written
        import colour

    path = tmp_path / "adobe.jpg"
    for index in ("R98", "R03"):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA005] = {1: index}
        path.write_bytes(jpeg(scene(48, 64), exif=exif.tobytes(), quality=95))
        stored = read_rgb(path)
        expected = stored
        if index == "R03":
            spaces = colour.RGB_COLOURSPACES["Adobe RGB (1998)"], colour.RGB_COLOURSPACES["sRGB"]
            turned = colour.RGB_to_RGB(stored / 255, *spaces, apply_cctf_decoding=True, apply_cctf_encoding=True)
            expected = np.round(255 * np.clip(turned, 0, 1))
            assert np.abs(expected - stored).max() > 5
        assert np.abs(oriented(path).astype(int) - expected).max() <= 1


def test_where_there_are_no_links_a_file_gets_its_name_all_the_same(photo, model, tmp_path, monkeypatch):
    """As on memory cards. Who was faster keeps the name."""

    def refused(self, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(tmp_path), "hardlink_to", refused)
    out = tmp_path / "out.jpg"
    anonymize(photo, out, how(model), force=False)
    assert out.read_bytes()[:2] == b"\xff\xd8"
    assert out.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    other = tmp_path / "other.jpg"

    def late(self, target):
        other.write_bytes(b"theirs")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(tmp_path), "hardlink_to", late)
    with pytest.raises(FileExistsError):
        anonymize(photo, other, how(model), force=False)
    assert other.read_bytes() == b"theirs"


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
    return writing.encode_neutral(255 - picture)


def cut(picture: np.ndarray) -> bytes:
    return writing.encode_neutral(picture)[:-30]


@pytest.mark.parametrize("encode", [leaking, another, cut])
def test_a_file_that_is_not_as_it_should_be_is_never_left(encode, photo, model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "encode_neutral", encode)
    before = set(tmp_path.iterdir())
    with pytest.raises(CamaError):
        anonymize(photo, tmp_path / "out.jpg", how(model), force=False)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", jpeg()[:-30]])
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
    (tmp_path / "a.jpg").write_bytes(jpeg(scene(64, 80), exif=tiff("<", *entries)))
    record = anonymize(tmp_path / "a.jpg", tmp_path / "out.jpg", how(model), force=False)
    assert (record["width"], record["height"]) == (64, 80)


def test_a_generator_that_destroys_the_picture_is_refused(photo, tmp_path):
    (tmp_path / "wild").mkdir()
    with pytest.raises(CamaError, match="found it changed beyond recognition"):
        anonymize(photo, tmp_path / "out.jpg", how(model_file(tmp_path / "wild", change=2.0)), force=False)
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize(
    ("level", "change", "steps", "headroom"),
    [(0, 0.03, 0, 0), (34, 0.5, 0, 0), (36, 0.5, 0, 2), (36, 0.5, 2, 2)],
)
def test_what_is_delivered_is_what_the_workflow_scores(level, change, steps, headroom, photo, tmp_path, monkeypatch):
    """By the command and from Python, before it is encoded. A G that destroys pictures is not refused where it is scaled."""
    path, g = (
        model_file(tmp_path, change=change, psnr=level, refine=steps, headroom=headroom),
        tmp_path / "g.safetensors",
    )
    method = MethodSpec(kind="learned", generator="g", psnr=level, refine=steps, headroom=headroom)
    compute = Compute(ComputeSpec(device="cpu", precision="float32"))
    attack = learned_attack(g, method, LABELS, compute, [tmp_path / "e.safetensors"])
    picture, target = read_rgb(photo), LABELS.index("Corvus_C300")
    (expected,) = attack(picture[None], np.array([-1]), np.array([target]))
    made = psnr(picture, expected)
    # a small picture with flat areas, where there is little to enlarge once the rest may not be stronger
    most = 0.1 if steps else 2 if headroom else 0.02
    assert level <= made < level + most if level else made > 38
    changed = load_model(path).transform(picture, "Corvus_C300")
    if steps:  # where there is hardly a gradient, weights in half precision turn a pixel's step
        assert np.corrcoef(*((one.astype(int) - picture).ravel() for one in (changed, expected)))[0, 1] > 0.98
    else:
        assert np.abs(changed.astype(int) - expected).max() <= 1
    delivered = []
    encode = module.encode_neutral
    monkeypatch.setattr(module, "encode_neutral", lambda one: delivered.append(one.copy()) or encode(one))
    arguments = [str(photo), "--model", str(path), "--to", "Corvus_C300", "--encoding", "neutral"]
    assert main(["anonymize", *arguments, "--out", str(tmp_path / "out.jpg")]) == 0
    assert np.array_equal(delivered[-1], changed)


def test_a_model_that_refines_needs_a_level(photo, tmp_path):
    path = model_file(tmp_path, psnr=36, refine=2)
    with pytest.raises(CamaError, match=r"--psnr: found 0, expected the PSNR in dB: .*model\.safetensors refines"):
        PhotoAnonymizer.load(path, "Corvus_C300", psnr=0)
    weaker = PhotoAnonymizer.load(path, "Corvus_C300", psnr=40)
    record = anonymize(photo, tmp_path / "out.jpg", weaker, force=False)
    assert any("measured with 36 dB" in warning for warning in record["warnings"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_several_at_a_time_in_the_order_given(jobs, photo, model, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "second.jpg").write_bytes(jpeg(scene(64, 64, 1)))
    (tmp_path / "out").mkdir()
    photos = [str(tmp_path / name) for name in ("second.jpg", "bad.jpg", photo.name)]
    arguments = [*photos, "--model", str(model), "--to", "Corvus_C300", "--out", str(tmp_path / "out")]
    assert main(["anonymize", *arguments, "--jobs", str(jobs)]) == 1
    captured = capsys.readouterr()
    *lines, last = captured.out.splitlines()
    assert [line.partition(" -> ")[0] for line in lines] == [str(tmp_path / "second.jpg"), str(photo)]
    assert all(": towards Corvus_C300: its classifiers name it with 0." in line for line in lines)
    assert all("dB, Corvus C300 encoding" in line for line in lines)
    unconvincing = sum(float(line.split("before, ")[1].split(" after")[0]) < 0.5 for line in lines)
    assert unconvincing  # E is not even trained
    visible = sum(float(line.split(" dB")[0].rpartition("; ")[2]) < 35 for line in lines)
    worse = sum(" less after than before" in line for line in lines)
    less = f"{worse} taken LESS for Corvus_C300 after than before. " if worse else ""
    seen = f"{visible} changed so much that it can be seen (below 35 dB): look before you share. " if visible else ""
    assert last.startswith(
        f"2 written, 1 failed. {unconvincing} could NOT be moved: classifiers that the model was trained with give"
        " Corvus_C300 less than 0.5. "
        f"{less}{seen}The model knows"
    )
    assert f"cama anonymize: {tmp_path / 'bad.jpg'}: " in captured.err
    assert len(list((tmp_path / "out").iterdir())) == 2
    written = [next((tmp_path / "out").glob(line.split(" -> ")[1].split(":")[0].rpartition("/")[2])) for line in lines]
    assert [read_rgb(path).shape for path in written] == [(64, 64, 3), (96, 128, 3)]


def dies_of_the_second(task: anonymize_files.Task) -> dict:
    """What runs in a process of its own, and takes it down."""
    if task[0].name == "second.jpg":
        os._exit(9)
    return {"input": str(task[0]), "output": None, "error": f"{task[0]}: was reached"}


def test_a_photograph_that_takes_its_process_down_stops_no_other(photo, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(anonymize_files, "_run_in_process", dies_of_the_second)
    names = ["first.jpg", "second.jpg", "third.jpg"]
    command = ["anonymize", *[str(tmp_path / name) for name in names], "--model", str(model), "--to", "Corvus_C300"]
    (tmp_path / "out").mkdir()
    assert main([*command, "--out", str(tmp_path / "out"), "--jobs", "2"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cama ")]
    assert said == [
        f"cama anonymize: {tmp_path / 'first.jpg'}: was reached",
        f"cama anonymize: {tmp_path / 'second.jpg'}: found that its process had ended, perhaps for lack of memory",
        f"cama anonymize: {tmp_path / 'third.jpg'}: was reached",
    ]


def test_progress_and_errors_stay_out_of_the_json_record(photo, model, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    command = ["anonymize", str(photo), str(tmp_path / "bad.jpg"), "--model", str(model), "--to", "Corvus_C300"]
    assert main([*command, "--out", str(tmp_path), "--json"]) == 1
    captured = capsys.readouterr()
    done, failed = json.loads(captured.out)["results"]
    assert (done["input"], done["error"]) == (str(photo), None)
    assert Path(done["output"]).is_file()
    failure, progress = captured.err.splitlines()
    assert failed == {
        "input": str(tmp_path / "bad.jpg"),
        "output": None,
        "error": failure.removeprefix("cama anonymize: "),
    }
    assert failure.startswith(f"cama anonymize: {tmp_path / 'bad.jpg'}: ")
    assert progress.startswith("photographs: 2/2, ")


@pytest.mark.parametrize(
    ("photos", "out", "expected"),
    [
        (1, "nowhere/out.jpg", "out.jpg: found no folder {}/nowhere, expected one"),
        (1, "out.png", "--out: found {}/out.png, expected a name that ends with .jpg: the output is a JPEG"),
        (1, "a.jpg", "a.jpg: there is a file of that name already, expected none without --force"),
        (1, "a.jpg/", "--out: found the file {}/a.jpg, expected a folder"),
        (2, "a.jpg", "--out: found the file {}/a.jpg, expected a folder"),
        (2, "b.jpg", "--out: found {}/b.jpg, expected a folder"),
        (2, "a.jpg/new", "a.jpg/new: could not be written to (Not a directory)"),
        (1, "/proc/out.jpg", "/proc: could not be written to ("),
        (2, "/proc/new/", "/proc/new: could not be written to ("),
    ],
)
def test_a_place_that_cannot_be_written_to_is_named_before_the_work(photos, out, expected, photo, tmp_path, capsys):
    """Before the model file is read, which is not there."""
    (tmp_path / "a.jpg").write_bytes(b"")
    model = tmp_path / "gone.safetensors"
    command = ["anonymize", *[str(photo)] * photos, "--model", str(model), "--to", "Corvus_C300"]
    assert main([*command, "--out", os.path.join(tmp_path, out)]) == 1
    said = capsys.readouterr().err
    assert expected.format(tmp_path) in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["IMG_2026.jpg", "a.jpg"]


@pytest.mark.parametrize(("photos", "out"), [(1, "new/"), (1, "new/er/"), (2, "new"), (2, "new/er")])
def test_a_folder_is_made(photos, out, photo, model, tmp_path, capsys):
    command = ["anonymize", *[str(photo)] * photos, "--model", str(model), "--to", "Corvus_C300"]
    assert main([*command, "--out", os.path.join(tmp_path, out)]) == 0
    assert len(list((tmp_path / out).iterdir())) == photos


def test_a_folder_that_nothing_was_written_to_is_not_left(model, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    command = ["anonymize", str(tmp_path / "bad.jpg"), "--model", str(model), "--to", "Corvus_C300"]
    assert main([*command, "--out", f"{tmp_path}/new/er/"]) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_who_may_read_a_written_file_is_what_the_umask_says(umask, mode, photo, model, tmp_path):
    before = os.umask(umask)
    try:
        anonymize(photo, tmp_path / "out.jpg", how(model), force=False)
    finally:
        os.umask(before)
    assert (tmp_path / "out.jpg").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("after", "worse"), [(0.52, True), (0.7, False), (0.6, False)])
def test_a_photograph_taken_less_for_the_target_than_before_has_a_remark(
    after, worse, photo, model, capsys, monkeypatch
):
    scores = iter((0.6, after))
    others = {"model": [], "classifiers": [], "judges": []}
    monkeypatch.setattr(module, "_attribution", lambda *_: {"target": next(scores), **others})
    arguments = [str(photo), "--model", str(model), "--to", "Corvus_C300", "--out", str(photo.parent / "out.jpg")]
    assert main(["anonymize", *arguments]) == 0
    line, last = capsys.readouterr().out.splitlines()
    asked = "classifiers that the model was trained with give Corvus_C300"
    remark = f"{asked} less after than before: 0.5200 instead of 0.6000"
    assert (f"WARNING: {remark}" in line) == worse
    assert ("1 taken LESS for Corvus_C300 after than before." in last) == worse
    scores = iter((0.6, after))
    assert main(["anonymize", *arguments, "--force", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert record["warnings"] == ([remark] if worse else [])


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize(("target", "moved"), [(0.49, False), (0.51, True)])
def test_a_photograph_that_could_not_be_moved_is_written_with_a_remark(
    target, moved, held_out, photo, tmp_path, capsys, monkeypatch
):
    model = model_file(tmp_path, judges=held_out)
    others = {"model": [], "classifiers": [], "judges": []}
    monkeypatch.setattr(module, "_attribution", lambda *_: {"target": target, **others})
    out = photo.parent / "out.jpg"
    arguments = [str(photo), "--model", str(model), "--to", "Corvus_C300", "--out", str(out)]
    assert main(["anonymize", *arguments]) == 0
    assert out.exists()
    line, last = capsys.readouterr().out.splitlines()
    asked = f"classifiers that the model was {'not ' if held_out else ''}trained with"
    remark = f"it could NOT be moved: {asked} give Corvus_C300 only {target:.2f}"
    assert (f"WARNING: {remark}" in line) != moved
    assert ("1 could NOT be moved:" in last) != moved
    assert main(["anonymize", *arguments, "--force", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert [text.startswith(remark) for text in record["warnings"]] == ([] if moved else [True])
    assert record["held_out"] == held_out


def test_the_judges_of_the_model_file_are_asked(photo, tmp_path):
    record = anonymize(photo, tmp_path / "out.jpg", how(model_file(tmp_path, judges=True)), force=False)
    assert record["held_out"]
    assert [found["classifier"] for found in record["after"]["model"]] == ["judge"]


def test_without_a_model_the_one_that_comes_with_cama_is_used_and_chooses_the_target(
    photo, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(shipped, "SHIPPED", model_file(tmp_path, judges=True))
    out = tmp_path / "out.jpg"
    assert main(["anonymize", str(photo), "--out", str(out), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert record["target"] == record["choice"]["target"]
    assert main(["models", "show"]) == 0
    assert capsys.readouterr().out.startswith("# cama\n")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "gone")
    line = refusal(capsys, "anonymize", photo, "--out", tmp_path / "other.jpg")
    assert line.endswith("--model: found none, and this cama came without a model file: expected one of the workflow")


def test_a_picture_in_which_nothing_changed_is_null_in_json_and_said(photo, model, capsys, monkeypatch):
    monkeypatch.setattr(module, "psnr", lambda *_: float("inf"))
    arguments = [str(photo), "--model", str(model), "--to", "Corvus_C300", "--out", str(photo.parent / "out.jpg")]
    assert main(["anonymize", *arguments]) == 0
    assert "; no pixel changed, Corvus C300 encoding" in capsys.readouterr().out
    assert main(["anonymize", *arguments, "--force", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert record["psnr"] is None


def test_photographs_of_one_name_and_folders_are_told_apart(photo, model, tmp_path, capsys):
    """Also the one that fails."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.jpg").write_bytes(jpeg(scene(64, 64, 1)))
    (tmp_path / "two" / "a.jpg").write_bytes(jpeg(scene(64, 80, 2)))
    (tmp_path / "three" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "three" / "notes.txt").write_text("no photograph")
    inputs = [tmp_path / "one" / "a.jpg", tmp_path / "three", tmp_path / "two" / "a.jpg"]
    arguments = [*map(str, inputs), "--model", str(model), "--to", "Corvus_C300", "--out", f"{tmp_path}/new/"]
    assert main(["anonymize", *arguments, "--json"]) == 1
    out, err = capsys.readouterr()
    one, three, two = json.loads(out)["results"]
    assert [record["input"] for record in (one, three, two)] == [
        str(tmp_path / name / "a.jpg") for name in ("one", "three", "two")
    ]
    assert [read_rgb(Path(record["output"])).shape for record in (one, two)] == [(64, 64, 3), (64, 80, 3)]
    assert three["output"] is None
    assert f"{tmp_path}/three/notes.txt: left out, it does not look like a photograph" in err


def test_a_file_that_appears_meanwhile_is_kept(photo, model, tmp_path, monkeypatch):
    out = tmp_path / "out.jpg"
    real = module.check_pixels_only

    def check_and_lose_the_race(data: bytes, name: str, exif: bytes) -> object:
        out.write_bytes(b"somebody else's")
        return real(data, name, exif)

    monkeypatch.setattr(module, "check_pixels_only", check_and_lose_the_race)
    with pytest.raises(OSError, match="exists"):
        anonymize(photo, out, how(model), force=False)
    assert out.read_bytes() == b"somebody else's"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"codings": []}, "codings: List should have at least 1 item"),
        ({"codings": [{"count": 1, "value": {}}]}, "codings.0.value.process: Field required"),
        ({"segments": [{"count": 1, "value": ["SOI"]}]}, "cannot be imitated"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"version": 1}, "version: "),
    ],
)
def test_a_profile_that_cannot_be_imitated_is_refused_at_once(change, expected, model, profile):
    profile.write_text(json.dumps(json.loads(profile.read_text()) | change))
    with pytest.raises(CamaError, match=expected):
        how(model, encoding="target", profile=profile)


@pytest.mark.parametrize(
    ("table", "expected"), [([70_000] * 64, "less than or equal to 65535"), ([1], "at least 64 items")]
)
def test_a_profile_of_impossible_tables_is_refused_at_once(table, expected, model, profile):
    values = json.loads(profile.read_text())
    values["codings"][0]["value"]["quantisation"]["0"] = table
    profile.write_text(json.dumps(values))
    with pytest.raises(CamaError, match=f"codings.0.value.quantisation.*{expected}"):
        how(model, encoding="target", profile=profile)


def test_a_target_that_the_model_does_not_know_is_refused(photo, model, capsys):
    assert main(["anonymize", str(photo), "--model", str(model), "--to", "nobody"]) == 1
    assert "--to: found 'nobody', expected one of Alcyon_A10, Borealis_B2, Corvus_C300" in capsys.readouterr().err


def test_bytes_behind_and_fill_bytes_are_found():
    bare = writing.encode_neutral(scene())
    writing.check_pixels_only(bare, "a.jpg")
    with pytest.raises(CamaError, match="found 3 bytes behind the picture"):
        writing.check_pixels_only(bare + b"abc", "a.jpg")
    with pytest.raises(CamaError, match="found a segment APP0 JFIF at byte 2"):
        writing.check_pixels_only(bare[:2] + b"\xff" + bare[2:], "a.jpg")
    thumb = bare.replace(writing.JFIF, writing.JFIF[:-2] + b"\1\1" + b"abc").replace(
        b"\xff\xe0\0\x10", b"\xff\xe0\0\x13"
    )
    assert read_segments(thumb).with_marker(APP0)
    with pytest.raises(CamaError, match="found a segment APP0 JFIF"):
        writing.check_pixels_only(thumb, "a.jpg")


@needs_photographs
def test_real_photographs_are_imitated_by_their_own_profiles():
    paths = photographs("natural")
    for name in ("D70", "D70s", "D200"):
        own = [path for path in paths if path.name.startswith(f"Nikon_{name}_")]
        profile = learn_profile(own)
        picture = read_rgb(own[0])[:320, :480]
        order = profile.order
        for coding in profile.codings:
            data = writing.encode_like(picture, coding.value.model_dump(), order)
            written = writing.check_pixels_only(data, name)
            assert [segment.name for segment in written.segments] == [n for n in order if n != "APP1 Exif"]


@pytest.mark.parametrize("progressive", [False, True])
def test_the_header_of_jfif_stands_where_the_target_writes_it(progressive):
    """As many telephones do: before EXIF, or behind it."""
    picture = scene(48, 64)
    like = read_segments(jpeg(picture, quality=90, progressive=progressive))
    coding = describe(read_coding(like))
    start, header, *rest = [segment.name for segment in like.segments]
    payload = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6)
    for order in (
        [start, header, "APP1 Exif", *rest],
        [start, "APP1 Exif", header, *rest],
        [start, "APP1 Exif", *rest],
    ):
        for exif in (b"", payload):
            written = writing.check_pixels_only(writing.encode_like(picture, coding, order, exif), "x", exif)
            assert [segment.name for segment in written.segments] == [n for n in order if exif or n != "APP1 Exif"]


def test_what_was_written_before_an_interruption_is_told(photo, model, tmp_path, monkeypatch, capsys):
    real, done = anonymize_files.anonymize, []

    def once(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(real(*arguments))
        return done[0]

    monkeypatch.setattr(anonymize_files, "anonymize", once)
    arguments = ["--model", str(model), "--to", "Corvus_C300", "--out", str(tmp_path), "--json"]
    assert main(["anonymize", str(photo), str(photo), *arguments]) == 130
    assert json.loads(capsys.readouterr().out)["results"] == done


def test_what_several_processes_wrote_before_an_interruption_is_told(model, tmp_path, monkeypatch, capsys):
    photos = [tmp_path / f"{number}.jpg" for number in range(5)]
    for number, path in enumerate(photos):
        path.write_bytes(jpeg(scene(64, 64, number)))

    def interrupted(self, done):
        if self.label == "photographs":
            raise KeyboardInterrupt

    monkeypatch.setattr(anonymize_files.Progress, "update", interrupted)
    arguments = ["--model", str(model), "--to", "Corvus_C300", "--out", str(tmp_path / "out"), "--jobs", "2", "--json"]
    assert main(["anonymize", *map(str, photos), *arguments]) == 130
    told = json.loads(capsys.readouterr().out)["results"]
    assert len(told) > 1
    assert {record["output"] for record in told} == set(map(str, (tmp_path / "out").iterdir()))
