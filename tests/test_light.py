"""A person with a photograph needs none of the large packages that research takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.judges.networks import write_judge
from tests.photo.helpers import camera_file, model_file

PROJECT = Path(__file__).parents[1]
LARGE = [
    "torch",
    "torchvision",
    "scipy",
    "skimage",
    "sklearn",
    "pandas",
    "h5py",
    "pywt",
    "matplotlib",
    "snakemake",
    "onnx",
]
LARGE += ["onnxscript", "colour", "colour_demosaicing", "requests", "lpips"]
WITHOUT = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {LARGE}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])
sys.meta_path.insert(0, Absent())
from cama.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(camera_file("Alcyon_A10", size=(128, 160)))
    return path


def run(*words: object) -> subprocess.CompletedProcess:
    """A command where none of the large packages is installed."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", WITHOUT, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_photograph_is_anonymized_and_inspected(photo, tmp_path):
    model = model_file(tmp_path, judges=True, psnr=38, refine=2)
    out = tmp_path / "out.jpg"
    done = run("anonymize", photo, "--model", model, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)["results"]
    assert record["target"] in ("Borealis_B2", "Corvus_C300")
    done = run("inspect", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["leaks"] == []
    assert "Jorunn Dahl" in run("inspect", photo).stdout
    assert run("models", "show", model).stdout.startswith("# cama")
    assert run("profile", photo, "--out", tmp_path / "p.json").returncode == 0
    assert run("models", "export", model, "--onnx", tmp_path / "g.onnx").returncode == 1  # its pictures are refined


def test_a_judge_is_asked(photo, tmp_path):
    done = run("judge", photo, "--judge", write_judge(tmp_path / "judge.yaml"), "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "package"), [(("--classifier", "e.safetensors"), "torch"), (("--reference", "b.jpg"), "scipy")]
)
def test_what_needs_more_says_what_to_install(words, package, photo):
    done = run("inspect", photo, *words)
    assert done.returncode == 1
    assert f"found no package {package}, expected it: pip install 'cama[workflow]'" in done.stderr
    assert done.stderr.count("\n") == 1
