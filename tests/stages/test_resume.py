"""What a training stage does before its first step: each input is opened and hashed once."""

import os
from collections import Counter
from pathlib import Path

import pytest

from cama.commands.main import main
from cama.models.estimator import save_estimator
from cama.settings.networks import ClassifierNetSpec
from cama.settings.stages import TrainClassifierSpec
from cama.settings.training import ClassifierSpec, TrainingSpec
from cama.stages import train_classifier
from cama.storage import hdf5
from tests.commands.helpers import write_patches
from tests.models.helpers import tiny_estimator


def counted(monkeypatch: pytest.MonkeyPatch, calls: Counter, owner: object, name: str) -> None:
    """Count the calls of a function by its name and the file that it is called for."""
    inner = getattr(owner, name)

    def counting(file: object, *more: object, **options: object) -> object:
        calls[name, Path(str(getattr(file, "filename", file))).name] += 1
        return inner(file, *more, **options)

    monkeypatch.setattr(owner, name, counting)


@pytest.mark.parametrize("memory", [1 << 30, 0], ids=["in memory", "streamed"])
def test_each_input_is_opened_and_hashed_once(memory, tmp_path, monkeypatch):
    paths = [tmp_path / name for name in ("a.h5", "b.h5")]
    for path in paths:
        write_patches(path)
    estimator = tmp_path / "e0.safetensors"
    save_estimator(estimator, tiny_estimator(), {})
    for path in (*paths, estimator):
        os.utime(path, (1e9, 1e9))  # as long ago as another job's results are
    calls: Counter = Counter()
    monkeypatch.setattr(train_classifier, "free_memory", lambda: memory)
    monkeypatch.setattr(hdf5, "_file_hashes", hdf5._PerFile(lambda path: hdf5.file_hash(path)))
    counted(monkeypatch, calls, hdf5.h5py, "File")
    counted(monkeypatch, calls, hdf5, "_hash_file")
    counted(monkeypatch, calls, hdf5, "file_hash")
    net = ClassifierNetSpec(frontend="prnu_lp", architecture="small", width=4)
    spec = TrainClassifierSpec(classifier=ClassifierSpec(net=net, training=TrainingSpec(steps=2, batch=4)))
    out = ("--out", tmp_path / "f.safetensors", "--curve", tmp_path / "c.csv", "--state", tmp_path / "state")
    call = ("--spec", spec.to_json(), "--patches", *paths, "--estimator", estimator, *out)
    assert main(["stage", "train-classifier", *map(str, call)]) == 0
    inputs = {key: count for key, count in calls.items() if key[1] in ("a.h5", "b.h5", "e0.safetensors")}
    assert inputs == {
        **{(name, path.name): 1 for name in ("File", "_hash_file") for path in paths},
        ("file_hash", estimator.name): 1,
    }
