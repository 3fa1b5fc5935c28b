"""Settings of all tests."""

import pytest
from hypothesis import settings

# the same examples each time, and no failure because a machine is slow
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often each stage is killed in each way (default 2)")
    parser.addoption("--slurm", action="store_true", help="install and start a Slurm on this machine, as root")
