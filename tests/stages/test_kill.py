"""Killed at any moment and started again, a stage ends in the same files, bit for bit.

`pytest tests/stages/test_kill.py --kills 20` kills each stage 20 times in each way.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stages.conftest import command, files

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
    command = [sys.executable, "-m", "tests.stages.fork_server"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as born:
        yield Nursery(born)
        born.stdin.close()


def lose(folder: Path) -> None:
    """Delete results and keep states."""
    for path in folder.glob("*.*"):
        path.unlink()


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
    while kills < (request.config.getoption("kills") or 2):
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
            # begun anew, as after a run that ended well; or half of the time as where its results were lost
            shutil.rmtree(tmp_path / "killed", ignore_errors=True) if ends % 2 else lose(tmp_path / "killed")
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
