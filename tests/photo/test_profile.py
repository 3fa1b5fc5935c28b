"""Tests of cama.photo.profile."""

import json

import pytest
from PIL import Image

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.jpeg.coding import read_coding
from cama.jpeg.profile import match_profile
from cama.jpeg.segments import read_segments
from cama.photo.inspect import inspect
from cama.photo.profile import learn_profile, read_profile, write_profile
from cama.photo.summary import summary
from tests.jpeg.helpers import jpeg
from tests.photo.helpers import camera_file
from tests.real_photographs import needs_photographs, photographs


def photo(number: int, model: str = "A10", size: tuple[int, int] = (48, 64), **options: object) -> bytes:
    """A photograph of a camera that writes what its firmware, its owner and the moment say."""
    return camera_file(f"Alcyon_{model}", number, size, **options)


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
    profile = learn_profile(paths)
    write_profile(tmp_path / "p.json", profile)
    assert profile == read_profile(tmp_path / "p.json")
    assert (profile.camera.make, profile.camera.model, profile.photographs) == ("Alcyon", "A10", 4)
    assert [seen.count for seen in profile.codings] == [3, 1]
    assert [(seen.count, seen.value) for seen in profile.dimensions] == [(3, (64, 48)), (1, (48, 64))]
    assert [seen.count for seen in profile.segments] == [4]
    first = profile.coding
    assert (first["process"], first["subsampling"], first["huffman"]) == ("baseline", "4:2:0", "standard")


def test_only_the_firmwares_values_are_kept(paths, tmp_path):
    write_profile(tmp_path / "p.json", learn_profile(paths))
    text = (tmp_path / "p.json").read_text()
    entries = {entry["name"]: entry for entry in json.loads(text)["exif"]["entries"]}
    assert entries["Software"]["value"] == "1.0"
    assert entries["ColorSpace"]["value"] == 1
    # that they are written is the camera's style
    assert {"Artist", "BodySerialNumber", "DateTimeOriginal"} <= set(entries)
    for secret in ("Jorunn", "SN0042", "2026"):
        assert secret not in text
    assert all(entry["count"] == 4 for entry in entries.values())


def test_the_profile_does_not_hang_on_the_order_of_its_photographs(paths):
    assert learn_profile(paths) == learn_profile(paths[::-1])


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
def test_what_differs_from_a_profile_is_named(options, different, paths):
    profile = learn_profile(paths)
    found = read_segments(photo(9, **options))
    matches = match_profile(found, read_coding(found), profile)
    assert {trait for trait, same in matches.items() if not same} == different


def test_inspect_compares_with_profiles(paths, tmp_path):
    write_profile(tmp_path / "p.json", learn_profile(paths))
    record = inspect(paths[0], profiles=[tmp_path / "p.json"])
    (found,) = record["profiles"]
    assert (found["profile"], found["model"]) == ("p.json", "A10")
    assert set(found["matches"].values()) == {True}
    assert "A10, in every trait" in summary(record)


def test_nothing_but_a_profile_is_replaced_by_one(paths, tmp_path, capsys):
    kept = paths[0].read_bytes()
    assert main(["profile", *map(str, paths), "--out", str(paths[0])]) == 1
    assert f"cama profile: {paths[0]}: not a container profile" in capsys.readouterr().err
    assert paths[0].read_bytes() == kept
    for _ in range(2):
        assert main(["profile", *map(str, paths), "--out", str(tmp_path / "p.json")]) == 0


def test_a_profile_that_an_editor_saved_is_the_same(paths, tmp_path):
    path = tmp_path / "p.json"
    write_profile(path, learn_profile(paths))
    for encoding in ("utf-8-sig", "utf-16"):
        other = tmp_path / f"{encoding}.json"
        other.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
        assert read_profile(other) == read_profile(path)


def test_two_models_make_no_profile(paths):
    paths[2].write_bytes(photo(2, model="A11"))
    with pytest.raises(CamaError, match=r"2.jpg: found the camera Alcyon A11, expected Alcyon A10 as in .*0.jpg"):
        learn_profile(paths)


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
def test_real_models_have_profiles_of_their_own():
    files = {model: [p for p in photographs() if p.name.startswith(f"Nikon_{model}_")] for model in ("D70", "D200")}
    profiles = {model: learn_profile(paths) for model, paths in files.items()}
    for model, paths in files.items():
        jpeg_file = read_segments(paths[0].read_bytes())
        coding = read_coding(jpeg_file)
        for other, profile in profiles.items():
            matches = match_profile(jpeg_file, coding, profile)
            assert matches["dimensions"] == matches["quantisation"] == (model == other)
            assert matches["subsampling"]
