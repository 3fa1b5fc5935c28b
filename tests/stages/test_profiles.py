"""Tests of the container profiles that cama.stages.profiles learns."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cama.commands.main import main
from cama.jpeg.coding import read_coding
from cama.jpeg.imitation import Imitation
from cama.jpeg.segments import read_segments
from cama.photo.profile import learn_profile, read_profiles
from cama.settings.stages import ProfilesStageSpec
from cama.stages.profiles import learn_profiles
from tests.jpeg.helpers import scene
from tests.photo.helpers import camera_file

LABELS = ("Alcyon_A10", "Borealis_B2")


def test_one_odd_photograph_does_not_cost_a_label_its_profile(tmp_path, capsys):
    photographs = {}
    for label in ("Alcyon_A10", "Borealis_B2"):
        photographs[label] = [tmp_path / f"{label}-{number}.jpg" for number in range(3)]
        for number, path in enumerate(photographs[label]):
            path.write_bytes(camera_file(label, number))
    odd, *others = photographs["Alcyon_A10"]
    odd.write_bytes(odd.read_bytes()[:-200])
    profiles = learn_profiles(photographs)
    assert {label: (p.photographs, p.left_out) for label, p in profiles.items()} == {
        "Alcyon_A10": (2, 1),
        "Borealis_B2": (3, 0),
    }
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"profiles: Alcyon_A10: left out {odd}: found the end of the file at byte ")
    for path in others:
        path.write_bytes(b"")
    assert list(learn_profiles(photographs)) == ["Borealis_B2"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("profiles: no container profile of Alcyon_A10: ")
    assert last.endswith("; 3 of 3 are odd, expected at most a half")


def stage(folder: Path, required: bool) -> list[str]:
    """The command for photographs of two cameras, whose adversary's have quality 90 and whose examiner's have 80."""
    rows = []
    for label in LABELS:
        for number, role in enumerate(("adversary", "adversary", "examiner")):
            name = f"{label}_{number}.JPG"
            (folder / name).write_bytes(camera_file(label, number, quality=80 if role == "examiner" else 90))
            about = {"path": name, "sha256": name, "model": label, "device": "0", "number": number, "scene": name}
            rows.append({**about, "pixels": name, "width": 64, "height": 48, "role": role, "part": "train"})
    pd.DataFrame(rows).to_csv(folder / "splits.csv", index=False)
    spec = ProfilesStageSpec(labels=LABELS, required=required).to_json()
    files = ("--splits", folder / "splits.csv", "--root", folder, "--out", folder / "profiles")
    return ["stage", "profiles", "--spec", spec, *map(str, files)]


def test_profiles_are_learnt_from_the_adversarys_photographs_alone(tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "Old_O1.json").write_text("of an earlier run")
    assert main(stage(tmp_path, True)) == 0
    assert sorted(path.name for path in (tmp_path / "profiles").iterdir()) == [f"{label}.json" for label in LABELS]
    for label, profile in read_profiles(tmp_path / "profiles", (*LABELS, "Corvus_C300")).items():
        expected = learn_profile([tmp_path / f"{label}_{number}.JPG" for number in range(2)])
        assert profile == expected
        assert profile.photographs == 2


def test_a_label_without_a_profile_stops_a_run_that_needs_it_and_no_other(tmp_path, capsys):
    wanted, spared = stage(tmp_path, True), stage(tmp_path, False)
    for number in range(2):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / f"{LABELS[1]}_{number}.JPG", "PNG")
    assert main(spared) == 0
    assert [path.name for path in (tmp_path / "profiles").iterdir()] == [f"{LABELS[0]}.json"]
    capsys.readouterr()
    assert main(wanted) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"found no container profile of {LABELS[1]}, expected one, for the save 'target'" in line


def test_photographs_whose_metadata_a_data_set_took_off_are_their_labels(tmp_path):
    command = stage(tmp_path, True)
    for number in range(2):
        picture = Image.fromarray(scene(48, 64, seed=number))
        picture.save(tmp_path / f"{LABELS[1]}_{number}.JPG", quality=88 + number, subsampling="4:2:2")
    assert main(command) == 0
    profile = read_profiles(tmp_path / "profiles", LABELS)[LABELS[1]]
    assert f"{profile.camera.make}_{profile.camera.model}" == LABELS[1]
    assert (profile.photographs, profile.left_out, profile.exif.entries) == (2, 0, [])
    assert {seen.value.subsampling for seen in profile.codings} == {"4:2:2"}
    file = read_segments(Imitation(profile).encode(scene(48, 64), 1))
    assert not file.of_kind("Exif")
    assert read_coding(file).quantisation[0] in [tuple(seen.value.quantisation["0"]) for seen in profile.codings]


def test_whole_originals_stand_in_for_photographs_that_lost_their_metadata(tmp_path, capsys):
    command = stage(tmp_path, True)
    for label in LABELS:
        for number in range(2):
            Image.fromarray(scene(48, 64, seed=number)).save(tmp_path / f"{label}_{number}.JPG", quality=90)
    (tmp_path / "whole").mkdir()
    paths = [tmp_path / "whole" / f"{number}.jpg" for number in range(2)]
    paths[0].write_bytes(camera_file("Alcyon_EOS A10", 7, quality=90))
    paths[1].write_bytes(camera_file("Corvus_C300", 8))
    assert main([*command, "--originals", *map(str, paths)]) == 0
    assert f"left out {paths[1]}: its camera is none of the labels" in capsys.readouterr().out
    found = read_profiles(tmp_path / "profiles", LABELS)
    assert (found[LABELS[0]].camera.model, found[LABELS[0]].photographs) == ("EOS A10", 1)
    assert {str(entry.value) for entry in found[LABELS[0]].exif.entries} >= {"Alcyon", "EOS A10"}
    assert (found[LABELS[1]].photographs, found[LABELS[1]].exif.entries) == (2, [])


def test_of_a_camera_with_tables_for_each_picture_a_spread_of_them_is_kept(tmp_path):
    paths = []
    for number, quality in enumerate([*range(50, 100), 75, 75, 75, 75, 75]):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(camera_file(LABELS[0], number, size=(16, 16), quality=quality))
    (profile,) = learn_profiles({LABELS[0]: paths}).values()
    whole = learn_profile(paths)
    assert len(whole.codings) == 50
    assert 15 <= len(profile.codings) <= 20
    assert profile.codings[0] == whole.codings[0]
    assert profile.codings[0].count == 6

    def levels(codings):
        return sorted(sum(seen.value.quantisation["0"]) for seen in codings)

    kept, every = levels(profile.codings), levels(whole.codings)
    assert kept[0] in every[:3]
    assert kept[-1] in every[-3:]
    assert abs(kept[len(kept) // 2] - every[25]) < 0.2 * every[25]
