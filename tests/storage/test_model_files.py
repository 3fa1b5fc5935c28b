"""Model files: what they hold, and that damage is seen."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cama.core.errors import CamaError
from cama.storage.model_files import read_header, read_model, save_tensors
from cama.storage.weights import load_weights, save_model


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)


def test_a_model_file_holds_weights_buffers_and_header(tmp_path):
    net, path = network(), tmp_path / "m.safetensors"
    net(torch.rand(2, 3, 8, 8))
    save_model(path, net, {"kind": "toy", "labels": ["a", "é"]})
    state, header = read_model(path, "toy")
    assert header == read_header(path) == {"kind": "toy", "labels": ["a", "é"]}
    assert state.keys() == net.state_dict().keys()
    assert all(np.array_equal(value, net.state_dict()[key].numpy()) for key, value in state.items())
    assert np.abs(state["1.running_mean"]).max() > 0


def test_the_same_model_gives_the_same_bytes(tmp_path):
    torch.manual_seed(0)
    net = network()
    for name in "abcdefgh":
        save_model(tmp_path / name, net, {"kind": "toy", "b": 1, "a": 2})
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("labels", [5, "ab", ["a", 1], {"a": 1}])
def test_labels_are_a_list_of_names(labels, tmp_path):
    save_model(tmp_path / "m.safetensors", network(), {"kind": "toy", "labels": labels})
    with pytest.raises(CamaError, match="found labels that are no list of names"):
        read_model(tmp_path / "m.safetensors", "toy")


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def zeros(path):
    path.write_bytes(bytes(4096))


def foreign(path):
    save_file({"a": torch.ones(1)}, path)


def no_json(path):
    save_file({"a": torch.ones(1)}, path, metadata={"cama": "{"})


def no_hash(path):
    save_file({"a": torch.ones(1)}, path, metadata={"cama": '{"header": {"kind": "toy"}}'})


def wrong_hash(path):
    save_file({"a": torch.ones(1)}, path, metadata={"cama": '{"header": {"kind": "toy"}, "sha256": "0"}'})


def deep(path):
    save_file({"a": torch.ones(1)}, path, metadata={"cama": "[" * 100_000})


@pytest.mark.parametrize(
    "damage", [cut, zeros, foreign, no_json, no_hash, wrong_hash, deep, lambda path: path.unlink()]
)
@pytest.mark.parametrize("read", [read_header, lambda path: read_model(path, "toy")])
def test_a_damaged_model_file_is_one_line_that_names_it(tmp_path, damage, read):
    path = tmp_path / "m.safetensors"
    save_model(path, network(), {"kind": "toy"})
    damage(path)
    with pytest.raises(CamaError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_that_do_not_fit_are_one_line_that_names_the_first_misfit(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, network(), {"kind": "toy"})
    state, _ = read_model(path, "toy")
    with pytest.raises(CamaError, match=r"0\.bias: found \[4\], expected \[5\]") as error:
        load_weights(lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(4)), state, path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_header_of_a_network_that_no_machine_holds_is_refused_before_it_is_built(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, network(), {"kind": "toy"})
    state, _ = read_model(path, "toy")
    with pytest.raises(CamaError, match=r"0\.bias: found \[\d+\], expected \[1000000\]"):
        load_weights(lambda: nn.Sequential(nn.Conv2d(1_000_000, 1_000_000, 3)), state, path)  # 36 TB


def test_a_pickle_is_no_model_file_and_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "m.safetensors"
    for write in (lambda: torch.save({"a": Bomb()}, path), lambda: path.write_bytes(pickle.dumps(Bomb()))):
        write()
        with pytest.raises(CamaError, match="not a model file of this project"):
            read_model(path, "toy")
    assert not (tmp_path / "exploded").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "exploded").exists()  # it would have


def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, network(), {"kind": "toy"})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(CamaError, match=r"m\.safetensors"):
            read_model(path, "toy")


@pytest.mark.parametrize("kind", [np.bool, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_tensors_of_every_kind_and_shape_are_hashed(tmp_path, kind):
    path = tmp_path / "m.safetensors"
    tensors = {"scalar": np.ones((), dtype=kind), "none": np.ones((0, 2), dtype=kind)}
    save_tensors(path, {**tensors, "turned": np.ones((2, 3), dtype=kind).T}, {"kind": "toy"})
    found, _ = read_model(path, "toy")
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "scalar": (),
        "none": (0, 2),
        "turned": (3, 2),
    }
