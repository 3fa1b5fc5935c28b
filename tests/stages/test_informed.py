"""A classifier that goes on to train on attacked pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cama.commands.main import main
from cama.data.examples import Window, write_examples
from cama.models.classifiers import load_classifier
from cama.settings.stages import TrainClassifierSpec, TrainInformedSpec
from cama.settings.training import ComputeSpec
from cama.stages import train_informed as stage
from cama.storage.model_files import read_header
from tests.commands.helpers import LABELS, refusal, write_patches

CPU = ComputeSpec(device="cpu", precision="float32")
NET = {"frontend": "con_conv", "architecture": "small", "width": 4}
SIZE, WINDOW = 32, 80


def command(folder: Path, out: Path, rate: float = 1e-9, start: str = "start") -> list[object]:
    """The command that trains an informed classifier for one step, at a rate that changes nothing to speak of."""
    optimiser = {"name": "sgd", "rate": rate, "schedule": "constant"}
    classifier = {"net": NET, "training": {"steps": 1, "batch": 4}, "optimiser": optimiser}
    spec = TrainInformedSpec(classifier=classifier, size=SIZE, crop=2 * SIZE, compute=CPU)
    paths = ["--patches", folder / "p.h5", "--examples", folder / "x.h5", "--start", folder / f"{start}.safetensors"]
    outputs = ["--out", out / "f.safetensors", "--curve", out / "f.csv", "--state", out / "state"]
    return ["stage", "train-informed", "--spec", spec.to_json(), *paths, *outputs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Patches, classifiers of their labels and of others, and examples whose attacked pictures have one value each."""
    folder = tmp_path_factory.mktemp("informed")
    for name, labels in (("start", LABELS), ("other", ("Corvus_C300", "Dorado_D5"))):
        patches = write_patches(folder / ("p.h5" if name == "start" else "o.h5"), labels)
        spec = TrainClassifierSpec(classifier={"net": NET, "training": {"steps": 2, "batch": 6}}, compute=CPU)
        paths = ("--patches", patches, "--state", folder / "s", "--curve", folder / f"{name}.csv")
        call = ("train-classifier", "--spec", spec.to_json(), *paths, "--out", folder / f"{name}.safetensors")
        assert main(["stage", *map(str, call)]) == 0
    rng = np.random.default_rng(0)
    examples = [
        (
            Window(rng.integers(0, 256, (WINDOW, WINDOW, 3), dtype=np.uint8), f"p{i}", (16, 0), 2, "", i % 2),
            np.full((WINDOW, WINDOW, 3), 10 * i, np.uint8),
            1 - i % 2,
        )
        for i in range(5)
    ]
    write_examples(folder / "x.h5", examples, LABELS, lambda done: None)
    return folder


def test_it_trains_on_untouched_and_on_attacked_patches_with_their_true_source(folder, tmp_path, monkeypatch):
    seen = {}

    def record(name, patches, spec, estimator, compute, seed, checkpoint, start):
        seen.update(patches=patches, start=start)
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "train_classifier", record)
    with pytest.raises(KeyboardInterrupt):
        stage.train_informed(
            TrainInformedSpec.model_validate_json(command(folder, tmp_path)[3]),
            [folder / "p.h5"],
            *(folder / name for name in ("x.h5", "start.safetensors")),
            *(tmp_path / name for name in ("f.safetensors", "f.csv", "state")),
        )
    patches = seen["patches"]
    attacked = patches.arrays["rgb"][12:]  # behind the twelve untouched ones
    assert patches.labels == LABELS
    assert len(attacked) == 5 * 2**2
    values = attacked.reshape(len(attacked), -1)
    assert (values == values[:, :1]).all()
    assert (values[:, 0].numpy() == np.repeat(10 * np.arange(5), 4)).all()
    assert (patches.label[12:] == np.repeat([0, 1, 0, 1, 0], 4)).all()
    begun, _ = load_classifier(folder / "start.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(begun.parameters(), seen["start"].parameters(), strict=True))


def test_it_goes_on_from_the_weights_of_the_classifier_that_it_begins_as(folder, tmp_path):
    weights = {}
    for name, rate in (("still", 1e-9), ("moved", 0.1)):
        assert main([str(word) for word in command(folder, tmp_path / name, rate)]) == 0
        classifier, labels = load_classifier(tmp_path / name / "f.safetensors")
        assert labels == LABELS
        weights[name] = torch.cat([parameter.detach().ravel() for parameter in classifier.net.parameters()])
    begun, _ = load_classifier(folder / "start.safetensors")
    before = torch.cat([parameter.detach().ravel() for parameter in begun.net.parameters()])
    assert torch.allclose(weights["still"], before, atol=1e-6)
    assert not torch.allclose(weights["moved"], before, atol=1e-4)
    assert set(read_header(tmp_path / "still" / "f.safetensors")["inputs"]) == {"p.h5", "x.h5", "start.safetensors"}


def test_a_classifier_of_other_labels_is_refused(folder, tmp_path, capsys):
    found = refusal(capsys, *command(folder, tmp_path, start="other"))
    assert "other.safetensors: found the labels ['Corvus_C300', 'Dorado_D5'], expected those of the patches" in found
