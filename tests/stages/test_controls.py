"""The stage `controls`: each F on moved test crops and on saved ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from cama.compute.device import Compute
from cama.data.crops import extract
from cama.models.classifiers import save_classifier
from cama.settings.data import DatasetSpec, ModelsSpec, PatchesSpec
from cama.settings.stages import ControlsStageSpec
from cama.settings.training import ComputeSpec
from cama.stages import controls
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


def measured(folder: Path, sides: list[int], predict, monkeypatch, most: int = 25) -> pd.Series:
    """The values of `controls.csv` by their names, with F `seen` that answers by `predict`.

    A photograph's red value is its row, its green one its column, and its blue one ten times its label; `sides`: of those of
    a label. The first of each is a test photograph too.
    """
    rows = []
    for index, side in enumerate(side for side in sides for _ in LABELS):
        y, x = np.indices((side, side))
        pixels = np.stack([y, x, np.full_like(x, 10 * (index % 2))], axis=2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
        about = {"path": f"{index}.png", "sha256": str(index), "pixels": str(index), "model": LABELS[index % 2]}
        about |= {"device": 0, "number": index, "scene": str(index), "width": side, "height": side, "part": "train"}
        rows += [{**about, "role": role} for role in ("examiner", "test")]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "splits.csv", index=False)
    extract(table[table.role == "test"], folder, LABELS, SPEC.patches, True, 1, folder / "test.h5")
    classifier = tiny_classifier("rgb", classes=2)
    save_classifier(folder / "seen.safetensors", classifier, net_spec("rgb"), (LABELS[1], LABELS[0]), {})
    monkeypatch.setattr(controls, "predict", lambda model, images, compute: predict(images.numpy()))
    monkeypatch.setattr(controls, "MOST_CROPS", most)
    controls.controls(SPEC, folder / "splits.csv", folder, folder / "test.h5", [folder / "seen.safetensors"], folder)
    found = pd.read_csv(folder / "controls.csv").set_index("control").value
    return found[found.index.str.startswith("accuracy of F seen, ")].rename(lambda name: name.split("seen, ")[1])


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
    assert found.to_dict() == {
        **{f"crop moved by {offset}": float(offset != (7, 3)) for offset in offsets},
        **{f"after jpeg{quality}": 0 for quality in (92, 85)},
    }
    for (y, x), images in zip(offsets, seen[:4], strict=True):
        assert images.shape == (4, CROP, CROP, 3)
        assert {tuple(corner) for corner in images[:, 0, 0, :2]} == {(16 + y, 16 + x), (32 + y, 32 + x)}
    losses = [np.abs(images.astype(int) - seen[0]).mean() for images in seen[4:]]
    assert 0 < losses[0] < losses[1]


def test_photographs_without_room_are_left_out_and_no_more_than_some_are_taken(tmp_path, monkeypatch):
    counts = []

    def predict(images: np.ndarray) -> np.ndarray:
        counts.append(len(images))
        return right(images)

    found = measured(tmp_path, [CROP, 96, 96], predict, monkeypatch, most=2)
    assert counts == [2] * 4 + [4] * 2
    assert set(found) == {1}
    found = measured(tmp_path, [CROP], predict, monkeypatch)
    assert list(found.index) == ["after jpeg92", "after jpeg85"]


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
    assert len(asked) == len(found) == 6
