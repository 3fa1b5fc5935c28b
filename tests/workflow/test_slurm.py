"""The Slurm profile on a real Slurm: jobs that hit their time limit, are cancelled or fail run again, and nothing is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow import slurm
from tests.workflow.conftest import Workflow

# what the profile leaves to a cluster: this one has no accounting
HERE = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "7", "--latency-wait", "5")


@pytest.fixture
def cluster(tmp_path, request):
    if not request.config.getoption("--slurm"):
        pytest.skip("it installs and starts a Slurm: ask for it with --slurm")
    reason = slurm.why_not()
    if reason:
        pytest.skip(reason)
    with slurm.running(tmp_path / "slurm"):
        yield


def wait_for(rule: str, run: subprocess.Popen, but: set[str] = frozenset()) -> str:
    """The number of a job of this rule that runs."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert run.poll() is None, f"the run ended before a job of {rule} ran"
        for number, (name, state) in slurm.jobs().items():
            if name == rule and state == "RUNNING" and number not in but:
                return number
        time.sleep(0.2)
    raise AssertionError(f"no job of {rule} ran")


def processes(words: str, folder: Path) -> list[int]:
    """Python processes in this folder with these words in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.parent.joinpath("cwd").readlink() != folder:
                continue
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "python -m cama" in line and words in line and "bash" not in line:
            found.append(int(path.parent.name))
    return found


def tables(workflow: Workflow) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workflow.folder / "results" / "tables").glob("*.csv")}


@pytest.mark.timeout(1200)
def test_jobs_that_time_out_are_cancelled_or_fail_end_in_the_tables_of_a_local_run(finished, tmp_path, cluster):
    """The generators are trained again, and all that hangs on them."""
    mine = Workflow(shutil.copytree(finished.folder, tmp_path / "run", symlinks=True))
    expected = tables(finished)
    shutil.rmtree(mine.folder / "results" / "tables")
    shutil.rmtree(mine.folder / "results" / "adversary" / "generators")
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--configfile", mine.config]
    command += [*HERE, "--rerun-triggers", "mtime", "--until", "tables"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(command, cwd=mine.folder, stdout=log, stderr=log, env=environment)
    try:
        late = wait_for("train_generator", run)
        subprocess.run(["scontrol", "update", f"jobid={late}", "EndTime=now"], check=True)
        unwanted = wait_for("train_generator", run, {late})
        subprocess.run(["scancel", unwanted], check=True)
        until = time.monotonic() + 300
        while not (found := processes("cama attack", mine.folder)):
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(found[0], signal.SIGKILL)
        assert run.wait(900) == 0, (tmp_path / "log").read_text()[-4000:]
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)  # which cancels the jobs
            run.wait(60)
    said = (tmp_path / "log").read_text()
    assert "Error in rule attack" in said
    assert said.count("Error in rule train_generator") >= 2
    assert tables(mine) == expected
