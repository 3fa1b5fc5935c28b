"""Killed at any moment and started again, a stage ends in the same files, bit for bit.

`pytest tests/stages/test_kill.py --kills 20` kills each stage 20 times in each way.
"""

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests import warm
from tests.stages.conftest import command, files
from tests.warm.start.sitecustomize import Child

GRACE_S = 0.02  # between SIGTERM and SIGKILL at a time limit, which Slurm has seconds for


def start(arguments: list[str]) -> Child:
    """A command that is born fast, and saves so often that a kill in so short a training finds it saved."""
    return Child(warm.server(), "cama", arguments, [0, 1, 2], save_every_s=0.03)


def lose(folder: Path) -> None:
    """Delete results and keep states."""
    for path in folder.glob("*.*"):
        path.unlink()


@pytest.mark.parametrize("way", ["kill", "term", "limit"])
@pytest.mark.parametrize("stage", ["patches", "train-estimator", "train-classifier", "train-generator"])
def test_a_stage_that_is_killed_again_and_again_ends_in_the_same_files(inputs, tmp_path, request, stage, way):
    whole, killed = command(stage, inputs, tmp_path / "whole"), command(stage, inputs, tmp_path / "killed")
    warm.server()  # whose start is not to be timed
    begun = time.monotonic()
    assert start(whole).status() == 0
    takes = time.monotonic() - begun
    expected = files(tmp_path / "whole")
    chance = random.Random(f"{stage} {way}")
    kills, ends, saved = 0, 0, 0
    while kills < (request.config.getoption("kills") or 2):
        child = start(killed)
        time.sleep(chance.uniform(0, takes))
        with contextlib.suppress(ProcessLookupError):
            if way != "kill":
                os.kill(child.process, signal.SIGTERM)
            if way == "limit":
                time.sleep(GRACE_S)
            if way != "term":
                os.kill(child.process, signal.SIGKILL)
        asked = time.monotonic()
        status = child.status()
        assert time.monotonic() - asked < 10
        if status == 0:  # it ended before, or in spite of, the signal
            ends += 1
            assert files(tmp_path / "killed") == expected
            # begun anew, as after a run that ended well; or half of the time as where its results were lost
            shutil.rmtree(tmp_path / "killed", ignore_errors=True) if ends % 2 else lose(tmp_path / "killed")
            continue
        assert status in ((143, -signal.SIGTERM) if way == "term" else (143, -signal.SIGTERM, -signal.SIGKILL))
        kills += 1
        saved += bool(list((tmp_path / "killed").rglob("state.safetensors")))
        if way == "term":  # nothing half-written stays
            assert not list((tmp_path / "killed").rglob(".*"))
    assert start(killed).status() == 0
    assert files(tmp_path / "killed") == expected
    print(f"{stage}, {way}: {kills} kills, {saved} found a saved state, {ends} too late")
