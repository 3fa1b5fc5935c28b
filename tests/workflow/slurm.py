"""A real Slurm on this machine, of two nodes without accounting, cgroups or systemd."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIG = Path("/etc/slurm/slurm.conf")  # job steps look for it there
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge", "slurm-wlm-torque")
SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=26817
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=5
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=26821 CPUs=2 RealMemory=16000
NodeName=g1 NodeHostname={host} NodeAddr=127.0.0.1 Port=26822 CPUs=2 RealMemory=16000 Gres=gpu:1
PartitionName=main Nodes=n1 Default=YES MaxTime=INFINITE DefaultTime=5 DefMemPerCPU=200 State=UP
PartitionName=gpu Nodes=g1 MaxTime=INFINITE DefaultTime=5 DefMemPerCPU=200 State=UP
"""


def why_not() -> str:
    """Why there can be no Slurm for a test here, or nothing where it is installed now."""
    if os.name != "posix" or os.geteuid() or not shutil.which("apt-get"):
        return "only root can install Slurm, on Debian"
    if CONFIG.exists():
        return f"there is a Slurm on this machine already ({CONFIG})"
    if not all(map(shutil.which, ("slurmctld", "slurmd", "sbatch", "qsub"))):
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES]
        if not (_works(install) or (_works(["apt-get", "update", "-qq"]) and _works(install))):
            return "Slurm's packages could not be installed"
    return ""


def _works(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return not subprocess.run(command, capture_output=True, check=False, env=environment, timeout=180).returncode
    except subprocess.TimeoutExpired:  # a machine without network
        return False


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Start the daemons, wait until both nodes are idle, and end them."""
    host = socket.gethostname()
    for name in ("state", "spool", "run", "log"):
        (folder / name).mkdir(parents=True)
    CONFIG.parent.mkdir(exist_ok=True)
    gpus = CONFIG.with_name("gres.conf")
    try:
        CONFIG.write_text(SETTINGS.format(host=host, folder=folder))
        gpus.write_text("NodeName=g1 Name=gpu File=/dev/null\n")
        for command in (["slurmctld"], ["slurmd", "-N", "n1"], ["slurmd", "-N", "g1"]):
            subprocess.run(command, check=True)
        until = time.monotonic() + 60
        while ask("sinfo", "-h", "-N", "-o", "%N %T").split() != ["g1", "idle", "n1", "idle"]:
            assert time.monotonic() < until, ask("sinfo")
            time.sleep(0.5)
        yield
    finally:
        for path in (folder / "run").iterdir():
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGTERM)
        CONFIG.unlink(missing_ok=True)
        gpus.unlink(missing_ok=True)


def ask(*command: str) -> str:
    """What a command of Slurm prints, sorted by line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "\n".join(sorted(done.stdout.splitlines()))
