"""Examples of an attack on the examiner's photographs, and the detectors that learn from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from cama.attacks.classical import ATTACKS
from cama.commands.main import main
from cama.data.attacked import open_attacked
from cama.data.examples import Examples
from cama.data.patches import Patches
from cama.evaluation import saves
from cama.jpeg.coding import read_coding
from cama.jpeg.quantisation import standard_quality
from cama.jpeg.segments import read_segments
from cama.models.generator import Generator, save_generator
from cama.photo.profile import learn_profile, write_profile
from cama.settings.attacks import MethodSpec
from cama.settings.networks import GeneratorSpec
from cama.settings.stages import AttackStageSpec, DetectStageSpec, ExamplesStageSpec
from cama.settings.training import ComputeSpec
from cama.storage.images import read_rgb
from tests.commands.helpers import LABELS, refusal, write_patches
from tests.photo.helpers import camera_file

CPU = ComputeSpec(device="cpu", precision="float32")
METHODS = {
    "median": MethodSpec(kind="median", strength=5),
    "learned": MethodSpec(kind="learned", generator="learned"),
}
QUALITIES = dict(zip(LABELS, (90, 80), strict=True))
WINDOW, CROP, SIZE = 144, 128, 32
NET = {"frontend": "con_conv", "architecture": "small", "width": 4}


def call(*arguments: object) -> None:
    assert main(["stage", *map(str, arguments)]) == 0


def examples(folder: Path, method: str, **values: object) -> list[object]:
    """The command that attacks the photographs of `folder`."""
    spec = ExamplesStageSpec(
        **{"name": method, "method": METHODS[method], "targets": LABELS, "window": WINDOW, "compute": CPU, **values}
    )
    model = ["--model", folder / "g.safetensors"] if method == "learned" else []
    paths = ["--splits", folder / "splits.csv", "--root", folder, *model, "--out", folder / f"{method}-examples.h5"]
    return ["examples", "--spec", spec.to_json(), *paths]


def detect(folder: Path, method: str, **values: object) -> list[object]:
    """The command that trains two detectors of a method, and scores its pictures."""
    network = {"net": NET, "training": {"steps": 6, "batch": 8}}
    spec = DetectStageSpec(
        **{"name": method, "targeted": METHODS[method].targeted, "targets": LABELS, "size": SIZE, "crop": CROP},
        **{"detectors": {"network": network}, "compute": CPU, **values},
    )
    paths = ["--examples", folder / f"{method}-examples.h5", "--attacked", folder / f"{method}.h5"]
    paths += ["--inside", folder / "test.h5", "--outside", folder / "other.h5", "--state", folder / "state"]
    out = ["--curve", folder / f"{method}-curve.csv", "--out", folder / f"{method}.csv"]
    return ["detect", "--spec", spec.to_json(), *paths, *out]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Photographs of the examiner (and others), a generator, and what two methods made of them and of test windows."""
    folder = tmp_path_factory.mktemp("detect")
    rng, rows = np.random.default_rng(0), []
    for index in range(14):
        name = f"{LABELS[index % 2]}_0_{index}.png"
        Image.fromarray(rng.integers(0, 256, (208, 224, 3), dtype=np.uint8)).save(folder / name)
        about = {"path": name, "sha256": str(index), "model": LABELS[index % 2], "device": "2", "number": index}
        role, part = ("adversary", "training") if index < 2 else ("examiner", "validation" if index < 4 else "training")
        rows.append({**about, "scene": name, "pixels": "", "width": 224, "height": 208, "role": role, "part": part})
    pd.DataFrame(rows).to_csv(folder / "splits.csv", index=False)
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, input="rgb", output="direct")
    torch.manual_seed(0)
    save_generator(folder / "g.safetensors", Generator(len(LABELS), spec), spec, LABELS, {})
    write_patches(folder / "test.h5", side=WINDOW)
    write_patches(folder / "other.h5", labels=("Corvus_C300",), side=WINDOW)
    for name, method in METHODS.items():
        call(*examples(folder, name))
        attack = AttackStageSpec(name=name, method=method, targets=LABELS, compute=CPU)
        model = ["--model", folder / "g.safetensors"] if name == "learned" else []
        tests = ["--inside", folder / "test.h5", "--outside", folder / "other.h5"]
        call("attack", "--spec", attack.to_json(), *tests, *model, "--out", folder / f"{name}.h5")
        call(*detect(folder, name))
    return folder


def test_examples_are_training_photographs_of_the_examiner_attacked_whole_and_then_cut(folder):
    found = Examples.read(folder / "median-examples.h5", CROP, 1)
    whole = Patches.read(folder / "median-examples.h5", "untouched", "attacked")
    table = pd.read_csv(folder / "splits.csv")
    table = table[(table.role == "examiner") & (table.part == "training")]
    assert sorted(whole.photograph) == sorted(table.path)
    assert (found.targets == -1).all()
    attack = ATTACKS["median"](METHODS["median"], LABELS, 0)
    places = set()
    for row, (name, (y, x)) in enumerate(zip(whole.photograph, whole.origin, strict=True)):
        assert whole.labels[whole.label[row]] == name[: len(LABELS[whole.label[row]])]
        window = read_rgb(folder / name)[y : y + WINDOW, x : x + WINDOW]
        assert (whole.arrays["untouched"][row].numpy() == window).all()
        changed = attack(window[None], np.zeros(1, int), np.zeros(1, int))[0]
        crops = [found.crops.arrays[kind][row].numpy() for kind in ("untouched", "attacked")]
        at = [
            (top, left)
            for top in range(WINDOW - CROP + 1)
            for left in range(WINDOW - CROP + 1)
            if (window[top : top + CROP, left : left + CROP] == crops[0]).all()
        ]
        assert len(at) == 1
        top, left = at[0]
        assert (crops[1] == changed[top : top + CROP, left : left + CROP]).all()
        places.add(at[0])
    assert len(places) > 1
    patches = found.patches("attacked", SIZE)
    assert patches.arrays["rgb"].shape == (10 * 4**2, SIZE, SIZE, 3)  # ten photographs
    assert (patches.arrays["rgb"][1] == found.crops.arrays["attacked"][0][:SIZE, SIZE : 2 * SIZE]).all()
    assert (patches.label == np.repeat(found.crops.label, 16)).all()


def test_examples_of_a_targeted_method_are_attacked_towards_another_label(folder):
    found = Examples.read(folder / "learned-examples.h5", CROP, 1)
    assert (found.targets == 1 - found.crops.label).all()
    assert (found.crops.arrays["attacked"] != found.crops.arrays["untouched"]).any()


def test_as_many_photographs_of_each_camera_are_taken_as_asked_for(folder, tmp_path):
    command = examples(folder, "median", photographs=5)
    call(*command[:-1], tmp_path / "few.h5")
    found = Examples.read(tmp_path / "few.h5", CROP, 1)
    assert np.bincount(found.crops.label).tolist() == [3, 3]


def test_every_detector_answers_each_question_for_each_picture(folder):
    table = pd.read_csv(folder / "learned.csv")
    assert set(table.detector) == {"network", "numbers"}
    for _, rows in table.groupby("detector"):
        counts = rows.groupby(["question", "set", "attacked"]).size().to_dict()
        # twelve photographs inside to one label, six outside to two; the true photographs stand in both sets
        asked = {("attacked", "in"): (12, 12), ("attacked", "out"): (6, 12)}
        asked |= {("target", "in"): (12, 12), ("target", "out"): (12, 12)}
        assert counts == {(*key, value): counts[value] for key, counts in asked.items() for value in (0, 1)}
    true = table[(table.question == "target") & (table.attacked == 0)]
    assert set(true.target) == set(LABELS)
    assert table[(table.question == "attacked") & (table.attacked == 0)].target.isna().all()
    assert len(pd.read_csv(folder / "learned-curve.csv")) == 6


def test_a_logistic_regression_of_few_numbers_sees_a_strong_filter(folder):
    table = pd.read_csv(folder / "median.csv")
    assert set(table.question) == {"attacked"}  # it has no target
    scores = table[table.detector == "numbers"]
    for _, rows in scores.groupby("set"):
        assert rows[rows.attacked == 1].score.min() > 0 > rows[rows.attacked == 0].score.max()


@pytest.mark.parametrize("method", METHODS)
def test_detectors_see_pictures_as_they_are_delivered(folder, tmp_path, monkeypatch, method):
    (tmp_path / "profiles").mkdir()
    for label, quality in QUALITIES.items():
        (tmp_path / "camera.jpg").write_bytes(camera_file(label, 0, quality=quality))
        write_profile(tmp_path / "profiles" / f"{label}.json", learn_profile([tmp_path / "camera.jpg"]))
    files: list[bytes] = []
    decode = saves.decoded
    monkeypatch.setattr(saves, "decoded", lambda data: files.append(data) or decode(data))
    options = ("--profiles", tmp_path / "profiles", "--out", tmp_path / "examples.h5")
    call(*examples(folder, method, save="target")[:-2], *options)
    learnt = Patches.read(tmp_path / "examples.h5", "attacked")
    made = Examples.read(tmp_path / "examples.h5", CROP, 1)
    cameras = np.where(made.targets < 0, made.crops.label, made.targets)
    assert [encoder_of(data) for data in files] == [LABELS[camera] for camera in cameras]
    for picture, data in zip(learnt.arrays["attacked"].numpy(), files, strict=True):
        assert (picture == decode(data)).all()

    files.clear()
    command = [*detect(folder, method, save="target")[:-4], "--profiles", tmp_path / "profiles"]
    command[command.index("--examples") + 1] = tmp_path / "examples.h5"
    command[command.index("--state") + 1] = tmp_path / "state"
    call(*command, "--curve", tmp_path / "curve.csv", "--out", tmp_path / "scores.csv")
    with open_attacked(folder / f"{method}.h5") as attacked:
        test = Patches.read(folder / "test.h5", "rgb")
        for data, kind, row, aim in zip(files, attacked.sets, attacked.rows, attacked.aims, strict=True):
            if aim >= 0 or kind == "in":  # else it is an unknown camera's, and the encoder is drawn
                assert encoder_of(data) == LABELS[test.label[row] if aim < 0 else aim]


def encoder_of(data: bytes) -> str:
    """The label whose quality the tables of a file have."""
    coding = read_coding(read_segments(data))
    quality = standard_quality([coding.quantisation[component.table] for component in coding.components])
    return next(label for label, own in QUALITIES.items() if own == quality)


def test_what_detectors_cannot_learn_from_is_refused(folder, capsys):
    command = detect(folder, "learned")
    command[2] = command[2].replace(f'"{LABELS[0]}", "{LABELS[1]}"', f'"{LABELS[1]}", "{LABELS[0]}"')
    assert f"found the labels {list(LABELS)}, expected" in refusal(capsys, "stage", *command)
    found = refusal(capsys, "stage", *examples(folder, "median", targets=(*LABELS, "Corvus_C300")))
    assert "found no training photograph of the examiner of Corvus_C300" in found
    found = refusal(capsys, "stage", *examples(folder, "median", window=400))
    assert "found a picture of 224x208 pixels, expected at least" in found
