"""`cama paper-scale`: a config's networks within minutes, part after part."""

import json
import time

import pandas as pd
import pytest
import torch

from cama.commands import paper_scale, speed
from cama.commands.paper_scale import PaperScale, summarise
from cama.core.errors import CamaError
from cama.settings.loading import load_config
from cama.settings.stages import TrainEstimatorSpec
from tests.commands.helpers import PROJECT, refusal

NET = "{features: 4, downsamplings: 0, blocks: 1, kernel: 3}"
TINY = f"""
models: {{in_distribution: [Alcyon_A10, Borealis_B2], out_of_distribution: [Eridan_E7]}}
simulation: {{width: 160, height: 160, photographs: 3, photographs_outdist: 2}}
patches: {{crop: 128, margin: 0}}
adversary:
  estimator: {{net: {NET}, training: {{steps: 3, batch: 8}}}}
  evaluators:
    high: &classifier {{net: {{frontend: prnu_lp, width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
    low: {{net: {{frontend: prnu_lp_low, width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
    held_out: {{net: {{width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
  generators:
    cama:
      generator: {NET}
      discriminators: [{{frontend: con_conv, kind: patch, features: 4, layers: 1}}]
      judges: [held_out]
      encode: true
      training: {{steps: 6, batch: 8}}
examiner:
  estimator: {{net: {NET}, training: {{steps: 3, batch: 8}}}}
  classifiers:
    rgb: {{net: {{width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
    con_conv: {{net: {{width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
    finite_difference: {{net: {{width: 4, architecture: small, frontend: finite_difference}}, training: {{steps: 3, batch: 8}}}}
    prnu_lp: {{net: {{width: 4, architecture: small}}, training: {{steps: 3, batch: 8}}}}
    mislnet: null
    cooccurrences: null
attack: {{methods: {{spectrum: null}}}}
"""
PARTS = ["speed product", "speed generator", "speed classifier", "speed classifier compiled", "photographs", "scale"]
PARTS += ["training E0 adversary", "training E0 examiner", "training evaluator high", "training evaluator low"]
PARTS += ["training evaluator held_out"]
PARTS += [f"training classifier {name}" for name in ("finite_difference", "prnu_lp", "rgb", "con_conv")]
PARTS += [
    "training generator cama",
    "scores identity",
    "scores cama",
    "scores oracle",
    "speed estimator",
    "speed forward",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    overlay = tmp_path_factory.mktemp("config") / "tiny.yaml"
    overlay.write_text(TINY)
    return load_config(PROJECT / "config.yaml", overlay)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(speed, "MEASURED", ())
    monkeypatch.setattr(speed, "MEASURED_S", 0.01)
    monkeypatch.setattr(speed, "WARM_STEPS", 1)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def finished(config, out):
    """A run that is stopped by its time after the trainings of E0, and goes on."""
    if not (out / "paper-scale.json").exists():
        stopped = PaperScale(config, out, 60, time.monotonic())
        stopped.part("speed product", lambda: {"tflops": 123.0})  # kept, so it is not measured again
        stopped.deadline = 0
        with pytest.raises(
            CamaError, match=r"speed generator: found no time left, .* call the same command again to go on"
        ):
            stopped.run()
        PaperScale(config, out, 60, time.monotonic()).run()
    return json.loads((out / "paper-scale.json").read_text())


def test_a_run_goes_on_from_its_finished_parts_to_the_last(finished):
    assert list(finished["parts"]) == PARTS
    assert finished["parts"]["speed product"]["result"] == {"tflops": 123.0}
    assert finished["parts"]["scale"]["result"] == 1  # an hour is enough for all steps
    assert finished["machine"]["device"] == "cpu"
    assert finished["parts"]["speed generator"]["result"]["kernels"] is None


def test_rates_and_operations_agree(finished):
    for name in ("generator", "classifier", "estimator"):
        step = finished["parts"][f"speed {name}"]["result"]
        assert step["patches_per_s"] == pytest.approx(step["batch"] / step["step_ms"] * 1e3, rel=0.01)


def test_scores_are_of_the_pictures_as_delivered(finished, out):
    rows = pd.read_csv(out / "rows" / "cama.csv")
    assert set(rows.save) == {"png", "delivered"}
    assert (rows.source != rows.target).all()
    for row in finished["parts"]["scores cama"]["result"]:
        chosen = rows[(rows.set == row["set"]) & (rows.save == row["save"])]
        assert row["targeted"][0] == pytest.approx((chosen.predicted == chosen.target).mean(), abs=1e-4)
        assert row["pictures"] == chosen.groupby(["photograph", "target"]).ngroups
    levels = rows.groupby("save").psnr.mean()
    assert levels["delivered"] < levels["png"]  # a JPEG save costs some


def test_the_oracle_is_delivered_as_it_is_and_the_untouched_picture_is_not_saved_for_a_target(finished):
    assert {row["save"] for row in finished["parts"]["scores identity"]["result"]} == {"png"}
    oracle = finished["parts"]["scores oracle"]["result"]
    assert {row["save"] for row in oracle} == {"png", "delivered"}
    assert len({(row["set"], row["psnr"], row["psnr_p05"], *row["targeted"]) for row in oracle}) == len(oracle) / 2


def test_no_rate_is_told_of_cameras_that_no_classifier_knows(finished):
    for row in finished["parts"]["scores cama"]["result"]:
        assert (row["untargeted"] is None) == (row["accuracy"] == {}) == (row["set"] == "out")


def test_roles_that_share_a_device_are_refused(config, tmp_path):
    shared = config.split.in_distribution.model_copy(update={"examiner": config.split.in_distribution.adversary})
    split = config.split.model_copy(update={"in_distribution": shared})
    run = PaperScale(config.model_copy(update={"split": split}), tmp_path, None, time.monotonic())
    with pytest.raises(CamaError, match=r"stage check-split: .* split: "):
        run._make_data()


@pytest.mark.parametrize(
    ("classifiers", "methods", "expected"),
    [
        ({"labels": "expanded"}, True, "examiner.classifiers: found `expanded` ones, expected none"),
        (
            {"frontend": "prnu_lp"},
            True,
            "examiner.classifiers.prnu_lp: found one without a network or with an estimator",
        ),
        ({}, False, "attack.methods: found no `learned` one, expected one"),
    ],
)
def test_what_it_cannot_do_is_refused_before_the_work(classifiers, methods, expected, config, tmp_path):
    name, spec = next(iter(config.examiner.classifiers.items()))
    net = spec.net.model_copy(update={key: value for key, value in classifiers.items() if key == "frontend"})
    labels = {key: value for key, value in classifiers.items() if key == "labels"}
    first = {"prnu_lp" if "frontend" in classifiers else name: spec.model_copy(update={"net": net, **labels})}
    examiner = config.examiner.model_copy(update={"classifiers": first})
    kept = {one: method for one, method in config.attack.methods.items() if methods or method.kind != "learned"}
    attack = config.attack.model_copy(update={"methods": kept})
    with pytest.raises(CamaError, match=f"^config: {expected}"):
        PaperScale(config.model_copy(update={"examiner": examiner, "attack": attack}), tmp_path, None, time.monotonic())


def test_a_finished_run_does_nothing_again(finished, config, out):
    begun = time.monotonic()
    assert PaperScale(config, out, None, begun).run() == finished
    assert time.monotonic() - begun < 5


def test_parts_of_other_settings_are_refused(finished, config, out):
    with pytest.raises(
        CamaError, match=r"paper-scale\.json: found parts of other settings, expected those of this config"
    ):
        PaperScale(config.model_copy(update={"seed": 2}), out, None, time.monotonic())


def test_little_time_shortens_all_trainings_alike(finished, config, out, monkeypatch):
    run = PaperScale(config, out, 60, time.monotonic())
    monkeypatch.setattr(run, "_left", lambda: paper_scale.END_S + 100)
    run.result["parts"]["speed generator"]["result"]["first_step_s"] = 40.0
    monkeypatch.setattr(speed.Speeds, "training_s", lambda self, parts: 510.0)
    assert run._scale() == pytest.approx(0.85 * (100 - 40) / 510)
    spec = TrainEstimatorSpec(estimator=config.adversary.estimator)
    steps = [paper_scale._shortened(spec, "estimator", scale).estimator.training.steps for scale in (1, 2 / 3, 0)]
    assert steps == [3, 2, 1]


def test_without_a_gpu_asking_for_one_is_one_line(capsys, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    arguments = ["paper-scale", PROJECT / "config.yaml", "--out", tmp_path / "x", "--device", "cuda"]
    assert "device: found no GPU, expected one" in refusal(capsys, *arguments)
    assert "--minutes: found 0, expected more than 0" in refusal(capsys, *arguments, "--minutes", "0")


def test_a_summary_by_hand():
    rows = pd.DataFrame(
        [
            ("in", "png", "rgb", "a", "X", "Y", "Y", 40.0),
            ("in", "png", "rgb", "b", "X", "Y", "X", 30.0),
            ("in", "png", "other", "a", "X", "Y", "Z", 40.0),
            ("in", "png", "other", "b", "X", "Y", "Z", 30.0),
        ],
        columns=["set", "save", "classifier", "photograph", "source", "target", "predicted", "psnr"],
    )
    (row,) = summarise(rows, 1)
    assert row["targeted"][0] == 0.25
    assert row["untargeted"] == 0.75
    assert row["by_classifier"] == {"other": 0.0, "rgb": 0.5}
    assert row["accuracy"] == {"other": 0.0, "rgb": 0.5}
    assert (row["psnr"], row["pictures"]) == (35.0, 2)
    (row,) = summarise(rows.assign(set="out"), 1)
    assert (row["targeted"][0], row["untargeted"], row["accuracy"]) == (0.25, None, {})
