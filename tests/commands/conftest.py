"""Commands leave the threads of the tests' process as they were."""

import pytest
import torch


@pytest.fixture(autouse=True)
def own_threads(monkeypatch):
    """`main` sets the threads of the process: put them back."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
