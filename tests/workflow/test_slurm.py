"""The profiles for clusters on a real Slurm: jobs that hit their time limit, are cancelled or fail run again, and nothing is
lost. That for PBS speaks to it by Slurm's own qsub, qstat and qdel.
"""

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

# what the profiles leave to a cluster: this one has no accounting
HERE = {
    "slurm": ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "7"),
    "cluster": (),
}


@pytest.fixture
def cluster(tmp_path, request):
    if not request.config.getoption("--slurm"):
        pytest.skip("it installs and starts a Slurm: ask for it with --slurm")
    reason = slurm.why_not()
    if reason:
        pytest.skip(reason)
    with slurm.running(tmp_path / "slurm"):
        yield


def wait_for(words: str, folder: Path, run: subprocess.Popen, but: str = "") -> tuple[int, str]:
    """A process of this package in this folder with these words in its command line, and the number of its job."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert run.poll() is None, f"the run ended before a job of {words} ran"
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "cwd").readlink() != folder:
                    continue
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                about = dict(
                    text.partition("=")[::2] for text in (path / "environ").read_text(errors="replace").split("\0")
                )
            except OSError:  # it ended meanwhile
                continue
            job = about.get("SLURM_JOB_ID", "")
            if f"python -m cama stage {words}" in line and "bash" not in line and job not in ("", but):
                return int(path.name), job
        time.sleep(0.05)
    raise AssertionError(f"no job of {words} ran")


def held(words: str, folder: Path, run: subprocess.Popen, but: str = "") -> str:
    """The number of a job, whose process is stopped so that it cannot end before it is ended."""
    process, job = wait_for(words, folder, run, but)
    os.kill(process, signal.SIGSTOP)
    return job


def tables(workflow: Workflow) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workflow.folder / "results" / "tables").glob("*.csv")}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("profile", HERE)
def test_jobs_that_time_out_are_cancelled_or_fail_end_in_the_tables_of_a_local_run(cluster, request, tmp_path, profile):
    """The generators are trained again, and all that depends on them."""
    finished = request.getfixturevalue("finished")  # only now: it takes minutes, and most calls skip this test
    mine = Workflow(shutil.copytree(finished.folder, tmp_path / "run", symlinks=True))
    expected = tables(finished)
    shutil.rmtree(mine.folder / "results" / "tables")
    shutil.rmtree(mine.folder / "results" / "adversary" / "generators")
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{profile}"]
    command += ["--configfile", mine.config, *HERE[profile], "--latency-wait", "5"]
    command += ["--rerun-triggers", "mtime", "--until", "tables"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(command, cwd=mine.folder, stdout=log, stderr=log, env=environment)
    try:
        late = held("train-generator", mine.folder, run)
        subprocess.run(["scontrol", "update", f"jobid={late}", "EndTime=now"], check=True)
        unwanted = held("train-generator", mine.folder, run, late)
        subprocess.run(["scancel", unwanted], check=True)
        os.kill(wait_for("attack", mine.folder, run)[0], signal.SIGKILL)
        assert run.wait(900) == 0, (tmp_path / "log").read_text()[-4000:]
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)  # which cancels the jobs
            run.wait(60)
    said = (tmp_path / "log").read_text()
    assert "Error in rule attack" in said
    assert said.count("Error in rule train_generator") >= 2
    assert tables(mine) == expected
