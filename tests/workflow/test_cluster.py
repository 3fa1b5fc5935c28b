"""What profiles/cluster says of a job, for the answers of PBS Professional and Torque."""

import os
import subprocess

import pytest

from tests.workflow.conftest import PROJECT

STATUS = PROJECT / "profiles" / "cluster" / "status.sh"


@pytest.mark.parametrize(
    ("answer", "code", "left", "expected"),
    [
        ("Job Id: 7.pbs\n    job_state = Q", 0, None, "running"),
        ("Job Id: 7.pbs\n    job_state = R", 0, None, "running"),
        ("Job Id: 7.pbs\n    job_state = E", 0, "0", "running"),  # on its way out
        ("Job Id: 7.pbs\n    job_state = C\n    exit_status = 0", 0, "0", "success"),  # Torque keeps it for a while
        ("Job Id: 7.pbs\n    job_state = F\n    Exit_status = 271", 0, "143", "failed"),
        ("qstat: Unknown Job Id 7.pbs", 153, "0", "success"),
        ("qstat: Unknown Job Id 7.pbs", 153, "1", "failed"),
        ("qstat: 7.pbs Job has finished, use -x or -H", 35, "0", "success"),
        ("qstat: cannot connect to server pbs (errno=111)", 111, None, "running"),
    ],
)
def test_what_has_become_of_a_job(answer, code, left, expected, tmp_path):
    tool = tmp_path / "bin" / "qstat"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n[ \"$*\" = '-f 7.pbs' ] || exit 2\ncat <<'E'\n{answer}\nE\nexit {code}\n")
    tool.chmod(0o755)
    if left is not None:
        mark = tmp_path / ".snakemake" / "cluster" / "7.pbs"
        mark.parent.mkdir(parents=True)
        mark.write_text(f"{left}\n")
    environment = {**os.environ, "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["sh", STATUS, "7.pbs"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{expected}\n"
