"""Tests of cama.photo.profile."""

import json

import pytest
from PIL import Image

from cama.cli import main
from cama.container.coding import read_coding
from cama.container.segments import read_segments
from cama.errors import CamaError
from cama.photo.inspect import inspect
from cama.photo.profile import learn_profile, match_profile, read_profile
from cama.photo.table import as_table
from tests.container.helpers import jpeg, scene
from tests.real import needs_photographs, photographs


def photo(number: int, model: str = "A10", size: tuple[int, int] = (48, 64), **options: object) -> bytes:
    """A photograph of a camera that writes what its firmware, its owner and the moment say."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131], exif[0x013B] = "Alcyon", model, "1.0", "Jorunn Dahl"
    exif.get_ifd(0x8769)[0xA431] = "SN0042"
    exif.get_ifd(0x8769)[0x9003] = f"2026:11:25 12:00:{number:02d}"
    exif.get_ifd(0x8769)[0xA001] = 1
    return jpeg(scene(*size, seed=number), exif=exif.tobytes(), **{"quality": 93, **options})


@pytest.fixture
def paths(tmp_path):
    found = []
    for number in range(4):
        path = tmp_path / f"{number}.jpg"
        # of four photographs one is held upright, and one is compressed more
        path.write_bytes(photo(number, size=(64, 48) if number == 3 else (48, 64), quality=80 if number == 2 else 93))
        found.append(path)
    return found


def test_a_profile_counts_what_it_saw(paths, tmp_path):
    profile = learn_profile(paths, tmp_path / "p.json")
    assert profile == read_profile(tmp_path / "p.json")
    assert profile["camera"] == {"make": "Alcyon", "model": "A10"}
    assert profile["photographs"] == 4
    assert [entry["count"] for entry in profile["codings"]] == [3, 1]
    assert profile["dimensions"] == [{"count": 3, "value": [64, 48]}, {"count": 1, "value": [48, 64]}]
    assert [entry["count"] for entry in profile["segments"]] == [4]
    first = profile["codings"][0]["value"]
    assert (first["process"], first["subsampling"], first["huffman"]) == ("baseline", "4:2:0", "standard")


def test_only_the_firmwares_values_are_kept(paths, tmp_path):
    text = json.dumps(learn_profile(paths, tmp_path / "p.json"))
    entries = {entry["name"]: entry for entry in json.loads(text)["exif"]["entries"]}
    assert entries["Software"]["value"] == "1.0"
    assert entries["ColorSpace"]["value"] == 1
    assert {"Artist", "BodySerialNumber", "DateTimeOriginal"} <= set(
        entries
    )  # that they are written is the camera's style
    for secret in ("Jorunn", "SN0042", "2026"):
        assert secret not in text
    assert all(entry["count"] == 4 for entry in entries.values())


def test_the_profile_does_not_hang_on_the_order_of_its_photographs(paths, tmp_path):
    learn_profile(paths, tmp_path / "a.json")
    learn_profile(paths[::-1], tmp_path / "b.json")
    a, b = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    assert a == b


@pytest.mark.parametrize(
    ("options", "different"),
    [
        ({}, set()),
        ({"quality": 80}, set()),
        ({"quality": 70}, {"quantisation"}),
        ({"subsampling": "4:4:4"}, {"subsampling"}),
        ({"optimize": True}, {"huffman"}),
        ({"comment": b"edited"}, {"segments"}),
        ({"size": (32, 64)}, {"dimensions"}),
    ],
)
def test_what_differs_from_a_profile_is_named(options, different, paths, tmp_path):
    profile = learn_profile(paths, tmp_path / "p.json")
    found = read_segments(photo(9, **options))
    matches = match_profile(found, read_coding(found), profile)
    assert {trait for trait, same in matches.items() if not same} == different


def test_inspect_compares_with_profiles(paths, tmp_path):
    learn_profile(paths, tmp_path / "p.json")
    record = inspect(paths[0], profiles=[tmp_path / "p.json"])
    (found,) = record["profiles"]
    assert (found["profile"], found["model"]) == ("p.json", "A10")
    assert set(found["matches"].values()) == {True}
    assert "A10, in every trait" in as_table(record)


def test_two_models_make_no_profile(paths, tmp_path):
    paths[2].write_bytes(photo(2, model="A11"))
    with pytest.raises(CamaError, match=r"2.jpg: found the camera Alcyon A11, expected Alcyon A10 as in .*0.jpg"):
        learn_profile(paths, tmp_path / "p.json")
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [(jpeg(), "found no EXIF"), (jpeg(exif=Image.Exif().tobytes()), "found no make and model"), (b"", "found no JPEG")],
)
def test_what_no_camera_wrote_makes_no_profile(data, words, tmp_path, capsys):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert main(["profile", str(path), "--out", str(tmp_path / "p.json")]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "other"}', '{"kind": "container profile", "version": 99}'])
def test_what_is_no_profile_is_refused(text, tmp_path):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(CamaError, match=r"p.json: "):
        read_profile(tmp_path / "p.json")


@needs_photographs
def test_real_models_have_profiles_of_their_own(tmp_path):
    files = {model: [p for p in photographs() if p.name.startswith(f"Nikon_{model}_")] for model in ("D70", "D200")}
    profiles = {model: learn_profile(paths, tmp_path / f"{model}.json") for model, paths in files.items()}
    for model, paths in files.items():
        jpeg_file = read_segments(paths[0].read_bytes())
        coding = read_coding(jpeg_file)
        for other, profile in profiles.items():
            matches = match_profile(jpeg_file, coding, profile)
            assert matches["dimensions"] == matches["quantisation"] == (model == other)
            assert matches["subsampling"]
