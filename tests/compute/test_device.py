"""Devices and precision."""

import pytest
import torch

from cama.compute import device
from cama.compute.device import pick_device, pick_precision, resolved
from cama.core.errors import CamaError
from cama.settings.training import ComputeSpec


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


def test_what_auto_means_here_is_told(monkeypatch):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = resolved(ComputeSpec())
    assert found == {"device": "cpu", "precision": "bfloat16", "torch": f"torch {torch.__version__}"}
    assert resolved(ComputeSpec(precision="float32"))["precision"] == "float32"
