"""Devices and precision."""

import pytest
import torch

from cama import device
from cama.device import pick_device, pick_precision
from cama.errors import CamaError


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(CamaError, match="found no GPU"):
        pick_device("cuda")


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision_follows_the_processor_only_when_it_is_auto(monkeypatch, has, expected):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: has)
    cpu = torch.device("cpu")
    assert pick_precision("auto", cpu) == expected
    assert pick_precision("float32", cpu) == torch.float32
    assert pick_precision("bfloat16", cpu) == torch.bfloat16


def test_free_memory_is_what_is_left_or_what_slurm_gives(monkeypatch):
    assert 1 << 20 < device.free_memory() < 1 << 50
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3")
    assert device.free_memory() == 3 << 20
