"""Free memory."""

import pytest

from cama.compute import memory

GB = 1 << 30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with 64 GB left, and the control groups that a test puts into the folder."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    known = {"/proc/meminfo": ["MemTotal: 1 kB", f"MemAvailable: {64 << 20} kB"], "/proc/self/cgroup": []}
    read = memory.read_lines
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "read_lines", lambda path: known[path] if isinstance(path, str) else read(path))
    return known, tmp_path


def test_free_memory_of_this_machine_is_some_but_not_all_of_the_world():
    assert 1 << 20 < memory.free_memory() < 1 << 50


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
    assert memory.free_memory() == 64 * GB
    known["/proc/self/cgroup"] = ["1:name=systemd:/x", line]
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / limit).write_text(f"{3 * GB}\n")
    assert memory.free_memory() == 3 * GB
    (root / folder / limit).write_text("max\n")
    assert memory.free_memory() == 64 * GB


def test_what_a_group_uses_is_not_free_but_for_idle_pages_of_files(machine):
    known, root = machine
    known["/proc/self/cgroup"] = ["0::/a"]
    (root / "a").mkdir()
    for name, text in (("max", 8 * GB), ("current", 6 * GB), ("stat", f"anon 5\ninactive_file {GB}\nslab 7")):
        (root / "a" / f"memory.{name}").write_text(f"{text}\n")
    assert memory.free_memory() == 3 * GB


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
    assert memory.free_memory() == expected
