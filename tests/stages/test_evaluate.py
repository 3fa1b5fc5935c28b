"""Tests of cama.stages.evaluate: what is scored is the file as it is delivered."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cama.commands.main import main
from cama.compute.psnr import psnr
from cama.data.attacked import write_attacked
from cama.evaluation import saves
from cama.jpeg.coding import describe, read_coding
from cama.jpeg.segments import read_segments
from cama.models.classifiers import save_classifier
from cama.photo.profile import learn_profile, write_profile
from cama.settings.attacks import EvaluationSpec
from cama.settings.stages import EvaluateStageSpec
from cama.storage.images import decoded, save_and_decode
from cama.training.classifier import predict
from tests.commands.helpers import refusal, write_patches
from tests.jpeg.helpers import scene
from tests.models.helpers import net_spec, shake, tiny_classifier
from tests.photo.helpers import LABELS, camera_file

SIDE = 48
QUALITIES = {LABELS[0]: (90, 91), LABELS[1]: (80, 82), LABELS[2]: (70, 73)}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Test crops, a classifier, and a profile of each label, which takes either of two tables."""
    write_patches(tmp_path / "test.h5", LABELS, SIDE)
    save_classifier(tmp_path / "f.safetensors", shake(tiny_classifier("rgb"), 0.2).eval(), net_spec("rgb"), LABELS, {})
    (tmp_path / "profiles").mkdir()
    for label, qualities in QUALITIES.items():
        paths = [tmp_path / f"{quality}.jpg" for quality in qualities]
        for number, path in enumerate(paths):
            path.write_bytes(camera_file(label, number, quality=qualities[number]))
        write_profile(tmp_path / "profiles" / f"{label}.json", learn_profile(paths))
    return tmp_path


def evaluate(folder: Path, aims: list[int], *options: object, **spec: object) -> list[str]:
    """The command that scores one picture for each of `aims`, of the first test crops in their order."""
    pairs = [("in", row, aim) for row, aim in enumerate(aims)]
    attacked = ((1, pair, scene(SIDE, SIDE, seed=row)) for row, pair in enumerate(pairs))
    write_attacked(folder / "attacked.h5", len(pairs), attacked, LABELS, lambda done: None)
    names = ("attacked", "attacked.h5"), ("inside", "test.h5"), ("outside", "test.h5"), ("classifiers", "f.safetensors")
    given = [word for name, file in names for word in (f"--{name}", folder / file)]
    saves_of = EvaluationSpec(saves=spec.pop("saves"), patches=True)
    settings = EvaluateStageSpec(name="m", roles={"f": "same_family"}, size=16, evaluation=saves_of, **spec).to_json()
    call = ["stage", "evaluate", "--spec", settings, *given, *options, "--out", folder / "rows.csv"]
    return [str(word) for word in call]


@pytest.fixture
def written(monkeypatch) -> list[bytes]:
    """The files that are decoded to be scored."""
    files: list[bytes] = []
    decode = saves.decoded
    monkeypatch.setattr(saves, "decoded", lambda data: files.append(data) or decode(data))
    return files


def tables(data: bytes) -> dict[str, list[int]]:
    return describe(read_coding(read_segments(data)))["quantisation"]


def test_the_file_that_is_scored_has_the_tables_of_its_targets_profile(folder, written):
    aims = [1, 2, 0, 2, 0, 1]
    call = evaluate(folder, aims, "--profiles", folder / "profiles", saves=("png", "target"))
    assert main(call) == 0
    assert len(written) == len(aims)
    for data, aim in zip(written, aims, strict=True):
        paths = [folder / f"{quality}.jpg" for quality in QUALITIES[LABELS[aim]]]
        assert tables(data) in [tables(path.read_bytes()) for path in paths]
    rows = pd.read_csv(folder / "rows.csv")
    delivered = rows[rows.save == "target"]
    assert delivered.target.tolist() == [LABELS[aim] for aim in aims]
    assert len(rows) == 2 * len(aims)
    files = written.copy()
    assert main(call) == 0
    assert written[len(files) :] == files


def test_an_untargeted_picture_has_a_file_for_each_target(folder, written):
    assert main(evaluate(folder, [-1, -1], "--profiles", folder / "profiles", saves=("png", "target"))) == 0
    rows = pd.read_csv(folder / "rows.csv")
    for save in ("png", "target"):
        some = rows[rows.save == save]
        assert list(zip(some.source, some.target, strict=True)) == [
            *((LABELS[0], LABELS[1]), (LABELS[0], LABELS[2])),
            *((LABELS[1], LABELS[0]), (LABELS[1], LABELS[2])),
        ]
    assert len(written) == 4
    delivered = rows[rows.save == "target"]
    assert delivered.psnr.nunique() == 4  # each file is compared, and not the picture that they share
    assert rows[rows.save == "png"].psnr.nunique() == 2


def test_all_methods_get_the_same_tables_for_the_same_photograph_and_target(folder, written):
    options = ("--profiles", folder / "profiles")
    assert main(evaluate(folder, [1, 2], *options, saves=("png", "target"))) == 0
    assert main(evaluate(folder, [-1, -1], *options, saves=("png", "target"))) == 0
    aimed, shared = written[:2], written[2:]
    assert [tables(data) for data in aimed] == [tables(shared[0]), tables(shared[3])]


def test_the_oracles_pictures_are_the_targets_own_files_and_not_encoded_again(folder, written):
    call = evaluate(folder, [1, 2], "--profiles", folder / "profiles", saves=("png", "target", "neutral"), oracle=True)
    assert main(call) == 0
    rows = pd.read_csv(folder / "rows.csv").drop(columns="save")
    png, target, neutral = rows.iloc[:2], rows.iloc[2:4], rows.iloc[4:]
    assert png.reset_index(drop=True).equals(target.reset_index(drop=True))
    assert (png.psnr.to_numpy() != neutral.psnr.to_numpy()).all()
    assert len(written) == 2  # the neutral ones


def test_an_upload_is_scored_at_its_size_and_compared_there(folder, monkeypatch):
    shapes = []
    monkeypatch.setattr(
        "cama.stages.evaluate.predict", lambda *given: shapes.append(given[1].shape[1:3]) or predict(*given)
    )
    assert main(evaluate(folder, [1], saves=("png", "upload"))) == 0
    assert shapes == [(48, 48), (16, 16), (32, 32), (16, 16)]  # whole, and in patches
    (row,) = pd.read_csv(folder / "rows.csv").query("save == 'upload'").itertuples()
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (6 * len(LABELS), SIDE, SIDE, 3), dtype=np.uint8)[0]  # as `write_patches` draws it
    small = [saves.scaled(picture, "upload") for picture in (before, scene(SIDE, SIDE))]
    assert row.psnr == pytest.approx(psnr(small[0], save_and_decode(small[1], "jpeg80")), abs=1e-3)


def test_a_save_as_the_target_without_its_profile_is_one_line(folder, capsys):
    assert "--profiles: found none, expected" in refusal(capsys, *evaluate(folder, [1], saves=("png", "target")))
    (folder / "profiles" / f"{LABELS[2]}.json").unlink()
    call = evaluate(folder, [1], "--profiles", folder / "profiles", saves=("png", "target"))
    assert f"profiles: found no container profile of {LABELS[2]}, expected one" in refusal(capsys, *call)
    assert not (folder / "rows.csv").exists()


CROP = 32  # of pictures of SIDE pixels


@pytest.fixture
def seen(monkeypatch) -> list[np.ndarray]:
    """The pictures (N, H, W, 3) that the classifier is given, whole ones and patches in turn."""
    given: list[np.ndarray] = []

    def spy(classifier, images, *rest):
        given.append(images.numpy())
        return predict(classifier, images, *rest)

    monkeypatch.setattr("cama.stages.evaluate.predict", spy)
    return given


def place_of(crop: np.ndarray, picture: np.ndarray) -> tuple[int, int]:
    """Where in a picture a crop was cut."""
    room = range(len(picture) - len(crop) + 1)
    (found,) = [
        (top, left)
        for top in room
        for left in room
        if np.array_equal(picture[top : top + len(crop), left : left + len(crop)], crop)
    ]
    return found


def test_the_whole_picture_is_saved_and_f_sees_a_crop_of_the_decoded_file_at_a_random_place(folder, written, seen):
    aims = [1, 2, 0, 2, 0, 1]
    options = ("--profiles", folder / "profiles")
    assert main(evaluate(folder, aims, *options, saves=("png", "target", "upload"), crop=CROP)) == 0
    png, _, target, _, upload, _ = seen
    assert png.shape == target.shape == (len(aims), CROP, CROP, 3)
    assert upload.shape == (len(aims), CROP, CROP, 3)  # two thirds of SIDE, and so all of it
    whole = [scene(SIDE, SIDE, seed=row) for row, _ in enumerate(aims)]
    files = [decoded(data) for data in written[: len(aims)]]
    assert {picture.shape for picture in files} == {(SIDE, SIDE, 3)}
    places = [place_of(crop, picture) for crop, picture in zip(png, whole, strict=True)]
    assert [place_of(crop, picture) for crop, picture in zip(target, files, strict=True)] == places
    assert len(set(places)) > 3
    assert any(row % 8 or column % 8 for row, column in places)
    assert all(0 <= value <= SIDE - CROP for place in places for value in place)

    rows = pd.read_csv(folder / "rows.csv")
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (6 * len(LABELS), SIDE, SIDE, 3), dtype=np.uint8)  # as `write_patches` draws them
    levels = rows[rows.save == "target"].psnr
    for level, crop, picture, (top, left) in zip(levels, target, before, places, strict=False):
        assert level == pytest.approx(psnr(picture[top : top + CROP, left : left + CROP], crop), abs=1e-3)


def test_all_methods_are_seen_at_the_same_place_and_another_seed_gives_another(folder, seen):
    for call in (
        evaluate(folder, [1, 2], saves=("png",), crop=CROP),
        evaluate(folder, [-1, -1], saves=("png",), crop=CROP, oracle=True),
        evaluate(folder, [1, 2], saves=("png",), crop=CROP, seed=2),
    ):
        assert main(call) == 0
    first, same, other = seen[::2]
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
