"""Small commands of the stages, as the workflow gives them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cama.commands.main import main
from cama.settings.data import PatchesSpec
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.stages import PatchesStageSpec, TrainClassifierSpec, TrainEstimatorSpec, TrainGeneratorSpec
from cama.settings.training import ClassifierSpec, EstimatorSpec, LearnedSpec, TrainingSpec
from cama.workflow.provenance import SUFFIX
from tests.commands.helpers import LABELS, write_patches

TRAINING = TrainingSpec(steps=60, batch=8)
BODY = BodySpec(features=16, downsamplings=0, blocks=1, kernel=3)
NET = ClassifierNetSpec(frontend="con_conv", architecture="small", width=16)
CLASSIFIER = ClassifierSpec(net=NET, training=TRAINING)
LEARNED = LearnedSpec(
    generator=GeneratorSpec(**BODY.model_dump()),
    discriminators=[DiscriminatorSpec(features=16)],
    evaluators=["e"],
    ema_decay=0.9,
    training=TRAINING,
)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """Photographs and their split, a patch file, and a classifier of E."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    rows = []
    for index in range(8):
        model = LABELS[index % 2]
        name = f"{model}_0_{index}.JPG"
        Image.fromarray(rng.integers(0, 256, (288, 288, 3), dtype=np.uint8)).save(folder / name)
        about = {"path": name, "sha256": str(index), "model": model, "device": "0", "number": index, "scene": name}
        rows.append({**about, "pixels": str(index), "width": 288, "height": 288, "role": "adversary", "part": "train"})
    pd.DataFrame(rows).to_csv(folder / "splits.csv", index=False)
    write_patches(folder / "patches.h5")
    spec = TrainClassifierSpec(classifier=CLASSIFIER.model_copy(update={"training": TrainingSpec(steps=2, batch=4)}))
    state = ("--curve", folder / "e.csv", "--state", folder / "state", "--patches", folder / "patches.h5")
    call = ["stage", "train-classifier", "--spec", spec.to_json(), "--out", folder / "e.safetensors", *state]
    assert main([str(argument) for argument in call]) == 0
    return folder


def command(stage: str, inputs: Path, out: Path) -> list[str]:
    """A stage's command with its outputs, and its state, in `out`."""
    patches, state = ("--patches", inputs / "patches.h5"), ("--state", out / "state", "--curve", out / "curve.csv")
    specs = {
        "patches": PatchesStageSpec(role="adversary", labels=LABELS, patches=PatchesSpec(size=32, crop=128, crops=4)),
        "train-estimator": TrainEstimatorSpec(estimator=EstimatorSpec(net=BODY, training=TRAINING)),
        "train-classifier": TrainClassifierSpec(classifier=CLASSIFIER),
        "train-generator": TrainGeneratorSpec(learned=LEARNED),
    }
    paths = {
        "patches": ("--splits", inputs / "splits.csv", "--root", inputs, "--out", out / "p.h5"),
        "train-estimator": (*patches, *state, "--out", out / "e0.safetensors"),
        "train-classifier": (*patches, *state, "--out", out / "f.safetensors"),
        "train-generator": (
            *(*patches, *state, "--evaluators", inputs / "e.safetensors"),
            *("--out", out / "g.safetensors", "--discriminators", out / "d.safetensors"),
        ),
    }
    return ["stage", stage, "--spec", specs[stage].to_json(), *map(str, paths[stage])]


def files(folder: Path) -> dict[str, bytes]:
    """All that a stage left, but for records, which say where it lies."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(SUFFIX)]
    return {path.name: path.read_bytes() for path in found}
