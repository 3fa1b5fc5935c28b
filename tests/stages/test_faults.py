"""Full disks, read-only folders, damaged files, two at once: a line each, no wrong result, and on it goes once mended."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cama.commands.main import main
from tests import warm
from tests.stages.conftest import command, files

STAGES = ["patches", "train-estimator", "train-classifier", "train-generator"]


pytestmark = pytest.mark.usefixtures("one_thread")


def process(arguments: list[str], **options) -> subprocess.Popen:
    """A stage as a process of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "cama", *arguments], stdout=pipe, stderr=pipe, text=True, **options)


def refusal(arguments: list[str]) -> str:
    """The one line, beside progress, with which a stage ends with status 1."""
    started = process(arguments, env=warm.environment())
    out, err = started.communicate()
    lines = [line for line in err.splitlines() if " s left" not in line]
    assert (started.returncode, out, len(lines)) == (1, "", 1), err
    return lines[0]


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, 200 kB in size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.name != "posix" or os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_one_line_and_more_room_mends_it(stage, inputs, tmp_path, disk):
    assert main(command(stage, inputs, tmp_path / "whole")) == 0
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(196_000 if stage != "patches" else 1))
    message = refusal(command(stage, inputs, disk / "out"))
    assert "could not be written" in message
    assert "No space left on device" in message
    assert str(disk / "out") in message
    left = [path for path in (disk / "out").rglob("*") if path.is_file()]
    assert not [path for path in left if path.suffix in (".h5", ".safetensors") and path.name != "state.safetensors"]
    assert not [path for path in left if path.name.startswith(".")]
    ballast.unlink()
    remount(disk, "size=50m")
    assert main(command(stage, inputs, disk / "out")) == 0
    assert files(disk / "out") == files(tmp_path / "whole")


def test_results_that_are_read_only_are_one_line(inputs, disk):
    remount(disk, "ro")
    for stage in STAGES:
        message = refusal(command(stage, inputs, disk / "out"))
        assert str(disk / "out") in message
        assert "Read-only file system" in message
    remount(disk, "rw,size=50m")
    assert main(command("patches", inputs, disk / "out")) == 0


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_patch_file_of_which_a_bit_was_flipped_trains_nothing(stage, inputs, tmp_path, capsys):
    mine = tmp_path / "inputs"
    shutil.copytree(inputs, mine)
    whole = (mine / "patches.h5").read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 8] ^= 1  # in the pixels, which lie first
    (mine / "patches.h5").write_bytes(damaged)
    capsys.readouterr()
    assert main(command(stage, mine, tmp_path / "out")) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert str(mine / "patches.h5") in message
    assert "damaged" in message
    assert not files(tmp_path / "out").keys() - {"identity.json", "lock"}
    (mine / "patches.h5").write_bytes(whole)
    assert main(command(stage, mine, tmp_path / "out")) == 0


def test_a_damaged_state_is_one_line_that_says_what_to_do(inputs, tmp_path, capsys):
    arguments = command("train-estimator", inputs, tmp_path / "out")
    assert main(command("train-estimator", inputs, tmp_path / "whole")) == 0
    started = process(arguments)
    while not list((tmp_path / "out").rglob("lock")):
        time.sleep(0.01)
    started.send_signal(signal.SIGTERM)
    started.wait()
    folder = next((tmp_path / "out" / "state").iterdir())
    state = folder / "state.safetensors"
    if not state.exists():  # it was killed before its first step
        state.write_bytes(b"")
    else:
        state.write_bytes(state.read_bytes()[:-100])
    capsys.readouterr()
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"delete {folder} to begin this training anew" in message
    shutil.rmtree(folder)
    assert main(arguments) == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_two_processes_in_one_training_are_one_too_many(inputs, tmp_path):
    arguments = command("train-estimator", inputs, tmp_path / "out")
    first = process(arguments)
    while not list((tmp_path / "out").rglob("lock")):
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it is surely there
    try:
        message = refusal(arguments)
    finally:
        first.send_signal(signal.SIGCONT)
    assert "found another process in this training" in message
    assert first.wait() == 0
    assert main(command("train-estimator", inputs, tmp_path / "alone")) == 0
    assert files(tmp_path / "out") == files(tmp_path / "alone")


def test_too_little_memory_is_one_line(inputs, tmp_path):
    """The batch of this training would take 37 GB."""
    arguments = command("train-classifier", inputs, tmp_path / "out")
    spec = arguments.index("--spec") + 1
    arguments[spec] = arguments[spec].replace('"batch":8', '"batch":3000000').replace('"batch": 8', '"batch": 3000000')
    assert "3000000" in arguments[spec]
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)); "
    code = limit + "from cama.commands.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(
        "cama stage train-classifier: found too little memory, expected more memory (`mem_mb`)"
    )


def test_more_threads_than_cores_are_refused(inputs, tmp_path, capsys):
    assert main([*command("train-estimator", inputs, tmp_path), "--threads", "4096"]) == 1
    assert "--threads: found 4096, expected 1 to " in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    """Matplotlib and Snakemake keep caches below the home folder."""
    environment = {**os.environ, "HOME": "/proc", "XDG_CACHE_HOME": "/proc/cache", "MPLCONFIGDIR": "/proc/mpl"}
    code = "import cama.stages.plots, torch; import matplotlib.pyplot as p; p.plot([1, 2]); p.savefig('a.png')"
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**environment, "PYTHONPATH": os.getcwd()}, check=True
    )
    assert (tmp_path / "a.png").stat().st_size > 1000
