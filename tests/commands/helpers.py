"""What tests of the command line share: patch files, calls, and their refusals."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from cama.commands.main import main
from cama.storage.hdf5 import write_hdf5

PROJECT = Path(__file__).parents[2]
LABELS = ("Alcyon_A10", "Borealis_B2")


def cama(*arguments: object) -> subprocess.CompletedProcess:
    """Call `python -m cama` as a process of its own."""
    command = [sys.executable, "-m", "cama", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)


def write_patches(path: Path, labels: tuple[str, ...] = LABELS, side: int = 32) -> Path:
    """A patch file as the stage `patches` writes it: six random patches a label."""
    rng = np.random.default_rng(0)
    count = 6 * len(labels)
    rgb = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    with write_hdf5(path) as file:
        values = {"rgb": rgb, "remosaic": rgb // 2, "residual": rng.normal(0, 2, rgb.shape).astype(np.float16)}
        values |= {"label": np.arange(count) % len(labels), "validation": np.zeros(count, bool)}
        for name, value in {**values, "origin": np.zeros((count, 2), int), "device": np.zeros(count, int)}.items():
            file.write_values(name, value)
        for name in ("photograph", "scene"):
            file.write_texts(name, [f"{name}{i}" for i in range(count)])
        file.write_attribute("labels", labels)
    return path


def refusal(capsys, *arguments: object) -> str:
    """The one line on stderr of a call that ends with status 1."""
    assert main([str(argument) for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert err.startswith(f"cama {' '.join(map(str, arguments[: 1 + (arguments[0] == 'stage')]))}: ")
    return err.strip()
