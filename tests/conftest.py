"""Settings of all tests."""

import pytest
import torch
from hypothesis import settings

# the same examples each time, and no failure because a machine is slow
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, help="how often each stage is killed in each way (default 2), and a whole run"
    )
    parser.addoption("--slurm", action="store_true", help="install and start a Slurm on this machine, as root")


@pytest.fixture
def one_thread():
    """As most stages have by default; with more, sums round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
