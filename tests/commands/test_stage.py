"""Stages by the command line: what is declared of them, what they refuse in one line, and trainings in small."""

import importlib
import inspect
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cama.commands.main import main
from cama.commands.stage import STAGES, Input, Output, Stage, State, run_stage
from cama.models.classifiers import load_classifier, save_classifier
from cama.models.generator import load_generator
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.spec import parse_json
from cama.settings.stages import TrainClassifierSpec, TrainEstimatorSpec, TrainGeneratorSpec
from cama.settings.training import ClassifierSpec, ComputeSpec, EstimatorSpec, LearnedSpec, TrainingSpec
from cama.storage.hdf5 import content_hash
from cama.storage.model_files import read_header
from tests.commands.helpers import LABELS, PROJECT, cama, refusal, write_patches
from tests.models.helpers import net_spec, tiny_classifier

# ---- what is declared


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_function_that_takes_its_paths(name):
    stage = STAGES[name]
    parameters = inspect.signature(getattr(importlib.import_module(stage.module), stage.function)).parameters
    expected = {"spec": stage.spec}
    for path in stage.paths:
        kind = list[Path] if path.many else Path
        expected[path.parameter] = kind | None if path.optional else kind
    assert {parameter.name: parameter.annotation for parameter in parameters.values()} == expected


@pytest.mark.parametrize("name", STAGES)
def test_the_settings_of_every_example_are_those_of_the_stage(name):
    stage = STAGES[name]
    required = any(field.is_required() for field in stage.spec.model_fields.values())
    assert bool(stage.example) == required
    assert type(parse_json(stage.spec, stage.example or "{}")) is stage.spec


def test_a_stage_is_given_its_paths_and_its_outputs_alone_are_recorded(tmp_path, monkeypatch):
    calls = []
    stage = Stage(
        "fake",
        TrainEstimatorSpec,
        "do nothing",
        (Input("one", "a"), Input("random-test", "b", many=True, optional=True), Output("out", "c"), State()),
    )
    module = SimpleNamespace(fake=lambda spec, **paths: calls.append((type(spec), paths)))
    monkeypatch.setitem(STAGES, "fake", stage)
    monkeypatch.setitem(sys.modules, "cama.stages.fake", module)
    monkeypatch.setattr("cama.workflow.provenance.code_digest", lambda module: module)
    one, out, state = tmp_path / "one", tmp_path / "out", tmp_path / "state"
    one.write_text("input")
    out.write_text("output")
    options = Namespace(spec="{}", threads=1, one=one, random_test=None, out=out, state=state)
    run_stage("fake", options)
    assert calls == [(TrainEstimatorSpec, {"one": one, "random_test": None, "out": out, "state": state})]
    record = json.loads((tmp_path / "out.provenance.json").read_text())
    assert (record["stage"], record["threads"], record["code"]) == ("fake", 1, "cama.stages.fake")
    assert (list(record["inputs"]), list(record["outputs"])) == (["one"], ["out"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "out", "out.provenance.json"]


@pytest.mark.parametrize(("rank", "expected"), [("0", ["recorded", "finished"]), ("1", [])])
def test_of_several_processes_the_first_alone_records_and_then_finishes(rank, expected, monkeypatch):
    order = []
    state = SimpleNamespace(finish=lambda: order.append("finished"))
    monkeypatch.setitem(STAGES, "fake", Stage("fake", TrainEstimatorSpec, "do nothing", (Output("out", "c"),)))
    monkeypatch.setitem(sys.modules, "cama.stages.fake", SimpleNamespace(fake=lambda spec, out: state))
    monkeypatch.setattr("cama.workflow.provenance.begin_record", lambda *_: None)
    monkeypatch.setattr("cama.workflow.provenance.write_records", lambda *_: order.append("recorded"))
    monkeypatch.setenv("RANK", rank)
    run_stage("fake", Namespace(spec="{}", threads=1, out=Path("out")))
    assert order == expected


# ---- what it refuses


def train_classifier(folder: Path, *more: object) -> list[object]:
    """Arguments of `train-classifier` that write to `folder`/out."""
    out = folder / "out"
    paths = ("--out", out / "f.safetensors", "--curve", out / "f.csv", "--state", out / "state")
    return ["stage", "train-classifier", *paths, *more]


def nothing_written(folder: Path) -> bool:
    """Whether the folder holds no file, but for the identity and the lock of an undeclared state."""
    return not [p for p in (folder / "out").rglob("*") if p.is_file() and p.name not in ("identity.json", "lock")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"sed": 1}', "unknown key 'sed', the nearest known key is 'seed'"),
        (
            '{"classifier": {"net": {"widht": 1}}}',
            "unknown key 'classifier.net.widht', the nearest known key is 'width'",
        ),
        ('{"classifier": {"training": {"steps": 0}}}', "classifier.training.steps: Input should be greater than"),
        ('{"compute": {"device": "tpu"}}', "found 'tpu'"),
    ],
)
def test_faulty_settings_are_one_line_and_nothing_is_written(text, expected, tmp_path, capsys):
    patches = write_patches(tmp_path / "p.h5")
    message = refusal(capsys, *train_classifier(tmp_path, "--patches", patches, "--spec", text))
    assert "--spec" in message
    assert expected in message
    assert nothing_written(tmp_path)


def test_a_refusal_is_one_line_and_status_1_for_the_shell_too(tmp_path):
    done = cama(*train_classifier(tmp_path, "--patches", tmp_path / "p.h5", "--spec", "{"))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert nothing_written(tmp_path)


def test_a_generator_is_trained_with_the_threads_of_its_spec(tmp_path, capsys):
    spec = TrainGeneratorSpec(threads=2).to_json()
    said = refusal(capsys, *train_generator(tmp_path, tmp_path / "gone.h5"), "--spec", spec)
    assert said.endswith("--threads: found 1 a process, expected 2 as in the spec: results depend on it")


@pytest.mark.parametrize("threads", [0, -2])
def test_less_than_one_thread_is_refused(threads, tmp_path, capsys):
    patches = write_patches(tmp_path / "p.h5")
    message = refusal(capsys, *train_classifier(tmp_path, "--patches", patches, "--threads", threads))
    assert f"--threads: found {threads}, expected 1 to" in message
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["stage", "train-estimator", "--patches", "GONE", "--out", "OUT/e", "--curve", "OUT/c", "--state", "OUT/s"],
        ["stage", "train-classifier", "--patches", "GONE", "--out", "OUT/e", "--curve", "OUT/c", "--state", "OUT/s"],
        [
            *("stage", "train-generator", "--patches", "GONE", "--evaluators", "OUT/h", "OUT/l", "--out", "OUT/g"),
            *("--discriminators", "OUT/d", "--curve", "OUT/c", "--state", "OUT/s"),
        ],
        [
            *("stage", "manifest", "--spec", '{"models": ["A_1"]}', "--photographs", "GONE", "--root", "ROOT"),
            *("--out", "OUT/m.csv", "--broken", "OUT/b.csv"),
        ],
        [
            "stage",
            "split",
            "--spec",
            '{"models": {"in_distribution": ["A_1", "B_2"]}}',
            "--manifest",
            "GONE",
            "--out",
            "OUT/s",
        ],
        [
            *(
                "stage",
                "patches",
                "--spec",
                '{"role": "test", "labels": ["A_1"]}',
                "--splits",
                "GONE",
                "--root",
                "ROOT",
            ),
            *("--out", "OUT/p.h5"),
        ],
        [
            *(
                "stage",
                "attack",
                "--spec",
                '{"targets": ["A_1"]}',
                "--inside",
                "GONE",
                "--outside",
                "GONE",
                "--out",
                "OUT/a.h5",
            ),
        ],
        [
            *(
                "stage",
                "evaluate",
                "--attacked",
                "GONE",
                "--inside",
                "OUT/i",
                "--outside",
                "OUT/o",
                "--classifiers",
                "OUT/f",
            ),
            *("--out", "OUT/rows.csv"),
        ],
        ["stage", "tables", "--rows", "GONE", "--readers", "GONE", "--out", "OUT/tables"],
        ["reference", "--photographs", "GONE", "--out", "OUT/r.json"],
    ],
    ids=lambda arguments: arguments[arguments[0] == "stage"],
)
def test_a_missing_input_is_named_in_one_line_and_nothing_is_written(arguments, tmp_path, capsys):
    places = {"GONE": str(tmp_path / "gone.h5"), "ROOT": str(tmp_path), "OUT": str(tmp_path / "out")}
    for word, place in places.items():
        arguments = [argument.replace(word, place) for argument in arguments]
    assert places["GONE"] in refusal(capsys, *arguments)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("stage", ["train-classifier", "evaluate"])
def test_a_damaged_hdf5_input_is_named_in_one_line(stage, tmp_path, capsys):
    damaged, out = tmp_path / "damaged.h5", tmp_path / "out"
    damaged.write_text("not HDF5")
    patches = write_patches(tmp_path / "p.h5")
    if stage == "train-classifier":
        arguments = train_classifier(tmp_path, "--patches", damaged)
    else:
        classifier = tmp_path / "f.safetensors"
        save_classifier(classifier, tiny_classifier("rgb", 2), net_spec("rgb"), LABELS, {})
        tests = ("--inside", patches, "--outside", patches, "--classifiers", classifier)
        arguments = ["stage", "evaluate", "--attacked", damaged, *tests, "--out", out / "rows.csv"]
    assert str(damaged) in refusal(capsys, *arguments)
    assert nothing_written(tmp_path)


def test_a_classifier_that_needs_an_estimator_says_so(tmp_path, capsys):
    patches = write_patches(tmp_path / "p.h5")
    spec = '{"classifier": {"net": {"frontend": "prnu_lp"}}}'
    arguments = train_classifier(tmp_path, "--patches", patches, "--spec", spec)
    assert "--estimator: found none" in refusal(capsys, *arguments)
    damaged = tmp_path / "e0.safetensors"
    damaged.write_text("no model")
    message = refusal(capsys, *arguments, "--estimator", damaged)
    assert str(damaged) in message
    assert "damaged" in message
    assert nothing_written(tmp_path)


def test_an_unwritable_output_is_one_line(tmp_path, capsys):
    (tmp_path / "out").write_text("a file where a folder should be")
    patches = write_patches(tmp_path / "p.h5")
    assert str(tmp_path / "out") in refusal(capsys, *train_classifier(tmp_path, "--patches", patches))


def test_threads_reach_torch_before_it_is_imported(tmp_path):
    cores = min(2, os.cpu_count())
    arguments = [str(a) for a in train_classifier(tmp_path, "--patches", tmp_path / "gone.h5", "--threads", cores)]
    program = f"from cama.commands.main import main; main({arguments!r}); import torch; print(torch.get_num_threads())"
    # the fixture has put 1 into the environment, which the argument must overrule
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.strip() == str(cores)


# ---- the trainings, in small


COMPUTE = ComputeSpec(device="cpu", precision="float32")
TINY = TrainingSpec(steps=2, batch=4)
BODY = BodySpec(features=4, downsamplings=0, blocks=0, kernel=3)


def classifier_spec(frontend: str) -> str:
    net = ClassifierNetSpec(frontend=frontend, architecture="small", width=4)
    return TrainClassifierSpec(classifier=ClassifierSpec(net=net, training=TINY), compute=COMPUTE).to_json()


def train_streams(folder: Path, patches: Path) -> None:
    """E0, E_H and E_L in `folder`, by the command line."""
    spec = TrainEstimatorSpec(estimator=EstimatorSpec(net=BODY, training=TINY), compute=COMPUTE).to_json()
    ends = ("--state", folder / "state", "--curve", folder / "c.csv")
    estimator = folder / "e0.safetensors"
    calls = [("stage", "train-estimator", "--spec", spec, "--patches", patches, "--out", estimator, *ends)]
    for frontend in ("prnu_lp", "prnu_lp_low"):
        out = folder / f"{frontend}.safetensors"
        arguments = ("--spec", classifier_spec(frontend), "--patches", patches, "--estimator", estimator, "--out", out)
        calls.append(("stage", "train-classifier", *arguments, *ends))
    for call in calls:
        assert main([str(argument) for argument in call]) == 0


def train_generator(folder: Path, patches: Path) -> list[object]:
    learned = LearnedSpec(
        generator=GeneratorSpec(**BODY.model_dump()), discriminators=[DiscriminatorSpec(features=4)], training=TINY
    )
    spec = TrainGeneratorSpec(learned=learned, compute=COMPUTE).to_json()
    return [
        *("stage", "train-generator", "--spec", spec, "--patches", patches, "--state", folder / "state"),
        *("--evaluators", folder / "prnu_lp.safetensors", folder / "prnu_lp_low.safetensors"),
        *("--out", folder / "g.safetensors", "--discriminators", folder / "d.safetensors", "--curve", folder / "g.csv"),
    ]


def test_the_adversary_trains_from_patches_to_a_generator(tmp_path, capsys):
    patches = write_patches(tmp_path / "adversary.h5")
    train_streams(tmp_path, patches)
    assert main([str(argument) for argument in train_generator(tmp_path, patches)]) == 0
    generator, spec, labels = load_generator(tmp_path / "g.safetensors")
    assert labels == LABELS
    assert spec.features == 4
    assert not generator.training
    header = read_header(tmp_path / "g.safetensors")
    assert header["spec"]["learned"]["training"] == {"steps": 2, "batch": 4, "processes": 1}
    streams = [tmp_path / f"{name}.safetensors" for name in ("prnu_lp", "prnu_lp_low")]
    assert header["inputs"] == {"adversary.h5": content_hash(patches), **{p.name: content_hash(p) for p in streams}}
    assert read_header(tmp_path / "d.safetensors")["kind"] == "discriminators"
    curve = pd.read_csv(tmp_path / "g.csv")
    assert list(curve.step) == [1, 2]
    assert {"d_loss", "adversarial", "pixel", "evaluator", "psnr"} <= set(curve.columns)
    # what is lost before the workflow has taken it is written again from the state, without a step
    states = [path.parent for path in (tmp_path / "state").rglob("done")]
    assert sorted(states) == sorted((tmp_path / "state").iterdir())
    assert len(states) == 4
    model = (tmp_path / "g.safetensors").read_bytes()
    (tmp_path / "g.safetensors").unlink()
    capsys.readouterr()
    assert main([str(argument) for argument in train_generator(tmp_path, patches)]) == 0
    assert (tmp_path / "g.safetensors").read_bytes() == model
    assert "2/2" not in capsys.readouterr().out
    high, _ = load_classifier(streams[0])
    assert high.frontend.estimator.scale.item() == pytest.approx(2 / 127.5, rel=0.05)


def test_evaluators_of_other_cameras_are_refused(tmp_path, capsys):
    train_streams(tmp_path, write_patches(tmp_path / "adversary.h5"))
    capsys.readouterr()
    other = write_patches(tmp_path / "other.h5", ("Alcyon_A10", "Corvus_C300"))
    message = refusal(capsys, *train_generator(tmp_path, other))
    assert "Borealis_B2" in message
    assert "Corvus_C300" in message
    assert not (tmp_path / "g.safetensors").exists()
    assert not (tmp_path / "d.safetensors").exists()
