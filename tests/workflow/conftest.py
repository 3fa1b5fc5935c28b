"""One tiny run of the real Snakefile, shared by the tests of the workflow."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import warm
from tests.stages.conftest import inputs  # noqa: F401 (a fixture)

PROJECT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.yaml")


@dataclass(frozen=True)
class Workflow:
    """A copy of the project in a folder of its own."""

    folder: Path
    config: Path = TINY
    cold: bool = False  # Snakemake and stages start anew, in one process group, so that they are killed together

    def start(self, *arguments: str, overlay: dict | None = None) -> subprocess.Popen:
        """Call Snakemake with its config, and over that `overlay`, as the leader of a process group."""
        files = [str(self.config)]
        if overlay is not None:
            path = self.folder / "overlay.yaml"
            path.write_text(yaml.safe_dump(overlay))
            files.append(str(path))
        command = [sys.executable, "-m", "snakemake", "--configfile", *files, "--cores", "2", *arguments]
        variables = os.environ if self.cold else warm.environment()
        environment = {**variables, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        pipe, group = subprocess.PIPE, {"start_new_session": True}
        return subprocess.Popen(command, cwd=self.folder, stdout=pipe, stderr=pipe, text=True, env=environment, **group)

    def run(self, *arguments: str, overlay: dict | None = None, check: bool = True) -> subprocess.CompletedProcess:
        """`start`, and wait for the end."""
        with self.start(*arguments, overlay=overlay) as started:
            try:
                out, err = started.communicate(timeout=600)
            except BaseException:
                os.killpg(started.pid, signal.SIGKILL)
                raise
        if check and started.returncode:
            raise AssertionError(out[-4000:] + err[-4000:])
        return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    def planned(self, *arguments: str, overlay: dict | None = None) -> dict[str, int]:
        """How many jobs of each rule a dry run plans; `all` is not counted."""
        done = self.run("--dry-run", *arguments, overlay=overlay)
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total", done.stdout + done.stderr, re.MULTILINE | re.DOTALL)
        if table is None:
            assert "Nothing to be done" in done.stdout + done.stderr
            return {}
        counts = dict(line.split() for line in table[1].splitlines())
        return {rule: int(count) for rule, count in counts.items() if rule != "all"}


def checkout(folder: Path, config: Path = TINY) -> Workflow:
    """A working copy of what the workflow is made of."""
    for name in ("cama", "rules", "profiles", "envs"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(PROJECT / name, folder / name)
    return Workflow(folder, config)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """A checkout in which the tiny run has ended."""
    workflow = checkout(tmp_path_factory.mktemp("tiny"))
    workflow.run()
    return workflow
