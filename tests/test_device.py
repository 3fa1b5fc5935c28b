"""Devices and precision."""

import pytest
import torch

from cama import device
from cama.device import pick_device, pick_precision, resolved
from cama.errors import CamaError
from cama.settings.training import ComputeSpec


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(CamaError, match="found no GPU"):
        pick_device("cuda")


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision_follows_the_processor_only_when_it_is_auto(monkeypatch, has, expected):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: has)
    cpu = torch.device("cpu")
    assert pick_precision("auto", cpu) == expected
    assert pick_precision("float32", cpu) == torch.float32
    assert pick_precision("bfloat16", cpu) == torch.bfloat16


def test_what_auto_means_here_is_told(monkeypatch):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = resolved(ComputeSpec())
    assert found == {"device": "cpu", "precision": "bfloat16", "torch": f"torch {torch.__version__}"}
    assert resolved(ComputeSpec(precision="float32"))["precision"] == "float32"


GB = 1 << 30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with 64 GB left, and the control groups that a test puts into the folder."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    known = {"/proc/meminfo": ["MemTotal: 1 kB", f"MemAvailable: {64 << 20} kB"], "/proc/self/cgroup": []}
    read = device._lines
    monkeypatch.setattr(device, "CGROUPS", tmp_path)
    monkeypatch.setattr(device, "_lines", lambda path: known[path] if isinstance(path, str) else read(path))
    return known, tmp_path


def test_free_memory_of_this_machine_is_some_but_not_all_of_the_world():
    assert 1 << 20 < device.free_memory() < 1 << 50


@pytest.mark.parametrize(
    ("line", "folder", "limit"),
    [
        ("0::/a/b", "a/b", "memory.max"),
        ("0::/a/b", "a", "memory.max"),  # of the group above
        ("0::/", ".", "memory.max"),
        ("4:cpu,memory:/a/b", "memory/a", "memory.limit_in_bytes"),
    ],
)
def test_free_memory_is_what_the_control_groups_leave(machine, line, folder, limit):
    known, root = machine
    assert device.free_memory() == 64 * GB
    known["/proc/self/cgroup"] = ["1:name=systemd:/x", line]
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / limit).write_text(f"{3 * GB}\n")
    assert device.free_memory() == 3 * GB
    (root / folder / limit).write_text("max\n")
    assert device.free_memory() == 64 * GB


def test_what_a_group_uses_is_not_free_but_for_idle_pages_of_files(machine):
    known, root = machine
    known["/proc/self/cgroup"] = ["0::/a"]
    (root / "a").mkdir()
    for name, text in (("max", 8 * GB), ("current", 6 * GB), ("stat", f"anon 5\ninactive_file {GB}\nslab 7")):
        (root / "a" / f"memory.{name}").write_text(f"{text}\n")
    assert device.free_memory() == 3 * GB


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_MEM_PER_NODE": "2048"}, 2 * GB),
        ({"SLURM_MEM_PER_NODE": "0"}, 64 * GB),  # all that the node has
        ({"SLURM_MEM_PER_NODE": "4G"}, 64 * GB),  # what a person asks srun for
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "4"}, 4 * GB),
        ({"LOCAL_WORLD_SIZE": "4"}, 16 * GB),
    ],
)
def test_free_memory_is_what_slurm_gives_and_a_share_of_it(machine, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert device.free_memory() == expected
