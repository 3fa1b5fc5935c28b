"""Killed at any moment and started again, a stage ends in the same files, bit for bit.

`pytest tests/stages/test_kill.py --kills 20` kills each stage 20 times in each way.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cama.cli import main
from cama.settings.data import PatchesSpec
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.stages import PatchesStageSpec, TrainClassifierSpec, TrainEstimatorSpec, TrainGeneratorSpec
from cama.settings.training import ClassifierSpec, EstimatorSpec, LearnedSpec, TrainingSpec
from tests.test_cli import LABELS, write_patches

TRAINING = TrainingSpec(steps=60, batch=8)
BODY = BodySpec(features=16, downsamplings=0, blocks=1, kernel=3)
NET = ClassifierNetSpec(frontend="con_conv", architecture="small", width=16)
CLASSIFIER = ClassifierSpec(net=NET, training=TRAINING)
LEARNED = LearnedSpec(
    generator=GeneratorSpec(**BODY.model_dump()),
    discriminators=[DiscriminatorSpec(features=16)],
    evaluators=["e"],
    average=0.9,
    training=TRAINING,
)
GRACE_S = 0.02  # between SIGTERM and SIGKILL at a time limit, which Slurm has seconds for


@dataclass
class Nursery:
    """Where children are born fast."""

    process: subprocess.Popen

    def start(self, arguments: list[str]) -> int:
        """Start a command; gives its process id."""
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def status(self) -> int:
        """Wait for the last command; gives its exit status, or minus the signal that ended it."""
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def nursery():
    command = [sys.executable, "-m", "tests.stages.nursery"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as born:
        yield Nursery(born)
        born.stdin.close()


@pytest.fixture(scope="module")
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
        rows.append({**about, "width": 288, "height": 288, "role": "adversary", "part": "train"})
    pd.DataFrame(rows).to_csv(folder / "splits.csv", index=False)
    write_patches(folder / "patches.h5")
    spec = TrainClassifierSpec(classifier=CLASSIFIER.model_copy(update={"training": TrainingSpec(steps=2, batch=4)}))
    state = ("--curve", folder / "e.csv", "--state", folder / "state", "--patches", folder / "patches.h5")
    call = ["train-classifier", "--spec", spec.to_json(), "--out", folder / "e.safetensors", *state]
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
    return [stage, "--spec", specs[stage].to_json(), *map(str, paths[stage])]


def files(folder: Path) -> dict[str, bytes]:
    """All that a stage left, but for the empty folder of its state."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", ["kill", "term", "limit"])
@pytest.mark.parametrize("stage", ["patches", "train-estimator", "train-classifier", "train-generator"])
def test_a_stage_that_is_killed_again_and_again_ends_in_the_same_files(nursery, inputs, tmp_path, request, stage, way):
    whole, killed = command(stage, inputs, tmp_path / "whole"), command(stage, inputs, tmp_path / "killed")
    nursery.start(whole)
    assert nursery.status() == 0
    begun = time.monotonic()
    nursery.start(command(stage, inputs, tmp_path / "timed"))
    assert nursery.status() == 0
    takes = time.monotonic() - begun
    expected = files(tmp_path / "whole")
    assert files(tmp_path / "timed") == expected
    chance = random.Random(f"{stage} {way}")
    kills, ends, saved = 0, 0, 0
    while kills < request.config.getoption("kills"):
        process = nursery.start(killed)
        time.sleep(chance.uniform(0, takes))
        with contextlib.suppress(ProcessLookupError):
            if way != "kill":
                os.kill(process, signal.SIGTERM)
            if way == "limit":
                time.sleep(GRACE_S)
            if way != "term":
                os.kill(process, signal.SIGKILL)
        asked = time.monotonic()
        status = nursery.status()
        assert time.monotonic() - asked < 10
        if status == 0:  # it ended before, or in spite of, the signal
            ends += 1
            assert files(tmp_path / "killed") == expected
            for path in (tmp_path / "killed").glob("*.*"):
                path.unlink()
            continue
        assert status in ((143, -signal.SIGTERM) if way == "term" else (143, -signal.SIGTERM, -signal.SIGKILL))
        kills += 1
        saved += bool(list((tmp_path / "killed").rglob("state.safetensors")))
        if way == "term":  # nothing half-written stays
            assert not list((tmp_path / "killed").rglob(".*"))
    nursery.start(killed)
    assert nursery.status() == 0
    assert files(tmp_path / "killed") == expected
    print(f"{stage}, {way}: {kills} kills, {saved} found a saved state, {ends} too late")
