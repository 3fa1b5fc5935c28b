"""Slow processes that start at once."""

import atexit
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.warm.start.sitecustomize import SERVER

PROJECT = Path(__file__).parents[2]


@functools.cache
def server() -> str:
    """The path of the socket of a server, started by the first call, that ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="cama-")
    path = f"{folder.name}/socket"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.warm.server", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=PROJECT)

    @atexit.register
    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    assert process.stdout.readline() == "ready\n"
    return path


def environment() -> dict[str, str]:
    """The variables of this process, and what makes the modules that are `SLOW` start in a server."""
    path = [str(Path(__file__).parent / "start"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), SERVER: server()}


def keep_operations() -> None:
    """Make torch's exporter keep its table of ONNX operations, which it makes anew, in a second, for each network."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
