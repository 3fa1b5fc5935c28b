"""`cama bench`: rows that can be run alone, their figures beside the original's and the limit, and the file of them."""

import json

import pytest
import torch

from cama.commands import bench
from cama.commands.main import main
from cama.settings.spec import Spec


@pytest.fixture(autouse=True)
def _always(one_thread):
    pass


def test_a_row_alone_is_measured_and_written_with_its_settings(tmp_path, capsys):
    out = tmp_path / "bench.json"
    assert main(["bench", "residual", "--precision", "float32", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    found = json.loads(out.read_text())
    (row,) = found["rows"]
    assert (row["name"], row["unit"], row["original"], row["threads"]) == ("residual", "s", 0.235, 1)
    assert 0.001 < row["figure"] < 60
    assert row["share"] is None
    assert found["machine"]["precision"] == "float32"
    assert found["machine"]["torch"] == torch.__version__
    assert f"{found['machine']['tflops']:.2f} TFLOP/s in a large product" in said
    assert "(original 0.235; threads: 1)" in said
    assert set(row) == {"name", "about", "unit", "original", "figure", "share", "threads"}


def test_training_patches_are_counted_one_by_one(monkeypatch):
    """A batch that takes a second is as many patches a second."""
    monkeypatch.setattr(bench, "_median_s", lambda load: (load(), 1.0)[1])
    assert bench._loading(("rgb",), 8)(bench.ComputeSpec(device="cpu")) == 20 * 8


def test_a_trainings_rate_is_without_its_beginning_and_of_a_second_at_least(monkeypatch):
    """It takes five seconds to begin; steps take 0.1, of which four are too few."""
    now, steps = [0.0], []

    def train(count, _):
        steps.append(count)
        now[0] += 5 + 0.1 * (count - 1)

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    assert bench._per_second(train, 32, 4) == pytest.approx(32 / 0.1)
    assert steps == [1, 1, 5, 17]  # the first is not counted


@pytest.mark.parametrize(("original", "expected"), [(1, "(original 1; 25% of"), (None, "(25% of")])
def test_a_networks_figure_stands_beside_the_rate_of_a_product(original, expected, monkeypatch):
    settings = bench.ComputeSpec(device="cpu", precision="float32")
    row = bench.Row("a network", "pictures/s", {settings: 8.0}.__getitem__, original, lambda: 1e9)
    monkeypatch.setattr(bench, "ROWS", {"net": row})
    monkeypatch.setattr(bench, "product_rate", lambda _: 32e9)
    result = bench.bench(["net"], settings)
    assert result["rows"][0]["share"] == 0.25
    assert result["rows"][0]["original"] == original
    assert f"a network {expected} a product's rate; threads: " in bench.as_text(result)


@pytest.mark.parametrize(
    ("measure", "train", "batch"),
    [(bench._generator_steps, "train_generator", 32), (bench._classifier_steps, "train_classifier", 128)],
)
def test_a_training_is_measured_with_the_settings_of_the_call(measure, train, batch, monkeypatch):
    calls = []
    monkeypatch.setattr(bench, train, lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(bench, "_per_second", lambda train, batch, steps: (train(7, None), batch)[1])
    assert measure(bench.ComputeSpec(device="cpu", precision="bfloat16")) == batch
    (arguments,) = calls
    (compute,) = [argument for argument in arguments if isinstance(argument, bench.Compute)]
    (spec,) = [argument for argument in arguments if isinstance(argument, Spec)]
    assert (compute.dtype, spec.training.steps, spec.training.batch) == (torch.bfloat16, 7, batch)


@pytest.mark.parametrize("name", ["generator", "classifier", "forward"])
def test_the_networks_operations_are_counted(name):
    assert 1e8 < bench.ROWS[name].operations() < 1e12


def test_an_unknown_row_is_one_line_that_names_the_known(capsys):
    assert main(["bench", "none"]) == 1
    assert "found 'none', expected one of residual, patches" in capsys.readouterr().err
