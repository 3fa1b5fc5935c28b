"""Trainings on two processes: as good as on one, resumed bit for bit, and refused where they are not started so."""

import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch

from cama.commands.main import main
from cama.compute.device import Compute
from cama.data.patches import Patches
from cama.evaluation.rates import wilson
from cama.models.classifiers import load_classifier
from cama.settings.networks import ClassifierNetSpec
from cama.settings.stages import TrainClassifierSpec
from cama.settings.training import ClassifierSpec, ComputeSpec, OptimiserSpec, TrainingSpec
from cama.storage.hdf5 import write_hdf5
from cama.training.classifier import predict
from tests import warm
from tests.commands.helpers import LABELS
from tests.stages.conftest import command, files

LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cama")


def start(arguments: list[str], *launcher: str) -> subprocess.Popen:
    """A stage on two processes, or as `launcher` says."""
    environment = {**warm.environment(), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    words = [sys.executable, *(launcher or LAUNCHER), *arguments]
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=environment)


def ended(process: subprocess.Popen) -> str:
    """What a process said; it must have ended well."""
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return out + err


@pytest.fixture(scope="module")
def striped(tmp_path_factory):
    """Patches whose label shows in a faint pattern below noise, more than can be learnt to the last."""
    path = tmp_path_factory.mktemp("striped") / "patches.h5"
    rng = np.random.default_rng(0)
    count = 800
    label = np.arange(count) % 2
    images = rng.normal(128, 30, (count, 32, 32, 3))
    images[label == 1, ::2] += 7
    names = [str(i) for i in range(count)]
    with write_hdf5(path) as file:
        file.write_values("rgb", np.clip(images, 0, 255).astype(np.uint8))
        file.write_values("label", label)
        file.write_values("validation", np.arange(count) >= count // 2)  # held out, to be scored here
        file.write_values("origin", np.zeros((count, 2), int))
        file.write_values("device", np.zeros(count, int))
        file.write_texts("photograph", names)
        file.write_texts("scene", names)
        file.write_attribute("labels", LABELS)
    return path


def classifier_command(patches, out, processes: int) -> list[str]:
    spec = ClassifierSpec(
        net=ClassifierNetSpec(frontend="con_conv", architecture="small", width=16),
        training=TrainingSpec(steps=240, batch=32, processes=processes),
        optimiser=OptimiserSpec(name="adamw", rate=3e-3, schedule="one_cycle"),
    )
    paths = ("--patches", patches, "--out", out / "f.safetensors", "--curve", out / "c.csv", "--state", out / "state")
    return ["stage", "train-classifier", "--spec", TrainClassifierSpec(classifier=spec).to_json(), *map(str, paths)]


def test_two_processes_train_a_classifier_as_good_as_one_within_its_interval(striped, tmp_path):
    right = {}
    held = Patches.read(striped, "rgb")
    chosen = held.validation.astype(bool)
    for processes, launcher in ((1, ("-m", "cama")), (2, LAUNCHER)):
        out = tmp_path / str(processes)
        said = ended(start(classifier_command(striped, out, processes), *launcher))
        assert said.count("240/240") == 1  # one alone speaks
        classifier, _ = load_classifier(out / "f.safetensors")
        compute = Compute(ComputeSpec())
        found = predict(compute.to_device(classifier), held.arrays["rgb"][torch.from_numpy(chosen)], compute).argmax(1)
        right[processes] = int((found == held.label[chosen]).sum())
        assert len(pd.read_csv(out / "c.csv")) == 120
    (low, high), (lower, upper) = (wilson(right[processes], int(chosen.sum())) for processes in (1, 2))
    assert low > 0.6  # it learns something
    assert low <= upper, right
    assert lower <= high, right


@pytest.mark.parametrize("stage", ["train-estimator", "train-generator"])
def test_a_training_on_two_processes_that_is_killed_ends_in_the_same_files(stage, inputs, tmp_path):
    def mine(name: str) -> list[str]:
        return [
            word.replace('"batch": 8', '"batch": 8, "processes": 2').replace(
                '"processes": 2, "processes": 1', '"processes": 2'
            )
            for word in command(stage, inputs, tmp_path / name)
        ]

    ended(start(mine("whole")))
    killed = start(mine("killed"))
    until = time.monotonic() + 120
    while not list((tmp_path / "killed").rglob("lock")):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.5)
    killed.send_signal(signal.SIGTERM)
    killed.communicate()
    assert killed.returncode != 0
    ended(start(mine("killed")))
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_training_for_two_that_is_started_as_one_is_one_line(striped, tmp_path, capsys):
    assert main(classifier_command(striped, tmp_path, 2)) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "training.processes: found 2, but 1 started; start it by `python -m torch.distributed.run" in message
