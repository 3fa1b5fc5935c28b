"""Tests of cama.photo.judging: what judges that others trained say of photographs, by each command that asks them."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import cama
from cama.commands.main import main
from cama.photo.inspect import inspect
from tests.commands.helpers import PROJECT, refusal
from tests.judges.networks import LABELS, coloured, write_judge
from tests.judges.test_judges import photograph
from tests.photo.helpers import model_file


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "green.png"
    Image.fromarray(coloured(1)).save(path)
    return path


def known(folder: Path) -> None:
    """References of two cameras."""
    for camera in range(2):
        below = folder / "known" / f"Cam_{camera}"
        below.mkdir(parents=True)
        for number in range(6):
            Image.fromarray(photograph(camera, number)).save(below / f"{number}.png")


def test_the_command_judge_prints_what_each_judge_says(photo, tmp_path, capsys):
    judges = [write_judge(tmp_path / "a.yaml"), write_judge(tmp_path / "b.yaml", patch=32, vote="majority")]
    assert main(["judge", str(photo), "--judge", *map(str, judges)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == str(photo)
    assert [line.split()[0] for line in lines] == ["Green_G1", "Green_G1"]
    assert lines[1].startswith("Green_G1 1.00")
    assert lines[1].endswith("(b, probability)")
    assert main(["judge", str(photo), "--judge", *map(str, judges), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert [one["judge"] for one in record["judges"]] == ["a", "b"]
    scores = list(record["judges"][0]["scores"].values())
    assert scores == sorted(scores, reverse=True)
    assert set(record["judges"][0]["scores"]) == set(LABELS)


def test_a_photograph_that_a_judge_cannot_take_does_not_stop_the_others(photo, tmp_path, capsys):
    Image.fromarray(coloured(0)[:20]).save(tmp_path / "small.png")
    judge = write_judge(tmp_path / "j.yaml", patch=64)
    assert main(["judge", str(tmp_path / "small.png"), str(photo), "--judge", str(judge)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"\n{photo}\nGreen_G1")
    assert err == (
        f"cama judge: {tmp_path / 'small.png'}: {judge}: found a picture of 128x20 pixels, expected at least 64 a side for a"
        " judge\n"
    )


def test_a_fingerprint_extractor_takes_its_references_from_folders(tmp_path, capsys):
    known(tmp_path)
    Image.fromarray(photograph(1, 9)).save(tmp_path / "p.png")
    judge = write_judge(tmp_path / "j.yaml", kind="fingerprint", patch=64, references="known")
    assert main(["judge", str(tmp_path / "p.png"), "--judge", str(judge)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("Cam_1 0.")


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ("", "references: found none, expected a folder of photographs of camera models"),
        ("empty", "references: found no folders in "),
        ("lacking", "Cam_1: found a folder without photographs, expected some"),
        ("one", "found 1 references of Cam_0, expected 2 or more"),
    ],
)
def test_references_that_are_none_are_one_line(photo, tmp_path, capsys, references, expected):
    (tmp_path / "empty").mkdir()
    for name in ("lacking", "one"):
        for camera in range(2):
            (tmp_path / name / f"Cam_{camera}").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(photograph(0, number)).save(tmp_path / "lacking" / "Cam_0" / f"{number}.png")
    for camera in range(2):
        Image.fromarray(photograph(camera, 0)).save(tmp_path / "one" / f"Cam_{camera}" / "0.png")
    judge = write_judge(tmp_path / "j.yaml", kind="fingerprint", patch=64, references=references)
    assert expected in refusal(capsys, "judge", photo, "--judge", judge)


def test_inspect_and_the_api_ask_judges(photo, tmp_path, capsys):
    judge = write_judge(tmp_path / "j.yaml")
    assert main(["inspect", str(photo), "--judge", str(judge)]) == 0
    assert any(line.split()[:2] == ["judge", "Green_G1"] for line in capsys.readouterr().out.splitlines())
    record = cama.inspect(photo, judges=[judge])
    assert record["judges"][0]["measure"] == "probability"
    assert main(["inspect", str(photo), "--judge", str(judge), "--json"]) == 0
    schema = json.loads((PROJECT / "docs" / "inspect.schema.json").read_text())
    result = json.loads(capsys.readouterr().out)
    jsonschema.validate(result, schema)
    assert result["results"][0]["judges"] == record["judges"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_anonymize_asks_judges_before_and_after(photo, tmp_path, capsys, jobs):
    Image.fromarray(coloured(2)).save(tmp_path / "blue.png")
    arguments = [
        "anonymize",
        str(photo),
        str(tmp_path / "blue.png"),
        "--model",
        str(model_file(tmp_path)),
        "--jobs",
        jobs,
    ]
    arguments += ["--to", "Borealis_B2", "--judge", str(write_judge(tmp_path / "j.yaml")), "--out", f"{tmp_path}/out/"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "; j: Green_G1 0." in lines[0]
    assert "; j: Blue_B1 0." in lines[1]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    jsonschema.validate(result, json.loads((PROJECT / "docs" / "anonymize.schema.json").read_text()))
    for record in result["results"]:
        with Image.open(record["output"]) as image:
            assert np.asarray(image).shape == (96, 128, 3)
        best = [next(iter(record[when]["judges"][0]["scores"])) for when in ("before", "after")]
        assert best[0] == best[1]  # a small change of the picture does not change its colour


def test_a_judge_that_is_none_is_said_before_any_work(photo, tmp_path, capsys):
    model = model_file(tmp_path)
    line = refusal(
        capsys, "anonymize", photo, "--model", model, "--to", "Borealis_B2", "--judge", tmp_path / "gone.yaml"
    )
    assert line.endswith("gone.yaml: no such judge, expected its YAML file")


def test_a_judge_that_cannot_score_a_photograph_withholds_nothing_else(photo, tmp_path, capsys):
    judges = [
        str(write_judge(tmp_path / name, patch=patch)) for name, patch in (("large.yaml", 512), ("small.yaml", 32))
    ]
    assert main(["inspect", str(photo), "--judge", *judges, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    jsonschema.validate(result, json.loads((PROJECT / "docs" / "inspect.schema.json").read_text()))
    large, small = result["results"][0]["judges"]
    assert large["error"].endswith(
        "large.yaml: found a picture of 128x96 pixels, expected at least 512 a side for a judge"
    )
    assert (large["scores"], small["error"]) == ({}, None)
    assert main(["inspect", str(photo), "--judge", *judges]) == 0
    assert "expected at least 512 a side for a judge (large)" in capsys.readouterr().out
    out = tmp_path / "out.jpg"
    arguments = [str(photo), "--model", str(model_file(tmp_path)), "--to", "Borealis_B2", "--out", str(out)]
    assert main(["anonymize", *arguments, "--judge", *judges]) == 0
    assert out.exists()
    assert "large: nothing before, nothing after; small: Green_G1" in capsys.readouterr().out


def test_other_files_among_references_are_left_out_with_a_line(tmp_path, capsys):
    known(tmp_path)
    (tmp_path / "known" / ".git").mkdir()
    (tmp_path / "known" / "Cam_0" / "notes.txt").write_text("of the day")
    Image.fromarray(photograph(1, 9)).save(tmp_path / "p.png")
    judge = write_judge(tmp_path / "j.yaml", kind="fingerprint", patch=64, references="known")
    assert main(["judge", str(tmp_path / "p.png"), "--judge", str(judge)]) == 0
    assert "notes.txt: left out, it does not look like a photograph" in capsys.readouterr().err
    own = tmp_path / "known" / "Cam_0" / "0.png"
    assert main(["judge", str(own), "--judge", str(judge)]) == 1
    assert f"{own}: found it among the references of j, expected another photograph" in capsys.readouterr().err
    found = inspect(own, judges=[judge])["judges"][0]
    assert (found["scores"], found["error"]) == ({}, "found it among the references of j, expected another photograph")


def test_score_asks_judges_beside_classifiers(tmp_path):
    model_file(tmp_path)
    pictures = [coloured(0), coloured(2)]
    judge = write_judge(tmp_path / "j.yaml")
    table = cama.score(pictures, tmp_path / "e.safetensors", judges=[judge])
    assert table.classifier.tolist() == ["e", "e", "j", "j"]
    assert table[table.classifier == "j"].predicted.tolist() == ["Red_R1", "Blue_B1"]
    assert np.allclose(table[table.classifier == "j"][[f"p_{name}" for name in LABELS]].sum(axis=1), 1, atol=1e-3)
    assert cama.score(pictures, judges=[judge]).predicted.tolist() == ["Red_R1", "Blue_B1"]
