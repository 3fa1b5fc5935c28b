"""Settings of all tests."""

import os
import sys
from pathlib import Path

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # one process a core: each computes with one thread, set before torch is imported
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")})

import pytest
import torch
from hypothesis import settings

from cama import plugins

# the same examples each time, and no failure because a machine is slow
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, help="how often each stage is killed in each way (default 2), and a whole run"
    )
    parser.addoption("--slurm", action="store_true", help="install and start a Slurm on this machine, as root")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders first whose files take longest, so that no process ends with one of them alone."""
    slow = ("workflow", "stages")
    items.sort(key=lambda item: slow.index(item.path.parent.name) if item.path.parent.name in slow else len(slow))


@pytest.fixture
def package(monkeypatch):
    """The sample package of `tests/plugin`, installed for one test; its module's file."""
    folder = Path(__file__).with_name("plugin")
    monkeypatch.syspath_prepend(folder)
    plugins.installed.cache_clear()
    yield folder / "cama_sample.py"
    plugins.installed.cache_clear()
    sys.modules.pop("cama_sample", None)


@pytest.fixture
def one_thread():
    """As most stages have by default; with more, sums round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
