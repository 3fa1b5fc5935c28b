"""The stage `controls`: each F on test crops that are moved, saved, blurred or never compressed, and on cameras of swapped
parts; and simple classifiers.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from cama.compute.device import Compute
from cama.data.crops import extract
from cama.data.patches import Patches
from cama.data.scenes import Scenes
from cama.evaluation.scene_reading import without_high_frequencies
from cama.models.classifiers import save_classifier
from cama.settings.data import DatasetSpec, ModelsSpec, PatchesSpec, SimulationSpec
from cama.settings.stages import ControlsStageSpec, SimulateSpec
from cama.settings.training import ComputeSpec
from cama.simulation.scene_photographs import LIGHT, read_picture
from cama.simulation.swaps import PARTS
from cama.stages import controls
from cama.stages.simulate import simulate
from cama.storage.images import read_rgb
from cama.training import classifier as training
from tests.commands.helpers import LABELS
from tests.models.helpers import net_spec, tiny_classifier

CROP = 64
SPEC = ControlsStageSpec(
    dataset=DatasetSpec(kind="folder", root="x"),
    models=ModelsSpec(in_distribution=LABELS),
    patches=PatchesSpec(size=32, crop=CROP),
    compute=ComputeSpec(device="cpu", precision="float32"),
)
pytestmark = pytest.mark.filterwarnings("ignore:Level value")  # crops as small as these have no four wavelet levels


def measured(
    folder: Path, sides: list[int], predict, monkeypatch, most: int = 40, phase: str = "aligned", column: str = "value"
) -> pd.Series:
    """The values, or another column, of `controls.csv` by their names, with F `seen` that answers by `predict`.

    A photograph's red value is its row, its green one its column, and its blue one ten times its label; `sides`: of those of
    a label. The first of each is a test photograph too.
    """
    rows = []
    patches = SPEC.patches.model_copy(update={"phase": phase})
    spec = SPEC.model_copy(update={"patches": patches})
    for index, side in enumerate(side for side in sides for _ in LABELS):
        y, x = np.indices((side, side))
        pixels = np.stack([y, x, np.full_like(x, 10 * (index % 2))], axis=2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
        about = {"path": f"{index}.png", "sha256": str(index), "pixels": str(index), "model": LABELS[index % 2]}
        about |= {"device": 0, "number": index, "scene": str(index), "width": side, "height": side, "part": "train"}
        rows += [{**about, "role": role} for role in ("examiner", "test")]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "splits.csv", index=False)
    extract(table[table.role == "test"], folder, LABELS, patches, True, 1, ("rgb",), folder / "test.h5")
    classifier = tiny_classifier("rgb", classes=2)
    save_classifier(folder / "seen.safetensors", classifier, net_spec("rgb"), (LABELS[1], LABELS[0]), {})
    monkeypatch.setattr(controls, "predict", lambda model, images, compute: predict(images.numpy()))
    monkeypatch.setattr(controls, "MOST_CROPS", most)
    controls.controls(spec, folder / "splits.csv", folder, folder / "test.h5", [folder / "seen.safetensors"], folder)
    found = pd.read_csv(folder / "controls.csv", keep_default_na=False).set_index("control")[column]
    return found[found.index.str.startswith("accuracy of F seen, ")].rename(lambda name: name.split("seen, ")[1])


def readers(folder: Path) -> pd.Series:
    """The row of F in `scene_readers.csv`."""
    (row,) = pd.read_csv(folder / "scene_readers.csv").to_dict("records")
    return row


def right(images: np.ndarray) -> np.ndarray:
    """The labels of F, which stand the other way round, as probabilities."""
    return np.eye(2)[1 - (images[:, 5, 5, 2] > 5).astype(int)]


def test_crops_are_moved_in_their_photographs_and_saved(tmp_path, monkeypatch):
    seen = []

    def predict(images: np.ndarray) -> np.ndarray:
        """Right, but for crops that begin at an odd row or were saved."""
        seen.append(images)
        exact = np.array_equal(images[:, :, 0, 0], images[:, :1, 0, 0] + np.arange(CROP))
        wrong = not exact or images[0, 0, 0, 0] % 2
        return 1 - right(images) if wrong else right(images)

    found = measured(tmp_path, [96, 128], predict, monkeypatch)
    offsets = [(0, 0), (2, 2), (4, 4), (7, 3)]
    assert readers(tmp_path)["clean_accuracy"] == 1
    assert found.to_dict() == {
        **{f"crop moved by {offset}": float(offset != (7, 3)) for offset in offsets},
        **{f"after jpeg{quality}": 0 for quality in (92, 85)},
    }
    for (y, x), images in zip(offsets, seen[:4], strict=True):
        assert images.shape == (4, CROP, CROP, 3)
        assert {tuple(corner) for corner in images[:, 0, 0, :2]} == {(16 + y, 16 + x), (32 + y, 32 + x)}
    losses = [np.abs(images.astype(int) - seen[0]).mean() for images in seen[4:6]]
    assert 0 < losses[0] < losses[1]
    said = pd.read_csv(tmp_path / "controls.csv").set_index("control")
    assert said.expected["accuracy of F seen, crop moved by (7, 3)"] == "within 0.03 of that moved by (0, 0)"


@pytest.mark.parametrize("phase", ["aligned", "random"])
def test_an_f_that_reads_the_grid_does_not_hold_whatever_the_phase_of_the_test_crops_is(phase, tmp_path, monkeypatch):
    def reader(images: np.ndarray) -> np.ndarray:
        """Right of crops that begin on the grid, and wrong of all others."""
        on_grid = (images[:, 0, 0, :2] % 16 == 0).all(1)
        return np.where(on_grid[:, None], right(images), 1 - right(images))

    found = measured(tmp_path, [96, 128], reader, monkeypatch, phase=phase)
    assert found.tolist()[:4] == [1, 0, 0, 0]
    holds = measured(tmp_path, [96, 128], reader, monkeypatch, phase=phase, column="holds")
    assert holds.tolist() == ["", "no", "no", "no", "", ""]
    blind = measured(tmp_path, [96, 128], right, monkeypatch, phase=phase, column="holds")
    assert blind.tolist() == ["", "yes", "yes", "yes", "", ""]
    # the random crops themselves would show nothing: wherever they are moved, the reader is wrong of all
    places = Patches.read(tmp_path / "test.h5", "rgb").origin[None] + np.array(controls.OFFSETS)[:, None]
    on_grid = (places % 16 == 0).all(2).mean(1)
    assert on_grid.tolist() == ([0, 0, 0, 0] if phase == "random" else [1, 0, 0, 0])


def test_simple_classifiers_see_crops_on_the_grid(tmp_path, monkeypatch):
    corners = []

    def cue(images: torch.Tensor) -> torch.Tensor:
        assert images.shape == (1, 3, CROP, CROP)
        corners.append(tuple(images[0, :2, 0, 0].tolist()))
        return images[:, :, 0, 0]

    monkeypatch.setattr(controls, "CUES", {"corner": (cue, 0.5)})
    measured(tmp_path, [96, 128], right, monkeypatch, phase="random")
    assert len(corners) == 8  # of the training photographs and of the test photographs
    assert set(corners) == {(0, 0), (16, 16)}
    assert (Patches.read(tmp_path / "test.h5", "rgb").origin % 16).any(axis=1).all()


def test_saved_crops_begin_anywhere_on_the_grid_of_the_save(tmp_path, monkeypatch):
    windows = []

    def save(window: np.ndarray, name: str) -> np.ndarray:
        windows.append(window)
        return window

    seen = []

    def predict(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return right(images)

    monkeypatch.setattr(controls, "save_and_decode", save)
    measured(tmp_path, [CROP, 128, 144, 160, 176], predict, monkeypatch)
    test = Patches.read(tmp_path / "test.h5", "rgb")
    starts = np.array([window[0, 0, :2] for window in windows])
    assert len(starts) == 2 * len(test.label)
    assert np.array_equal(starts[:10], starts[10:])  # alike for both saves
    rows = controls._spread_rows(test, 40)
    before = test.origin[rows] - starts[:10]
    room = test.origin[rows] > 0
    assert room.sum() == 16
    assert (before[~room] == 0).all()
    assert before.min() == 0
    assert 10 < before.max() < 16
    assert len({tuple(place) for place in before[room].reshape(-1, 2).tolist()}) >= 6
    for images in seen[4:6]:
        assert np.array_equal(images, test.arrays["rgb"][rows].numpy())


def test_crops_are_of_all_devices_in_turn():
    label = np.array([0, 0, 0, 0, 0, 1, 1])
    device = np.array([3, 3, 3, 5, 4, 2, 2])
    about = [np.zeros(7)] * 4
    test = Patches({}, label, *about, device, LABELS)
    assert controls._spread_rows(test, 4) == [0, 4, 3, 1, 5, 6]
    assert controls._spread_rows(test, 1) == [0, 5]


def test_photographs_without_room_are_left_out_and_no_more_than_some_are_taken(tmp_path, monkeypatch):
    counts = []

    def predict(images: np.ndarray) -> np.ndarray:
        counts.append(len(images))
        return right(images)

    found = measured(tmp_path, [CROP, 96, 96], predict, monkeypatch, most=2)
    assert counts == [2] * 4 + [4] * 4
    assert set(found) == {1}
    found = measured(tmp_path, [CROP], predict, monkeypatch)
    assert list(found.index) == ["after jpeg92", "after jpeg85"]


def test_medians_are_inside_or_outside_of_the_quartiles_of_real_photographs(tmp_path, monkeypatch):
    names = list(controls.real_reference())
    real = {name: {"lower": -1e9, "median": 0.0, "upper": -1e8} for name in names}
    real["mean_level"] |= {"upper": 1e9}
    monkeypatch.setattr(controls, "real_reference", lambda: real)
    measured(tmp_path, [96, 96], right, monkeypatch)
    table = pd.read_csv(tmp_path / "photographs.csv").set_index("figure")
    assert list(table.index) == names
    assert list(table) == ["median", "lowest", "highest", "real_lower", "real_median", "real_upper", "median_is"]
    assert table.median_is[table.median_is == "inside"].index.tolist() == ["mean_level"]
    assert set(table.median_is) == {"inside", "outside"}
    assert (table.real_lower == -1e9).all()
    assert table.real_upper["mean_level"] == 1e9


def test_the_accuracy_is_that_of_the_model_file(tmp_path, monkeypatch):
    compute, model = Compute(SPEC.compute), tiny_classifier("rgb", classes=2).eval()
    asked = []

    def predict(images: np.ndarray) -> np.ndarray:
        asked.append(training.predict(model, torch.from_numpy(images), compute))
        return asked[-1]

    found = measured(tmp_path, [96], predict, monkeypatch)
    monkeypatch.setattr(controls, "predict", training.predict)
    files = (tmp_path / name for name in ("splits.csv", ".", "test.h5"))
    controls.controls(SPEC, *files, [tmp_path / "seen.safetensors"], tmp_path)
    again = pd.read_csv(tmp_path / "controls.csv").set_index("control").value
    assert again[[f"accuracy of F seen, {name}" for name in found.index]].tolist() == found.tolist()
    assert len(found) == 6
    assert len(asked) == 8  # and on the untouched crops and the blurred ones


@pytest.mark.parametrize(("blind", "blurred"), [(False, 1.0), (True, 0.5)])
def test_an_f_that_is_right_without_high_frequencies_reads_scenes(tmp_path, monkeypatch, blind, blurred):
    seen = []

    def predict(images: np.ndarray) -> np.ndarray:
        """Right, or where it is blind to what is blurred it says always the same."""
        seen.append(images)
        return np.eye(2)[[0] * len(images)] if blind and len(seen) == 8 else right(images)

    measured(tmp_path, [96, 128], predict, monkeypatch)
    about = {"classifier": "seen", "clean_accuracy": 1, "blurred_accuracy": blurred, "chance": 0.5}
    assert readers(tmp_path) == {**about, "remaining": 2 * blurred - 1, "reads_scenes": not blind}
    assert [np.array_equal(images, without_high_frequencies(seen[6][0])) for images in seen[7][:1]] == [True]
    assert not np.array_equal(seen[6], seen[7])


def test_of_real_cameras_there_is_nothing_that_only_a_simulation_knows(tmp_path, monkeypatch):
    found = measured(tmp_path, [96], right, monkeypatch)
    assert "never compressed" not in found
    for name in ("cue_swap", "cameras"):
        assert (tmp_path / f"{name}.csv").read_text().strip() == ""


# ---- of simulated cameras

SIMULATED = SPEC.model_copy(
    update={
        "seed": 4,
        "dataset": DatasetSpec(),
        "simulation": SimulationSpec(catalogue_seeds=(2,), width=96, height=80, devices_in=1, photographs=2),
    }
)


def simulated_test(folder: Path, spec: ControlsStageSpec) -> Patches:
    """The test crops of photographs that the stage `simulate` takes, all of them."""
    rows = []
    for model in LABELS:
        one = SimulateSpec(seed=4, model=model, models=SPEC.models, simulation=spec.simulation, tests_in=())
        simulate(one, folder / model, folder / "oracle")
        for path in sorted((folder / model).iterdir()):
            device, number = path.stem.rsplit("_", 2)[1:]
            about = {"model": model, "device": int(device), "scene": number, "part": "test"}
            rows.append({"path": f"{model}/{path.name}", **about})
    extract(pd.DataFrame(rows), folder, LABELS, SPEC.patches, True, 1, ("rgb",), folder / "test.h5")
    return Patches.read(folder / "test.h5", "rgb")


def with_scenes(folder: Path, devices: int) -> ControlsStageSpec:
    """Of cameras that photograph pictures in this folder, three for each device. The green of each is its number and 80."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(3 * devices * len(LABELS)):
        coarse = Image.fromarray(rng.integers(60, 120, (40, 48), dtype=np.uint8)).resize((576, 480))
        green = Image.new("L", coarse.size, 80 + number)
        Image.merge("RGB", (coarse, green, coarse)).save(folder / f"{number:02}.png")
    simulation = SIMULATED.simulation.model_copy(update={"scenes": str(folder), "devices_in": devices})
    return SIMULATED.model_copy(update={"simulation": simulation})


@pytest.mark.parametrize("drawn", [True, False])
def test_the_pictures_that_were_never_compressed_are_the_test_photographs(drawn, tmp_path):
    spec = SIMULATED if drawn else with_scenes(tmp_path / "scenes", devices=2)
    test = simulated_test(tmp_path, spec)
    found, crops = controls._uncompressed(spec, test)
    assert len(found) == len(test.label) == (4 if drawn else 8)
    assert crops.shape == (len(found), CROP, CROP, 3)
    for row, crop in zip(found, crops, strict=True):
        photograph = read_rgb(tmp_path / test.photograph[row]).astype(int)
        places = [(y, x) for y in range(80 - CROP + 1) for x in range(96 - CROP + 1)]
        losses = [np.abs(photograph[y : y + CROP, x : x + CROP] - crop).mean() for y, x in places]
        assert 0 < min(losses) < 4  # what the camera's own JPEG takes
        assert np.median(losses) > 3 * min(losses)
    again = controls._uncompressed(spec, test)[1]
    assert np.array_equal(again, crops)


def test_scenes_of_swaps_are_of_the_pictures_of_the_test_device(tmp_path, monkeypatch):
    spec = with_scenes(tmp_path / "scenes", devices=2)
    scenes, read = Scenes(spec.seed, spec.simulation, SPEC.models), []
    monkeypatch.setattr("cama.data.scenes.read_picture", lambda path: read.append(path) or read_picture(path))
    for seed in range(12):
        scene = scenes.new(LABELS[1], 1, 80, seed)
        assert scene.shape == (160, 160, 3)
        number = int(read[-1].stem)
        light = LIGHT[80 + number] / scene[..., 1].mean()
        assert np.allclose(scene[..., 1] * light, LIGHT[80 + number], rtol=1e-4)
    assert set(read) == set(scenes.pictures[LABELS[1], 1])
    assert not set(read) & set(scenes.pictures[LABELS[1], 0])
    assert Scenes(4, SIMULATED.simulation, SPEC.models).pictures == {}


def test_a_swap_counts_how_often_f_names_the_camera_that_the_part_is_from(monkeypatch):
    """F goes by the colour of a stand-in for photographs: of the camera of the sharpening, and in one pair of the optics."""
    colour = {LABELS[0]: 40, LABELS[1]: 200}
    made = []

    def stand_in(camera: str, other: str, scene: np.ndarray, seed: int) -> dict[str, bytes]:
        made.append((camera, other, scene.shape, seed))
        other_is_seen = {"sharpening": True, "optics": other == LABELS[1]}
        files = {}
        for part in PARTS:
            buffer = io.BytesIO()
            value = colour[other if other_is_seen.get(part, False) else camera]
            Image.new("RGB", (CROP + 16, CROP + 16), (value,) * 3).save(buffer, "JPEG")
            files[part] = buffer.getvalue()
        return files

    monkeypatch.setattr(controls, "swaps", stand_in)
    monkeypatch.setattr(
        controls, "predict", lambda model, images, compute: np.eye(2)[1 - (images[:, 0, 0, 0] > 100).long()]
    )
    models = {"seen": (None, (LABELS[1], LABELS[0])), "blind": (None, (LABELS[0], LABELS[0]))}
    cameras = dict(zip(LABELS, LABELS, strict=True))
    test = Patches({}, np.array([0, 1]), *[np.zeros(2)] * 4, np.array([0, 0]), LABELS)
    table = controls._cue_swap(SIMULATED, cameras, models, test, None).set_index("part")
    assert len(made) == 2 * controls.SWAPPED_SCENES
    assert {size for _, _, size, _ in made} == {(2 * (CROP + 16), 2 * (CROP + 16), 3)}
    assert len({seed for *_, seed in made}) == len(made)
    assert list(table.index) == list(PARTS)
    assert table["F seen"].to_dict() == {**dict.fromkeys(PARTS, 0), "sharpening": 1, "optics": 0.5}
    assert set(table["F blind"]) == {0.5}
    assert table["mean"].tolist() == ((table["F seen"] + table["F blind"]) / 2).tolist()
    assert table.fields["demosaicing"] == "processing.demosaicing"
    assert table.fields["everything"] == ""
