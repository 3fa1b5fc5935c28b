"""How much memory this process may still take."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that this process may still take: the free memory of the system, or less by the limit of a control group or of
    Slurm, divided by the number of processes of its training on this machine.
    """
    limits = []
    for line in read_lines("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            limits.append(int(line.split()[1]) << 10)
    for line in read_lines("/proc/self/cgroup"):  # NUMBER:CONTROLLERS:PATH, of version 2 without controllers
        _, controllers, group = line.split(":", 2)
        if not controllers:
            root, limit, used, idle = CGROUPS, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, used = CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            idle = "total_inactive_file"
        else:
            continue
        own = root / group.lstrip("/")
        for place in (own, *own.parents):
            if place.is_relative_to(root) and (most := _number(read_lines(place / limit))):
                stat = dict(line.split(" ", 1) for line in read_lines(place / "memory.stat") if " " in line)
                limits.append(max(0, most - _number(read_lines(place / used)) + _number([stat.get(idle, "")])))
    node, processor, processors = (
        _number([os.environ.get(name, "")])
        for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE")
    )
    limits += [megabytes << 20 for megabytes in (node, processor * max(1, processors)) if megabytes]  # 0 is all
    return min(limits, default=4 << 30) // max(1, _number([os.environ.get("LOCAL_WORLD_SIZE", "")]))


def _number(lines: list[str]) -> int:
    """The whole number of the first line, or 0 where there is none."""
    return int(lines[0]) if lines and lines[0].isdecimal() else 0


def read_lines(path: str | Path) -> list[str]:
    """The lines of a small text file of the system, none where it cannot be read."""
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
