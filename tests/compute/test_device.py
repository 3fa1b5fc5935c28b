"""Devices and precision."""

import pytest
import torch

from cama.compute import device
from cama.compute.device import Compute, pick_device, pick_precision, resolved, upload
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


def test_a_processor_compiles_no_network_and_keeps_its_weights_names():
    compute = Compute(ComputeSpec(device="cpu", compile_from=0))
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1))
    names = list(network.state_dict())
    assert compute.for_training(network, 10**6) is network
    compute.begin_step()
    assert not compute.compiled
    assert network._compiled_call_impl is None
    assert list(network.state_dict()) == names


def test_a_network_is_compiled_on_a_gpu_from_so_many_steps(monkeypatch):
    """Without a GPU: what would be compiled, not what it computes."""
    compute = Compute(ComputeSpec(device="cpu", compile_from=100))
    calls = []
    monkeypatch.setattr(compute, "device", torch.device("cuda"))
    monkeypatch.setattr(compute, "to_device", lambda module: module)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: calls.append(options))
    compute.for_training(torch.nn.Linear(1, 1), 99)
    assert not calls and not compute.compiled
    compute.for_training(torch.nn.Linear(1, 1), 100)
    assert calls == [{"mode": "reduce-overhead", "dynamic": False}] and compute.compiled


def test_an_upload_keeps_what_is_on_its_device():
    values = torch.arange(3)
    assert upload(values, torch.device("cpu")) is values
    assert upload(values, torch.device("meta")).device.type == "meta"
