"""`--to auto`: the judges of a model file choose the target, one for each source camera."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier
from cama.models.packaged import load_anonymizer, load_header
from cama.photo.anonymize import PhotoAnonymizer
from cama.photo.auto import choose_targets
from cama.photo.change import packaged_attack
from cama.photo.decoding import read_camera
from cama.storage.images import read_rgb
from cama.training.classifier import predict
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import LABELS, camera_file, model_file
from tests.training.conftest import CPU

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "anonymize.schema.json").read_text())


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "model").mkdir()
    return model_file(tmp_path / "model", judges=True, psnr=38)


def photographs(folder: Path, cameras: dict[str, str], **options: object) -> dict[str, Path]:
    """Photographs by name, each of a camera."""
    folder.mkdir(exist_ok=True)
    for number, (name, camera) in enumerate(cameras.items()):
        options.setdefault("size", (128, 160))
        (folder / name).write_bytes(camera_file(camera, number, **options))
    return {name: folder / name for name in cameras}


def run(capsys, *words: object) -> list[dict]:
    """The records that `anonymize` prints, by its schema."""
    status = main(["anonymize", *map(str, words), "--json"])
    said = json.loads(capsys.readouterr().out)
    jsonschema.validate(said, SCHEMA)
    assert status == int(any(record["error"] for record in said["results"]))
    return said["results"]


def test_each_source_camera_has_one_target_and_never_its_own(model, tmp_path, capsys):
    cameras = {"1.jpg": LABELS[0], "2.jpg": "Nikon_D70", "3.jpg": LABELS[0], "4.jpg": LABELS[2], "5.jpg": "Nikon_D70"}
    photographs(tmp_path / "in", cameras)
    found = run(capsys, tmp_path / "in", "--model", model, "--to", "auto", "--out", tmp_path / "out")
    sources = {}
    for record, camera in zip(found, cameras.values(), strict=True):
        choice = record["choice"]
        assert record["target"] == choice["target"] == max(choice["shares"], key=choice["shares"].get)
        assert choice["source"] == camera
        assert choice["shares"][record["target"]] > 0
        if camera in LABELS:  # the only target that took none of the photographs
            assert record["target"] == LABELS[1]
        assert choice["photographs"] == list(cameras.values()).count(camera)
        assert set(choice["shares"]) == set(LABELS)
        assert choice["shares"].get(camera, 0) == 0
        sources.setdefault(camera, []).append(record["target"])
        assert record["encoding"] == (
            "neutral" if record["target"] == LABELS[0] else record["target"].replace("_", " ")
        )
    assert all(len(set(targets)) == 1 for targets in sources.values())


@pytest.mark.parametrize(
    ("make", "model_name", "expected"),
    [
        ("NIKON CORPORATION", "NIKON D70", "Nikon_D70"),
        ("Canon", "Canon PowerShot SX260 HS", "Canon_SX260"),
        ("Canon", "Canon EOS 600D", ""),
        ("Canon", "PowerShot SX260 HS", "Canon_SX260"),
        ("NIKON CORPORATION", "NIKON D70s", ""),
        ("Acme", "NIKON D70", ""),
        ("Nikon", "Nikon Kiss-2", "Nikon_D70"),
        ("Canon", "Kiss-2", ""),
        ("", "", ""),
    ],
)
def test_a_camera_is_a_target_however_it_is_spelt(make, model_name, expected, model):
    header = load_header(model)
    profile = header.profiles[LABELS[1]]
    camera = profile.camera.model_copy(update={"make": "Canon", "model": "Canon PowerShot SX260 HS"})
    profiles = {"Canon_SX260": profile.model_copy(update={"camera": camera})}
    named = header.model_copy(
        update={"labels": ["Nikon_D70", "Canon_SX260"], "profiles": profiles} | {"names": {"Nikon_D70": ["Kiss-2"]}}
    )
    assert named.target_of(make, model_name) == expected


def test_the_own_camera_is_not_chosen_where_exif_spells_it_otherwise(model, tmp_path):
    made = load_anonymizer(model)
    paths = [tmp_path / "1.jpg", tmp_path / "2.jpg"]
    for path, name in zip(paths, (LABELS[1], "BOREALIS CORPORATION_BOREALIS B2"), strict=True):
        path.write_bytes(camera_file(name, size=(128, 160)))
    one, other = (choose_targets([path], made, 38)[path] for path in paths)
    assert one == other
    assert one["source"] == LABELS[1]
    assert choose_targets(paths, made, 26)[paths[0]]["photographs"] == 2


def test_a_photograph_that_is_named_twice_counts_once(model, tmp_path):
    path = photographs(tmp_path, {"a.jpg": LABELS[1]})["a.jpg"]
    assert choose_targets([path, path], load_anonymizer(model), 38)[path]["photographs"] == 1


def test_a_model_that_refines_chooses_by_refined_crops(tmp_path):
    found = []
    for steps in (0, 4):
        folder = tmp_path / str(steps)
        folder.mkdir()
        made = load_anonymizer(model_file(folder, judges=True, psnr=34, refine=steps))
        path = photographs(folder, {"a.jpg": LABELS[1]})["a.jpg"]
        found.append(choose_targets([path], made, 34)[path])
    plain, refined = found
    assert refined["target"] in LABELS
    # the judge is E itself here, which the steps please
    assert max(refined["shares"].values()) > max(plain["shares"].values())


def test_cameras_are_read_without_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr("cama.jpeg.tolerant.judge", None)
    data = camera_file("Nikon_D70")
    (tmp_path / "a.jpg").write_bytes(b"\0\0junk" + data[: len(data) // 2])
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "c.jpg").write_bytes(b"")
    assert [read_camera(tmp_path / f"{name}.jpg") for name in "abc"] == [("Nikon", "D70"), ("", ""), ("", "")]


def test_shares_are_what_the_judge_says_of_the_changed_crops(model, tmp_path):
    paths = photographs(tmp_path, {"a.jpg": LABELS[1]})
    made = load_anonymizer(model)
    record = choose_targets(list(paths.values()), made, 26)[paths["a.jpg"]]
    crop = read_rgb(paths["a.jpg"])[:128, 16:144]
    judge, _ = load_classifier(model.parent / "e.safetensors")
    moved = []
    for target, label in enumerate(LABELS):
        changed = packaged_attack(made)(crop, target, 26)
        before = np.exp(predict(judge, torch.from_numpy(crop[None]), CPU))[0, target]
        expected = np.exp(predict(judge, torch.from_numpy(changed[None]), CPU))[0, target]
        assert record["shares"][label] == pytest.approx(0 if label == LABELS[1] else expected, abs=2e-3)
        moved.append(abs(before - expected))
    assert max(moved) > 4e-3


def test_without_exif_the_judges_say_the_source(model, tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(scene(128, 160, seed=number), quality=93))
    found = choose_targets(paths, load_anonymizer(model), 38)
    assert found[paths[0]] is found[paths[1]]
    record = found[paths[0]]
    assert (record["source"], record["photographs"]) == ("", 2)
    judge, labels = load_classifier(model.parent / "e.safetensors")
    crops = np.stack([read_rgb(path)[:128, 16:144] for path in paths])
    taken = labels[np.exp(predict(judge, torch.from_numpy(crops), CPU)).mean(0).argmax()]
    assert record["shares"][taken] == 0
    assert record["target"] != taken


def test_what_cannot_be_read_fails_alone(model, tmp_path, capsys):
    folder = tmp_path / "in"
    photographs(folder, {"a.jpg": LABELS[0]})
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    photographs(folder, {"c.jpg": "Nikon_D70"}, size=(48, 64))
    good, broken, small = run(capsys, folder, "--model", model, "--to", "auto", "--out", tmp_path / "out")
    assert good["error"] is None
    assert broken["output"] is None
    assert small["error"].endswith("found no target for it, expected a larger picture or a named camera")

    assert len(list((tmp_path / "out").iterdir())) == 1


def test_two_processes_do_as_one_does(model, tmp_path, capsys):
    photographs(tmp_path / "in", {"1.jpg": LABELS[0], "2.jpg": LABELS[2]})
    words = (tmp_path / "in", "--model", model, "--to", "auto", "--out")
    alone = run(capsys, *words, tmp_path / "a")
    both = run(capsys, *words, tmp_path / "b", "--jobs", "2")
    assert [record["choice"] for record in alone] == [record["choice"] for record in both]
    for one, other in zip(alone, both, strict=True):
        assert one["target"] == other["target"] == one["choice"]["target"]
        assert Path(one["output"]).read_bytes() == Path(other["output"]).read_bytes()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"target": "auto", "profile": "p.json"}, "--to: found auto beside --profile, expected one of the two"),
        ({"target": "Canon_1"}, "expected one of Alcyon_A10, Borealis_B2, Corvus_C300, auto, which"),
        ({"target": "auto", "metadata": "target"}, "without a container profile of Alcyon_A10, expected --to CAMERA"),
        ({"target": LABELS[1], "psnr": 19.9}, "--psnr: found 19.9, expected the PSNR in dB, 20 to 60, or 0"),
        ({"target": LABELS[1], "psnr": float("nan")}, "--psnr: found nan, expected"),
    ],
)
def test_what_does_not_fit_is_an_error_of_one_line(model, words, expected):
    with pytest.raises(CamaError) as error:
        PhotoAnonymizer.load(model, **words)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_file_without_judges_cannot_choose(tmp_path):
    file = model_file(tmp_path)
    with pytest.raises(CamaError, match=r"--to: found auto, expected one of Alcyon_A10, .* has no judges to choose by"):
        PhotoAnonymizer.load(file, "auto")


@pytest.mark.parametrize("level", [36, 41])
def test_a_psnr_that_is_asked_for_is_that_of_the_picture(model, tmp_path, capsys, level):
    path = photographs(tmp_path, {"a.jpg": LABELS[0]})["a.jpg"]
    words = (path, "--model", model, "--to", LABELS[1], "--encoding", "neutral", "--out")
    (record,) = run(capsys, *words, tmp_path / "out.jpg", "--psnr", level)
    (own,) = run(capsys, *words, tmp_path / "own.jpg")
    assert (record["psnr"] < own["psnr"]) == (level < 38)
    assert record["psnr"] == pytest.approx(level, abs=1.5)  # less what the encoding takes
    assert record["choice"] is None
    assert any(f"what its card says does not hold at {level} dB" in warning for warning in record["warnings"])
    assert not any("does not hold" in warning for warning in own["warnings"])


def test_a_change_that_cannot_be_as_strong_as_asked_for_is_said(model, tmp_path, capsys):
    path = photographs(tmp_path, {"a.jpg": LABELS[0]})["a.jpg"]
    (record,) = run(capsys, path, "--model", model, "--to", LABELS[1], "--out", tmp_path / "out.jpg", "--psnr", 21)
    assert any("the change is weaker than asked for" in warning for warning in record["warnings"])
