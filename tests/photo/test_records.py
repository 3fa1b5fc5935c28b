"""The JSON of `inspect` and `anonymize`, checked against the schemas that users have, and what names a photograph."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from PIL import Image

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.jpeg.segments import Segment, read_segments
from cama.photo import inspect_files
from cama.photo.records import failure_line
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import LABELS, camera_file, model_file

PROJECT = Path(__file__).parents[2]
CASES = PROJECT.parent / "shared" / "data" / "cases"
SCHEMAS = {
    name: json.loads((PROJECT / "docs" / f"{name}.schema.json").read_text()) for name in ("inspect", "anonymize")
}


def refuse(constant: str) -> float:
    raise AssertionError(f"found {constant}, which JSON does not know")


def results(command: str, said: str) -> list[dict[str, Any]]:
    """The records of a command's output, which is as its schema says."""
    printed = json.loads(said, parse_constant=refuse)
    Draft202012Validator(SCHEMAS[command]).validate(printed)
    return printed["results"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Photographs, and what else lies beside them."""
    root = tmp_path / "photos"
    (root / "below").mkdir(parents=True)
    (root / "b.jpg").write_bytes(camera_file("Alcyon_A10", 1))
    (root / "below" / "b.jpg").write_bytes(camera_file("Alcyon_A10", 2))
    (root / "raw.NEF").write_bytes(b"MM\0*" + bytes(20))
    (root / "below" / "without ending").write_bytes(jpeg())
    (root / "broken.JPEG").write_bytes(b"no picture")
    (root / "notes.txt").write_text("by Jorunn")
    (root / "._b.jpg").write_bytes(b"\0\5\x16\7" + bytes(20))
    (root / "video.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(20))
    (root / "gone.jpg").symlink_to(root / "nowhere")
    (root / "below" / "above").symlink_to(root)
    return root


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_refuses_what_is_not_as_it_says(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    good = {"format": f"cama {name}", "version": 3, "results": [{"input": "a.jpg", "error": "a.jpg: no"}]}
    if name == "anonymize":
        good["results"][0]["output"] = None
    validator = Draft202012Validator(SCHEMAS[name])
    validator.validate(good)
    changes = ({"version": 1}, {"format": "cama"}, {"more": 1}, {"results": [{"input": "a.jpg", "error": None}]})
    for change in (*changes, {"results": [{**good["results"][0], "error": "two\nlines"}]}):
        with pytest.raises(ValidationError):
            validator.validate(good | change)


def test_the_page_names_every_key_of_a_record():
    page = (PROJECT / "docs" / "inspect.md").read_text()
    assert [key for key in SCHEMAS["inspect"]["$defs"]["record"]["properties"] if f"`{key}`" not in page] == []
    page = (PROJECT / "docs" / "sharing.md").read_text()
    assert [key for key in SCHEMAS["anonymize"]["$defs"]["record"]["properties"] if f"`{key}`" not in page] == []


def test_a_record_with_everything_is_as_the_schema_says(model, tmp_path, capsys):
    photo, other, profile = tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "p.json"
    thumbnail = jpeg(scene(12, 16))
    for seed, path in enumerate((photo, other)):
        start, *rest = read_segments(camera_file("Alcyon_A10", seed, size=(96, 128))).segments
        extra = Segment(0xE0, b"JFXX\0\x10" + thumbnail), Segment(0xFE, b"by \xff Jorunn")
        path.write_bytes(b"".join(part.to_bytes() for part in (start, *extra, *rest)) + b"behind")
    assert main(["profile", str(photo), "--out", str(profile)]) == 0
    options = ["--classifier", str(model.with_name("e.safetensors")), "--reference", str(other)]
    assert main(["inspect", str(photo), *options, "--profile", str(profile), "--json"]) == 0
    (record,) = results("inspect", capsys.readouterr().out)
    assert (record["input"], record["error"], record["file"]) == (str(photo), None, "a.jpg")
    assert {"profiles", "attribution", "fingerprint", "thumbnails"} <= set(record)
    assert record["thumbnails"]
    broken = copy.deepcopy(record)
    broken["fingerprint"]["pce"] = "high"
    printed = {"format": "cama inspect", "version": 3, "results": [broken]}
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMAS["inspect"]).validate(printed)


@pytest.mark.parametrize("metadata", ["none", "target"])
def test_what_anonymize_prints_is_as_the_schema_says(metadata, model, tmp_path, capsys):
    photo, bad = tmp_path / "a.jpg", tmp_path / "b.jpg"
    photo.write_bytes(camera_file("Alcyon_A10", size=(96, 128)))
    bad.write_bytes(b"no picture")
    options = ["--model", str(model), "--to", LABELS[1], "--classifier", str(model.with_name("e.safetensors"))]
    command = ["anonymize", str(photo), str(bad), *options, "--metadata", metadata, "--out", f"{tmp_path}/new/"]
    assert main([*command, "--json"]) == 1
    done, failed = results("anonymize", capsys.readouterr().out)
    assert (done["input"], done["error"]) == (str(photo), None)
    assert Path(done["output"]).parent == tmp_path / "new"
    assert (failed["input"], failed["output"]) == (str(bad), None)
    assert failed["error"].startswith(f"{bad}: ")


@pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/cases is not beside the repository")
def test_the_records_of_odd_files_are_as_the_schema_says(capsys):
    main(["inspect", str(CASES), "--json"])
    records = results("inspect", capsys.readouterr().out)
    assert len(records) == len([path for path in CASES.iterdir() if path.suffix != ".md"])
    assert sum(record["error"] is None for record in records) > 20


def test_a_folder_is_all_its_photographs_and_nothing_is_left_out_without_a_word(folder, capsys):
    assert main(["inspect", str(folder), "--json"]) == 1
    out, err = capsys.readouterr()
    records = results("inspect", out)
    names = ["b.jpg", "below/b.jpg", "below/without ending", "broken.JPEG", "raw.NEF"]
    assert [record["input"] for record in records] == [str(folder / name) for name in names]
    assert [bool(record["error"]) for record in records] == [False, False, False, True, True]
    assert sorted(err.splitlines()) == sorted(
        f"cama inspect: {line}"
        for line in (
            f"{folder}/._b.jpg: left out, it holds what macOS knows of another file",
            f"{folder}/below/above: left out, it is read under another path",
            f"{folder}/gone.jpg: left out, it is no file",
            f"{folder}/notes.txt: left out, it does not look like a photograph",
            f"{folder}/video.mp4: left out, it does not look like a photograph",
            records[-2]["error"],
            records[-1]["error"],
        )
    )


def test_a_folder_that_is_a_link_is_read(folder, tmp_path, capsys):
    (tmp_path / "link").symlink_to(folder / "below")
    assert main(["inspect", str(tmp_path / "link"), "--json"]) == 1  # `above` leads to the broken file
    inputs = [record["input"] for record in results("inspect", capsys.readouterr().out)]
    assert str(tmp_path / "link" / "b.jpg") in inputs
    assert str(tmp_path / "link" / "above" / "b.jpg") in inputs


def test_a_folder_without_photographs_is_an_error(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["inspect", str(tmp_path / "empty"), "--json"]) == 1
    (record,) = results("inspect", capsys.readouterr().out)
    assert record["error"] == f"{tmp_path}/empty: found a folder without photographs, expected some"


def test_several_blocks_are_headed_by_their_paths(folder, capsys):
    paths = [folder / "b.jpg", folder / "gone", folder / "below" / "b.jpg"]
    assert main(["inspect", *map(str, paths)]) == 1
    out, err = capsys.readouterr()
    first, second = out.split("\n\n")
    assert first.startswith(f"{paths[0]}\n")
    assert second.startswith(f"{paths[2]}\n")
    assert err == f"cama inspect: {paths[1]}: no such photograph\n"


def test_an_interruption_keeps_the_records_before_it(folder, capsys, monkeypatch):
    real = inspect_files.inspect_with

    def interrupted(path, comparison):
        if path.parent.name == "below":
            raise KeyboardInterrupt
        return real(path, comparison)

    monkeypatch.setattr(inspect_files, "inspect_with", interrupted)
    assert main(["inspect", str(folder), "--json"]) == 130
    assert [record["file"] for record in results("inspect", capsys.readouterr().out)] == ["b.jpg"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CamaError("a/b.jpg: found nothing,\nexpected a JPEG"), "a/b.jpg: found nothing, expected a JPEG"),
        (CamaError("c.jpg: found a/b.jpg: in it"), "a/b.jpg: c.jpg: found a/b.jpg: in it"),
        (PermissionError(13, "Permission denied", "out"), "a/b.jpg: out: Permission denied"),
        (MemoryError(), "a/b.jpg: found too little memory for it"),
        (IndexError("3"), "a/b.jpg: the program failed (IndexError: 3)"),
    ],
)
def test_a_failure_is_one_line_that_begins_with_the_path(error, line):
    assert failure_line(Path("a/b.jpg"), error) == line


def test_an_odd_path_stands_in_a_failure_once():
    assert failure_line(Path("a  b\n.jpg"), CamaError("a  b\n.jpg: found\nnothing")) == "a  b?.jpg: found nothing"


def test_a_terminal_without_unicode_sees_what_it_cannot_show_escaped(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = "N", (59.0, 54.0, 30.5)
    (tmp_path / "a.jpg").write_bytes(jpeg(exif=exif.tobytes()))
    command = [sys.executable, "-m", "cama", "inspect", str(tmp_path / "a.jpg")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment, check=True)
    assert "59\\xb0 54' 30.5\" N (59.908472)" in done.stdout


def test_a_name_that_is_no_text_is_valid_json(tmp_path, capsys):
    path = os.fsencode(tmp_path) + b"/\xe9t\xe9.jpg"
    Path(os.fsdecode(path)).write_bytes(jpeg())
    assert main(["inspect", os.fsdecode(path), "--json"]) == 0
    (record,) = results("inspect", capsys.readouterr().out)
    assert record["input"] == f"{tmp_path}/\\xe9t\\xe9.jpg"


@pytest.mark.parametrize("to", ["out", "both"])
def test_a_reader_that_has_ended_is_silent_and_status_141(to, folder):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "cama", "inspect", str(folder), str(folder / "b.jpg")]
    stderr = writer if to == "both" else subprocess.PIPE
    done = subprocess.run(command, stdout=writer, stderr=stderr, cwd=PROJECT, check=False)
    os.close(writer)
    assert done.returncode == 141
    if to == "out":
        assert all(line.startswith(b"cama inspect: ") for line in done.stderr.splitlines())


# ---- references


def saved(path: Path, picture: np.ndarray, quality: int = 92, **options: Any) -> Path:
    Image.fromarray(picture).save(path, quality=quality, **options)
    return path


def compare(capsys, photo: Path, *references: Path) -> tuple[dict[str, Any], str]:
    """The record and the line of text."""
    command = ["inspect", str(photo), "--reference", *map(str, references)]
    main([*command, "--json"])
    (record,) = results("inspect", capsys.readouterr().out)
    main(command)
    out, err = capsys.readouterr()
    return record, out.splitlines()[-1] if out else err


@pytest.mark.parametrize("quality", [95, 75, 50, 30])
@pytest.mark.parametrize("change", ["none", "metadata", "lighter", "edited"])
def test_a_copy_is_no_reference(quality, change, tmp_path, capsys):
    picture = scene(256, 320)
    photo = saved(tmp_path / "a.jpg", picture)
    options = {"comment": b"another", "progressive": True} if change == "metadata" else {}
    other = np.asarray(Image.open(photo)).copy()
    if change == "lighter":
        other = np.clip(other * 1.2 + 5, 0, 255).astype(np.uint8)
    if change == "edited":
        other[40:120, 60:160] = 90
    copy_ = saved(tmp_path / "b.jpg", other, quality, **options)
    third = saved(tmp_path / "c.jpg", scene(256, 320, 3))
    record, line = compare(capsys, photo, third, copy_)
    said = f"{photo}: found the same picture in {copy_}, expected other photographs of the device: "
    assert record["error"] == f"{said}a copy of the photograph is no reference"
    assert line == f"cama inspect: {record['error']}\n"
    record, _ = compare(capsys, photo, third)
    assert record["fingerprint"]["match"] is False


def test_a_folder_of_references_is_all_its_photographs(tmp_path, capsys):
    photo = saved(tmp_path / "a.jpg", scene(64, 80))
    (tmp_path / "others").mkdir()
    for seed in (1, 2):
        saved(tmp_path / "others" / f"{seed}.jpg", scene(64, 80, seed))
    assert compare(capsys, photo, tmp_path / "others")[0]["fingerprint"]["references"] == 2
    (tmp_path / "empty").mkdir()
    assert main(["inspect", str(photo), "--reference", str(tmp_path / "empty")]) == 1
    assert (
        capsys.readouterr().err
        == f"cama inspect: {tmp_path}/empty: found a folder without photographs, expected some\n"
    )


def test_equal_pixels_in_a_file_of_the_same_bytes_are_a_copy(tmp_path, capsys):
    photo = saved(tmp_path / "a.jpg", scene(64, 80))
    (tmp_path / "b.jpg").write_bytes(photo.read_bytes())
    assert "a copy of the photograph is no reference" in compare(capsys, photo, tmp_path / "b.jpg")[0]["error"]


def test_other_photographs_of_one_device_are_no_copies(tmp_path, capsys):
    """Flat fields, in which the sensor's pattern is a good part of the noise."""
    rng = np.random.default_rng(5)
    gain = 1 + 0.01 * rng.standard_normal((512, 512, 1))
    paths = []
    for number in range(5):
        light = 120 + 10 * number + 4 * rng.standard_normal((512, 512, 3))
        paths.append(saved(tmp_path / f"{number}.jpg", np.clip(light * gain, 0, 255).astype(np.uint8), 97))
    record, line = compare(capsys, *paths)
    assert record["fingerprint"]["match"] is True
    assert line.endswith("with 4 references: the same device")


@pytest.mark.parametrize(
    ("level", "reference"), [(0, 255), (255, 0), (0, 0), (255, 255), (252, None), (None, 255), (None, 0), (128, 128)]
)
def test_pictures_without_noise_decide_nothing(level, reference, tmp_path, capsys):
    levels = {"a.jpg": level, "b.jpg": reference}
    paths = [
        saved(tmp_path / name, scene(96, 128, 1) if grey is None else np.full((96, 128, 3), grey, np.uint8))
        for name, grey in levels.items()
    ]
    if level == reference == 128:  # grey without noise, and its own copy
        assert "a copy of the photograph" in compare(capsys, *paths)[0]["error"]
        return
    record, line = compare(capsys, *paths)
    assert record["fingerprint"] == {"references": 1, "pce": None, "match": None}
    assert line.endswith("cannot be decided: too little noise, as in black or white pictures")
    assert capsys.readouterr().err == ""
