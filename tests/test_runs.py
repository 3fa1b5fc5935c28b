"""What every run needs: seeds, atomic files, model files, hashes, devices, progress."""

import hashlib

import h5py
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cama import runs
from cama.errors import CamaError
from cama.files import atomic, content_hash
from cama.progress import Progress
from cama.runs import pick_device, pick_precision, read_header, read_model, save_model
from cama.seeds import derive_seed

# ---- atomic files


def test_an_atomic_file_stands_under_its_name_only_when_complete(tmp_path):
    path = tmp_path / "deep" / "file.csv"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["file.csv"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing_behind_and_the_old_file_as_it_was(tmp_path, error):
    path = tmp_path / "file.csv"
    for before in (None, "old"):
        if before:
            path.write_text(before)
        with pytest.raises(error), atomic(path) as temporary:
            temporary.write_text("half")
            raise error
        assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])


def test_an_atomic_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        runs.write_text(path, text)
    assert path.read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 1


# ---- hashes


def test_the_hash_of_a_file_is_sha256(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert content_hash(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_hash_of_an_hdf5_file_is_the_one_that_it_carries(tmp_path):
    with_hash, without = tmp_path / "a.h5", tmp_path / "b.h5"
    for path in (with_hash, without):
        with h5py.File(path, "w") as file:
            file["x"] = [1, 2]
            if path is with_hash:
                file.attrs["sha256"] = "f00d"
    assert content_hash(with_hash) == "f00d"
    assert content_hash(without) == hashlib.sha256(without.read_bytes()).hexdigest()


# ---- model files


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)


def test_a_model_file_holds_weights_buffers_and_header(tmp_path):
    net, path = network(), tmp_path / "m.safetensors"
    net(torch.rand(2, 3, 8, 8))
    save_model(path, net, {"kind": "toy", "labels": ["a", "é"]})
    state, header = read_model(path, "toy")
    assert header == read_header(path) == {"kind": "toy", "labels": ["a", "é"]}
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())
    assert state["1.running_mean"].abs().max() > 0


def test_the_same_model_gives_the_same_bytes(tmp_path):
    torch.manual_seed(0)
    net = network()
    for name in ("a", "b"):
        save_model(tmp_path / name, net, {"kind": "toy", "b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def zeros(path):
    path.write_bytes(bytes(4096))


def foreign(path):
    save_file({"a": torch.ones(1)}, path)


def no_json(path):
    save_file({"a": torch.ones(1)}, path, metadata={"cama": "{"})


@pytest.mark.parametrize("damage", [cut, zeros, foreign, no_json, lambda path: path.unlink()])
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
    with pytest.raises(CamaError, match=r"0\.weight") as error:
        runs.load_weights(nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(4)), state, path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


# ---- seeds, device, precision


def test_seeds_differ_by_every_name_and_fit_a_signed_integer():
    uses = [(1,), (2,), (1, "a"), (1, "b"), (1, "a", "b"), (1, "ab"), (1, "b", "a"), (1, "a", 1)]
    seeds = {derive_seed(*use) for use in uses}
    assert len(seeds) == len(uses)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "a") == derive_seed(1, "a")
    assert derive_seed(1, 3) == derive_seed(1, "3")


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(CamaError, match="found no GPU"):
        pick_device("cuda")


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision_follows_the_processor_only_when_it_is_auto(monkeypatch, has, expected):
    monkeypatch.setattr(runs, "_cpu_has_bfloat16", lambda: has)
    cpu = torch.device("cpu")
    assert pick_precision("auto", cpu) == expected
    assert pick_precision("float32", cpu) == torch.float32
    assert pick_precision("bfloat16", cpu) == torch.bfloat16


# ---- progress


def test_progress_is_seldom_and_always_tells_the_end(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 12.0, 13.0, 14.0])
    monkeypatch.setattr(runs.time, "monotonic", lambda: next(clock))
    progress = Progress("E0", 40, every_s=10)
    for done in (1, 20, 21, 40):  # after 1, 12, 13 and 14 seconds
        progress.at(done, "loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["E0: 20/40, 1.67/s, 12 s left, loss 0.5", "E0: 40/40, 2.86/s, 0 s left, loss 0.5"]


def test_progress_of_a_resumed_run_does_not_count_what_was_done_before(capsys, monkeypatch):
    clock = iter([0.0, 20.0])
    monkeypatch.setattr(runs.time, "monotonic", lambda: next(clock))
    Progress("G", 100, done=60, every_s=10).at(80)
    assert capsys.readouterr().err == "G: 80/100, 1/s, 20 s left\n"
