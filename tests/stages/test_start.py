"""Trainings that begin as the networks of another run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier, save_classifier
from cama.settings.data import ModelsSpec
from cama.settings.stages import SplitStageSpec, TrainClassifierSpec, TrainEstimatorSpec, TrainGeneratorSpec
from cama.settings.training import OptimiserSpec, TrainingSpec
from cama.storage.model_files import read_tensors
from cama.storage.weights import begin_as
from tests.commands.helpers import refusal
from tests.models.helpers import net_spec, tiny_classifier
from tests.stages.conftest import BODY, CLASSIFIER, LEARNED, command

STILL = {"training": TrainingSpec(steps=1, batch=4), "optimiser": OptimiserSpec(rate=1e-12)}
STILL_G = {
    "training": STILL["training"],
    "ema_decay": 0.0,
    "generator_optimiser": STILL["optimiser"],
    "discriminator_optimiser": STILL["optimiser"],
}
SPECS = {
    "train-estimator": TrainEstimatorSpec(),
    "train-classifier": TrainClassifierSpec(classifier=CLASSIFIER.model_copy(update=STILL)),
    "train-generator": TrainGeneratorSpec(learned=LEARNED.model_copy(update=STILL_G)),
}
SPECS["train-estimator"] = TrainEstimatorSpec(
    estimator=SPECS["train-estimator"].estimator.model_copy(update={"net": BODY, **STILL})
)
OUTPUTS = {"train-estimator": ["e0"], "train-classifier": ["f"], "train-generator": ["g", "d"]}


def weights(path: Path) -> dict[str, np.ndarray]:
    """What is learnt in a model file: neither running means nor what is measured of the photographs."""
    state, _ = read_tensors(path)
    left_out = ("running", "num_batches", "scale", "gain")
    return {name: value for name, value in state.items() if not any(part in name for part in left_out)}


@pytest.mark.parametrize("stage", SPECS)
def test_a_training_that_hardly_moves_ends_as_what_it_began_as(stage, inputs, tmp_path):
    first, second, anew = (tmp_path / name for name in ("first", "second", "anew"))
    assert main(command(stage, inputs, first)) == 0
    starts = [str(first / f"{name}.safetensors") for name in OUTPUTS[stage]]
    still = ["--spec", SPECS[stage].model_copy(update={"seed": 7}).to_json()]
    assert main([*command(stage, inputs, second), *still, "--start", *starts]) == 0
    assert main([*command(stage, inputs, anew), *still]) == 0
    for name in OUTPUTS[stage]:
        begun, given, other = (weights(folder / f"{name}.safetensors") for folder in (first, second, anew))
        assert begun.keys() == given.keys()
        assert all(np.allclose(begun[key], given[key], atol=1e-6) for key in begun)
        assert not all(np.allclose(begun[key], other[key], atol=1e-3) for key in begun)


def test_what_has_another_shape_begins_anew(tmp_path, capsys):
    """A classifier of two cameras begins as one of three: all but its last layer."""
    known = ("A_1", "B_2", "C_3")
    save_classifier(tmp_path / "three.safetensors", tiny_classifier("con_conv"), net_spec("con_conv"), known, {})
    three, _ = load_classifier(tmp_path / "three.safetensors")
    two = tiny_classifier("con_conv", classes=2)
    before = {name: value.clone() for name, value in two.state_dict().items()}
    begin_as(two, tmp_path / "three.safetensors", "classifier")
    found, wanted = two.state_dict(), three.state_dict()
    fresh = [name for name in found if found[name].shape != wanted[name].shape]
    assert len(fresh) == 2  # weight and bias of the last layer
    assert all(torch.equal(found[name], before[name]) for name in fresh)
    assert all(torch.equal(found[name], wanted[name]) for name in found if name not in fresh)
    assert f"begins with {len(found) - 2} of {len(found)} weights of" in capsys.readouterr().out
    begin_as(two, tmp_path / "three.safetensors", "classifier", own=("frontend.",))
    with pytest.raises(CamaError, match="found no weights of the shapes of this network"):
        begin_as(torch.nn.Linear(2, 3), tmp_path / "three.safetensors", "classifier")


def test_a_start_that_is_none_is_one_line(inputs, tmp_path, capsys):
    call = command("train-estimator", inputs, tmp_path / "out")
    assert "gone.safetensors: no such file" in refusal(capsys, *call, "--start", tmp_path / "gone.safetensors")
    wrong = refusal(capsys, *call, "--start", inputs / "e.safetensors")
    assert "found a model of kind 'classifier', expected 'estimator'" in wrong
    call = command("train-generator", inputs, tmp_path / "out")
    assert "--start: found 1 files, expected two" in refusal(capsys, *call, "--start", inputs / "e.safetensors")


def test_what_the_run_before_the_last_was_trained_on_is_nobody_elses_either(tmp_path, capsys):
    """A run that began as another one, which began as a first: their adversaries' photographs are no examiner's here."""
    spec = SplitStageSpec(models=ModelsSpec(in_distribution=("A_1", "B_2"))).to_json()

    def checked(run: str, owned: str, examined: str, started: Path | None) -> list[str]:
        rows = []
        for model in ("A_1", "B_2"):
            for role, device in (("adversary", owned), ("examiner", examined)):
                name = f"{model}_{device}"
                about = {
                    "path": name,
                    "sha256": name,
                    "pixels": name,
                    "scene": name,
                    "number": 1,
                    "width": 9,
                    "height": 9,
                }
                rows.append({**about, "model": model, "device": device, "role": role, "part": "train"})
        (tmp_path / run).mkdir()
        pd.DataFrame(rows).to_csv(tmp_path / run / "splits-unchecked.csv", index=False)
        words = ["stage", "check-split", "--spec", spec, "--splits", str(tmp_path / run / "splits-unchecked.csv")]
        words += ["--started", str(started)] if started else []
        return [*words, "--out", str(tmp_path / run / "splits.csv")]

    assert main(checked("first", "0", "9", None)) == 0
    assert main(checked("second", "1", "8", tmp_path / "first" / "splits.csv")) == 0
    assert main(checked("good", "2", "8", tmp_path / "second" / "splits.csv")) == 0
    line = refusal(capsys, *checked("bad", "2", "0", tmp_path / "second" / "splits.csv"))
    assert "adversary.start: found networks that were trained on sha256 A_1_0, which is the examiner's here" in line
