"""What a person installs: a wheel in an empty environment, small, and at work without a network."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.photo.helpers import camera_file, model_file
from tests.test_light import LARGE

PROJECT = Path(__file__).parents[1]
MOST = 250_000_000  # bytes of the environment
UV = shutil.which("uv")
pytestmark = pytest.mark.skipif(UV is None, reason="uv, which builds and installs the wheel, is not installed")


def run(*words: object, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*map(str, words)], env={**kept, **environment}, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def copied_by_docker(folder: Path) -> Path:
    """A folder with what packaging/Dockerfile copies into its own, from which it installs."""
    for line in (PROJECT / "packaging" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            *sources, goal = line.split()[1:]
            to = folder / Path(goal).relative_to("/source")
            for source in sources:
                if (PROJECT / source).is_dir():
                    shutil.copytree(PROJECT / source, to)
                else:
                    to.mkdir(exist_ok=True)
                    shutil.copy(PROJECT / source, to)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """An environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, copied_by_docker(folder / "source"))
    (wheel,) = folder.glob("*.whl")
    run(UV, "venv", "--quiet", folder / "env")
    run(UV, "pip", "install", "--quiet", "--python", folder / "env", wheel)
    return folder / "env"


def test_it_is_small_and_brings_none_of_the_large_packages(installed):
    files = [path for path in installed.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST
    (packages,) = installed.glob("lib/python*/site-packages")
    assert {path.name for path in packages.iterdir()}.isdisjoint(LARGE)
    assert {path.name for path in (packages / "cama" / "app").iterdir()} >= {"static", "templates", "texts"}


def test_a_photograph_is_anonymized_without_a_network(installed, tmp_path):
    model = model_file(tmp_path, judges=True, psnr=38, refine=2)
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo.write_bytes(camera_file("Alcyon_A10", size=(128, 160)))
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    cama = installed / "bin" / "cama"
    done = run(cama, "anonymize", photo, "--model", model, "--out", out, "--json", **nowhere)
    assert json.loads(done.stdout)["results"][0]["error"] is None
    assert json.loads(run(cama, "inspect", out, "--json", **nowhere).stdout)["results"][0]["leaks"] == []
    assert "--no-browser" in run(cama, "app", "--help", **nowhere).stdout
