"""What the rules tell Snakemake of any job: its resources, and its files as options of its stage."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError

MOST_MB = 64_000  # above this, trainings read their patches from disk as they need them


def named(key: str, paths: Iterable[Path]) -> list[str]:
    """Paths as inputs of a rule."""
    names = [str(path) for path in paths]
    for name in names:
        if re.search("[{}]|<[a-z][a-z0-9_]*>", name):
            raise CamaError(
                f"config: {key}: found the name {name!r}, expected one without the braces or <...> that Snakemake reads"
            )
    return names


def resources(
    runtime: int, mem_mb: int = 1000, share: float = 0, processes: Callable[[Any], int] = lambda wildcards: 1
) -> dict[str, Callable[..., int]]:
    """Minutes and megabytes of a job for Snakemake, more with each attempt.

    Memory is `mem_mb` and a share of the size of the input files, up to `MOST_MB`, for each process.
    """

    def megabytes(wildcards: Any, input: Any, attempt: int) -> int:
        files = share * input.size_mb if share else 0
        return attempt * processes(wildcards) * int(min(mem_mb + files, MOST_MB))

    return {"mem_mb": megabytes, "runtime": lambda wildcards, attempt: attempt * runtime}


def options(*folders: str) -> Callable[..., list[str]]:
    """A function for `params`: the named inputs and outputs of a job as options of its stage. Those named in `folders` are
    given as the folder of their files. Unnamed files, such as those of the code, are no options.
    """

    def words(wildcards: Any, input: Any, output: Any) -> list[str]:
        given = []
        for name, files in (*input.items(), *output.items()):
            paths = [files] if isinstance(files, str) else list(files)
            if name in folders:
                paths = [os.path.dirname(path) for path in paths[:1]]
            given += [f"--{name.replace('_', '-')}", *paths] if paths else []
        return given

    return words
