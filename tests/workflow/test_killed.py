"""A whole run that is killed again and again, with all its jobs, and run again, ends in the files of one that never was."""

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workflow.conftest import checkout

LOCKED = "--unlock"  # Snakemake's own words for a folder in which another run is, or was killed, name this option
KEPT = (".h5", ".safetensors", ".csv", ".png")


def made(folder: Path) -> dict[str, bytes]:
    """Data, weights, tables and plots below a folder of results, by their names. Model files name packages and inputs by hash;
    how long each job took, and where the trainings were interrupted, is another each time.
    """
    left_out = ("logs", "benchmarks", "state")
    names = [p.relative_to(folder) for p in sorted(folder.rglob("*")) if p.suffix in KEPT]
    return {str(name): (folder / name).read_bytes() for name in names if name.parts[0] not in left_out}


@pytest.fixture
def kills(request) -> int:
    """How often the run is killed."""
    found = request.config.getoption("kills")
    if not found:
        pytest.skip("takes minutes: ask for it by `--kills 3`")
    return found


def test_a_run_killed_anywhere_ends_in_the_same_files(kills, request, tmp_path):
    finished = request.getfixturevalue("finished")  # only now: it takes minutes, and most calls skip this test
    workflow = replace(checkout(tmp_path), cold=True)
    locks, chance = tmp_path / ".snakemake" / "locks", random.Random(0)
    for kill in range(kills):
        started = workflow.start()
        while started.poll() is None and not (locks.is_dir() and any(locks.iterdir())):
            time.sleep(0.05)
        if kill == 0:  # a second run beside the first
            done = workflow.run(check=False)
            assert done.returncode
            assert LOCKED in done.stdout + done.stderr
        time.sleep(chance.uniform(1, 15))
        if started.poll() is not None:
            break
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        time.sleep(0.5)  # the jobs' own processes are of the same group
        done = workflow.run(check=False)
        assert done.returncode
        assert LOCKED in done.stdout + done.stderr
        workflow.run("--unlock")
    workflow.run()
    assert workflow.planned() == {}
    expected, found = made(finished.folder / "results"), made(tmp_path / "results")
    assert expected.keys() == found.keys()
    assert len(expected) > 50
    assert [name for name in expected if expected[name] != found[name]] == []
