"""The tiny run from photographs to the report, and what a change reruns."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from snakemake.utils import update_config

from cama.commands.main import main
from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.models.packaged import load_header
from cama.settings.config import Config
from cama.settings.judges import JudgeStageSpec
from tests.commands.helpers import refusal
from tests.docs.tutorials import run_page
from tests.judges.networks import write_judge
from tests.workflow.conftest import PROJECT

COLUMNS = ["method", "set", "save", "classifier", "role", "reads_scenes", "labels", "photographs", "transformations"]
COLUMNS += ["clean_accuracy"]
COLUMNS += ["targeted", "targeted_low", "targeted_high", "chance", "oracle", "share_of_oracle"]
COLUMNS += ["untargeted", "untargeted_low", "untargeted_high"]
COLUMNS += ["psnr", "psnr_p05", "psnr_worst", "ssim", "ms_ssim", "area_shift"]
MORE = ("targeted_where_right", "untargeted_where_right", "patches_targeted", "patches_untargeted")
MORE = [f"{rate}{bound}" for rate in MORE for bound in ("", "_low", "_high")]
RESULT_SCHEMA = json.loads((PROJECT / "docs" / "result.schema.json").read_text())
ENDS = {"plots": 1, "report": 1}
SCORES = {"tables": 1, "package": 2, **ENDS}  # a model file each of cama and plus


DETECTION = {"examples": 1, "detect": 1, "devices": 1}  # of cama alone


def evaluated(methods: int) -> dict[str, int]:
    """The jobs from attacked photographs on."""
    return {"attack": methods, "evaluate": methods, **SCORES}


def test_the_run_ends_in_tables_plots_and_a_report(finished):
    results = finished.folder / "results"
    table = pd.read_csv(results / "tables" / "transfer.csv")
    assert list(table.columns) == [*COLUMNS, *MORE, "clean_accuracy_after_save", "interval"]
    # methods, sets, classifiers, saves; and the informed one, which scores the method that it knows beside identity and oracle
    assert len(table) == 6 * 2 * 3 * 3 + 3 * 2 * 3
    assert set(table[table.classifier == "knowing"].method) == {"identity", "cama", "oracle"}
    most = table[~table.method.isin(["pgd", "plus"])]
    assert set(most[most.set == "in"].transformations) == {8}  # 4 photographs of each of 2 models, to 1 other label
    assert set(most[most.set == "out"].transformations) == {8}  # 4 photographs to 2 labels
    assert set(table[table.method == "pgd"].transformations) == {2}  # 1 photograph a model
    assert set(table[table.method == "plus"].transformations) == {16}  # two trainings
    out = table[table.set == "out"]
    assert set(out[out.untargeted.isna()].classifier) == {"rgb", "prnu_lp", "knowing"}
    assert set(out[out.untargeted.notna()].classifier) == {"expanded"}
    assert set(table.labels) == {2, 3}
    assert table[(table.method == "identity") & (table.save == "png")].psnr.isna().all()
    assert table[table.save == "jpeg85"].psnr.notna().all()
    assert table.patches_targeted.between(0, 1).all()
    page = (results / "report" / "index.html").read_text()
    assert page.count("<img") == 11
    assert "nothing against classifiers of real cameras" in page
    assert "LPIPS was not measured" in page
    assert not list((results / "state").rglob("*.safetensors"))


def test_the_run_ends_in_model_files_that_anonymize_takes(finished, tmp_path, capsys):
    results = finished.folder / "results"
    table = pd.read_csv(results / "tables" / "summary.csv")
    for method, streams in (("cama", ["high", "low"]), ("plus", ["low", "rgb"])):
        header = load_header(results / "models" / f"{method}.safetensors")
        assert header.refine == (2 if method == "plus" else 0)
        assert (header.name, header.labels) == (method, ["Alcyon_A10", "Borealis_B2"])
        assert list(header.evaluators) == streams
        assert header.simulated
        assert header.photographs == {"Alcyon_A10": 7, "Borealis_B2": 7}  # one is held out for validation
        assert {name: profile.photographs for name, profile in header.profiles.items()} == dict.fromkeys(
            header.labels, 8
        )
        assert header.runs == (2 if method == "plus" else 1)
        own = table[table.method == method]
        assert [row["targeted"] for row in header.scores.summary] == own.targeted.tolist()
        assert header.training["learned"]["training"]["steps"] == 6
    photo = next((results / "photographs" / "Alcyon_A10").glob("*.JPG"))
    file = str(results / "models" / "cama.safetensors")
    out = tmp_path / "out.jpg"
    assert main(["anonymize", str(photo), "--model", file, "--to", "Borealis_B2", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert ": towards Borealis_B2: its classifiers name it with 0." in said
    assert "dB, Borealis B2 encoding" in said
    assert "nothing was measured against classifiers of real ones" in said
    assert main(["models", "show", file]) == 0
    card = capsys.readouterr().out
    assert f"| in-distribution | png | 2 | 8 | {own_cell(table)} |" in card


def own_cell(table: pd.DataFrame) -> str:
    """The rate of cama in-distribution as the card shows it."""
    row = table[(table.method == "cama") & (table.set == "in") & (table.save == "png") & (table.labels == 2)].iloc[0]
    bounds = "" if pd.isna(row.targeted_low) else f" ({row.targeted_low:.2f} to {row.targeted_high:.2f})"
    return f"{row.targeted:.2f}{bounds}"


def test_every_transformation_is_a_row(finished):
    rows = pd.read_csv(finished.folder / "results" / "rows" / "cama.csv")
    assert len(rows) == (8 + 8) * 4 * 3
    assert not rows.duplicated(["save", "set", "classifier", "photograph", "row", "column", "target"]).any()
    assert (rows.source != rows.target).all()


def test_a_method_may_choose_its_targets(finished, tmp_path):
    """In the tiny run, with two targets, known cameras can only go to the other."""
    method = {"kind": "learned", "generator": "cama", "psnr": 36, "auto": True}
    chosen = {"attack": {"methods": {"chosen": method}}}
    finished.run("results/rows/chosen.csv", overlay=chosen)
    results = finished.folder / "results"
    rows, every = (pd.read_csv(results / "rows" / f"{name}.csv") for name in ("chosen", "cama"))
    every = every[every.classifier != "knowing"]  # which learnt from cama's pictures, and scores these alone
    same = ["set", "save", "classifier", "photograph", "row", "column"]
    assert not rows.duplicated(same).any()
    assert set(map(tuple, rows[same].values)) == set(map(tuple, every[same].values))
    assert (rows.source != rows.target).all()
    assert (rows.groupby(["set", "source"]).target.nunique() == 1).all()
    towards = every.merge(rows, on=[*same, "target"], suffixes=("", "_chosen"))
    assert len(towards) == len(rows)
    same_picture = (towards.psnr == towards.psnr_chosen) | towards.psnr.isna()
    assert same_picture.all()  # each is one of cama's own pictures
    assert (towards.predicted == towards.predicted_chosen).all()
    assert finished.planned(overlay=chosen) == {"tables": 1, "package": 2, **ENDS}
    files = {"readers": results / "controls" / "scene_readers.csv", "auto": results / "rows" / "chosen.csv"}
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    given = [str(results / "rows" / f"{name}.csv") for name in ("identity", "cama")]
    assert main(["stage", "tables", *words, "--rows", *given, "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "auto.csv")
    assert len(table) == 2 * 3
    assert "chosen" not in set(pd.read_csv(tmp_path / "summary.csv").method)
    known = table[table.set == "in"]
    assert (known.source_guessed == 1).all()
    assert (known.source_chance == 0.5).all()


def test_judges_that_others_trained_have_rows_in_the_tables(finished, tmp_path):
    """An ONNX classifier, and a fingerprint extractor whose references are the examiner's photographs."""
    labels = ["Alcyon_A10", "Borealis_B2", "Elsewhere_E1"]
    judges = {
        "colours": write_judge(tmp_path / "colours.yaml", labels=labels, patch=64),
        "residuals": write_judge(tmp_path / "residuals.yaml", kind="fingerprint", patch=96),
    }
    overlay = {"examiner": {"judges": {name: str(path) for name, path in judges.items()}}}
    planned = finished.planned(overlay=overlay)
    assert planned == {"patches": 1, "fit_judge": 1, "judge": 2 * 6, **SCORES}
    methods = ("identity", "cama", "oracle", "plus")
    paths = {(one, method): f"results/judgements/{one}/{method}.csv" for one in judges for method in methods}
    finished.run(*paths.values(), overlay=overlay)
    rows = {key: pd.read_csv(finished.folder / path) for key, path in paths.items()}
    for (judge, method), judged in rows.items():
        own = pd.read_csv(finished.folder / f"results/rows/{method}.csv")
        own = own[own.classifier == "rgb"].reset_index(drop=True)
        same = ["method", "run", "set", "save", "photograph", "row", "column", "source", "target", "psnr", "ssim"]
        pd.testing.assert_frame_equal(judged[same], own[same])
        assert set(judged.classifier) == {judge}
        assert set(judged.role) == {"judge"}
        assert (judged.known == judged.source.isin(labels)).all()
        assert judged.predicted.isin(labels).all()
    # a photograph is the same file under all judges of one save, whatever method it is compared with
    assert set(rows["colours", "identity"].labels) == {3}
    assert set(rows["residuals", "identity"].labels) == {2}
    results = finished.folder / "results"
    given = [results / "rows" / f"{method}.csv" for method in methods] + [
        finished.folder / path for path in paths.values()
    ]
    readers = results / "controls" / "scene_readers.csv"
    call = ["stage", "tables", "--readers", readers, "--rows", *given, "--out", tmp_path / "tables"]
    assert main(list(map(str, call))) == 0
    transfer, summary = (pd.read_csv(tmp_path / "tables" / f"{name}.csv") for name in ("transfer", "summary"))
    judged = transfer[transfer.role == "judge"]
    assert set(judged.classifier) == {"colours", "residuals"}
    assert judged.targeted.between(0, 1).all()
    assert judged.chance.notna().all()
    assert judged.reads_scenes.isna().all()
    # no mean is over judges
    own = pd.read_csv(results / "tables" / "summary.csv")
    cell = ["method", "set", "save", "labels"]
    found, expected = (table.set_index(cell).targeted for table in (summary, own[own.method.isin(methods)]))
    pd.testing.assert_series_equal(found, expected.reindex(found.index))


def test_a_callable_of_an_installed_package_has_rows_too(finished, tmp_path, package):
    path = write_judge(tmp_path / "j.yaml", callable="brightest", labels=["Alcyon_A10", "Borealis_B2", "Other_O1"])
    results = finished.folder / "results"
    inputs = {"inside": "patches/test-aligned.h5", "outside": "patches/test_outdist-aligned.h5"}
    inputs |= {"attacked": "attacks/cama.h5", "rows": "rows/cama.csv", "profiles": "adversary/profiles"}
    given = [str(word) for name, file in inputs.items() for word in (f"--{name}", results / file)]
    spec = JudgeStageSpec(name="cama", judge="brightest", saves=("png", "jpeg85", "target")).to_json()
    out = tmp_path / "rows.csv"
    assert main(["stage", "judge", "--spec", spec, "--judge", str(path), *given, "--out", str(out)]) == 0
    rows = pd.read_csv(out)
    assert len(rows) == (8 + 8) * 3
    assert set(rows.classifier) == {"brightest"}


def given_away(results: Path, folder: Path, method: str = "jpeg") -> pd.DataFrame:
    """The test pictures of the run as another attack takes them, with those that a method made as its own; the pairs."""
    assert main(["test-pictures", str(results), "--out", str(folder)]) == 0
    pairs = pd.read_csv(folder / "pairs.csv")
    with open_attacked(results / "attacks" / f"{method}.h5") as file:
        tests = [Patches.read(results / "patches" / f"{role}-aligned.h5", "rgb") for role in ("test", "test_outdist")]
        places = {"in": tests[0], "out": tests[1]}
        made = {
            (places[kind].photograph[row], file.targets[aim]): file.images(place)
            for place, (kind, row, aim) in enumerate(zip(file.sets, file.rows, file.aims, strict=True))
        }
    for pair in pairs.itertuples():
        path = folder / pair.target / f"{pair.photograph}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(made[pair.photograph, pair.target]).save(path)
    return pairs


@pytest.fixture(scope="module")
def foreign(finished, tmp_path_factory) -> Path:
    """A folder of pictures that another attack made: those of cama."""
    folder = tmp_path_factory.mktemp("foreign")
    pairs = given_away(finished.folder / "results", folder, "cama")
    assert len(pairs) == 8 + 8
    untouched = folder / "untouched" / f"{pairs.photograph[0]}.png"
    photograph = finished.folder / "results" / "photographs" / pairs.photograph[0]
    assert np.array_equal(np.asarray(Image.open(untouched)), np.asarray(Image.open(photograph))[16:144, 16:144])
    return folder


def test_pictures_of_another_attack_get_the_scores_of_the_same_pictures_within(finished, foreign, tmp_path, capsys):
    results = finished.folder / "results"
    judge = write_judge(tmp_path / "residuals.yaml", kind="fingerprint", patch=96)
    out = tmp_path / "out"
    call = ["evaluate-folder", foreign, "--results", results, "--out", out, "--name", "mine", "--judge", judge]
    assert main(list(map(str, call))) == 0
    shown = capsys.readouterr().out
    assert "| mine | in | png |" in shown
    assert "| residuals | in | png |" in shown
    rows, own = (
        pd.read_csv(folder / f"{name}.csv") for folder, name in ((out / "rows", "mine"), (results / "rows", "cama"))
    )
    own = own[own.classifier != "knowing"]  # which learnt from cama's pictures
    keys = ["set", "save", "classifier", "photograph", "target"]
    drop = ["method", "run", "role"]  # cama stands in another relation to F than an attack that nobody knows
    found, expected = (table.drop(columns=drop).sort_values(keys).reset_index(drop=True) for table in (rows, own))
    pd.testing.assert_frame_equal(found, expected)
    record = json.loads((out / "result.json").read_text())
    jsonschema.validate(record, RESULT_SCHEMA)
    headline = next(one for one in record["figures"] if (one["set"], one["save"], one["labels"]) == ("in", "png", 2))
    table = pd.read_csv(results / "tables" / "summary.csv").set_index(["method", "set", "save", "labels"])
    assert headline["targeted"] == pytest.approx(table.targeted["cama", "in", "png", 2], abs=1e-5)
    assert {one["classifier"] for one in record["judges"]} == {"residuals"}
    assert (record["pairs"], record["pairs_of"]) == (16, 16)
    # the untouched photographs have the intervals of the run's own tables
    tables = [pd.read_csv(folder / "tables" / "transfer.csv") for folder in (out, results)]
    kept = ["set", "save", "classifier", "targeted", "targeted_low", "targeted_high"]
    untouched = [table[(table.method == "identity") & (table.classifier == "rgb")][kept] for table in tables]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in untouched))


def test_some_pictures_are_compared_with_the_oracle_of_these_alone(finished, foreign, tmp_path):
    results, folder = finished.folder / "results", tmp_path / "some"
    shutil.copytree(foreign, folder)
    pd.read_csv(folder / "pairs.csv").iloc[::4].to_csv(folder / "pairs.csv", index=False)
    call = ["evaluate-folder", folder, "--results", results, "--out", tmp_path / "out", "--name", "some"]
    assert main(list(map(str, call))) == 0
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (record["pairs"], record["pairs_of"]) == (4, 16)
    transfer = pd.read_csv(tmp_path / "out" / "tables" / "transfer.csv")
    assert len(set(transfer[(transfer.set == "in") & (transfer.save == "png")].transformations)) == 1


def test_what_would_be_mixed_up_is_refused_before_any_work(finished, foreign, tmp_path, capsys):
    results, labels = finished.folder / "results", ["Alcyon_A10", "Borealis_B2", "Other_O1"]
    rgb = write_judge(tmp_path / "rgb.yaml", labels=labels)
    short = write_judge(tmp_path / "short.yaml", labels=["Alcyon_A10", "Other_O1"])
    large = write_judge(tmp_path / "large.yaml", kind="fingerprint", patch=256)
    wrong = write_judge(tmp_path / "wrong.yaml", labels=labels, layout="nhwc")
    (tmp_path / "full" / "rows").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    twins = [write_judge(folder / "twin.yaml", labels=labels) for folder in (tmp_path, tmp_path / "other")]
    call = ["evaluate-folder", foreign, "--results", results]
    for options, expected in (
        (["--out", results], "expected a folder outside of the run"),
        (["--out", tmp_path / "out", "--name", "cama"], "--name: found 'cama', expected another than"),
        (["--out", tmp_path / "out", "--name", "all"], "--name: found the name 'all', which has another meaning"),
        (["--out", tmp_path / "out", "--judge", rgb], "--judge: found 'rgb', expected another than"),
        (["--out", tmp_path / "out", "--judge", *twins], "--judge: found 'twin', expected another than"),
        (["--out", tmp_path / "out", "--judge", short], "expected Borealis_B2 among them, which is a target"),
        (["--out", tmp_path / "out", "--judge", large], "patch: found 256, expected at most 128"),
        (["--out", tmp_path / "out", "--judge", wrong], "expected other `patch`, `channels` or `layout`"),
        (["--out", tmp_path / "full"], "found results in"),
    ):
        assert expected in refusal(capsys, *call, *options)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_attack_is_a_method_of_the_workflow(finished, foreign):
    overlay = {"attack": {"methods": {"borrowed": {"kind": "folder", "folder": str(foreign)}}}}
    assert finished.planned(overlay=overlay) == {**evaluated(1)}
    finished.run("results/rows/borrowed.csv", overlay=overlay)
    rows = pd.read_csv(finished.folder / "results" / "rows" / "borrowed.csv")
    assert len(rows) == (8 + 8) * 3 * 3
    assert set(rows.method) == {"borrowed"}


def test_the_page_on_attacks_runs_as_it_stands(finished, tmp_path):
    text = (PROJECT / "docs" / "attacks.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (tmp_path / "mine.py").write_text(program)
    (tmp_path / "results").symlink_to(finished.folder / "results")
    commands = "".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    assert "evaluate-folder mine" in commands
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    script = "set -e\n" + commands.replace("uv run python", sys.executable)
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert json.loads((tmp_path / "scored-mine" / "result.json").read_text())["method"] == "mine"


def test_a_method_of_a_run_has_a_record(finished, capsys):
    results = finished.folder / "results"
    assert main(["result", str(results), "--method", "plus"]) == 0
    record = json.loads(capsys.readouterr().out)
    jsonschema.validate(record, RESULT_SCHEMA)
    assert record["method"] == "plus"
    assert record["targets"] == ["Alcyon_A10", "Borealis_B2"]
    assert record["figures"][0]["interval"] == "over photographs and trainings"
    assert refusal(capsys, "result", results, "--method", "none").endswith(
        f"--method: found 'none', expected a method of the tables in {results / 'tables'}"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda pairs: pairs.drop(columns="target"),
            "found no column 'target', expected the columns photograph, source",
        ),
        (lambda pairs: pairs[:0], "found no rows"),
        (
            lambda pairs: pairs.assign(photograph="gone.JPG"),
            "line 2: photograph: found 'gone.JPG', expected one of the test",
        ),
        (lambda pairs: pairs.assign(source="Eridan_E7"), "line 2: source: found 'Eridan_E7', expected 'Alcyon_A10'"),
        (
            lambda pairs: pairs.assign(target=pairs.source),
            "line 2: target: found 'Alcyon_A10', expected one of Borealis_B2",
        ),
        (
            lambda pairs: pairs.assign(target="Nikon_D70"),
            "line 2: target: found 'Nikon_D70', expected one of Borealis_B2",
        ),
        (lambda pairs: pd.concat([pairs, pairs]), "found a photograph twice with one target, expected it once"),
        (lambda pairs: pairs.assign(picture="gone.png"), "line 2: found no picture "),
        (
            lambda pairs: pairs.assign(picture="../outside.png"),
            "line 2: picture: found '../outside.png', expected a file in",
        ),
        (lambda pairs: pairs.assign(picture="small.png"), "small.png: found 20x10 pixels, expected 128x128 as of the"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(finished, foreign, tmp_path, capsys, change, expected):
    pairs = change(pd.read_csv(foreign / "pairs.csv"))
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    Image.new("RGB", (20, 10)).save(tmp_path / "small.png")
    for target in ("Alcyon_A10", "Borealis_B2"):
        shutil.copytree(foreign / target, tmp_path / target)
    Image.new("RGB", (128, 128)).save(tmp_path.parent / "outside.png")
    call = ["evaluate-folder", tmp_path, "--results", finished.folder / "results", "--out", tmp_path / "out"]
    assert main(list(map(str, call))) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cama evaluate-folder: ")]
    assert expected in line
    assert not (tmp_path / "out" / "rows").exists()


def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    assert "expected the folder of a finished run" in refusal(
        capsys, "test-pictures", tmp_path, "--out", tmp_path / "out"
    )
    assert "found no tables" in refusal(capsys, "result", tmp_path, "--method", "cama")


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_new_file_times_alone_rerun_nothing(finished):
    for path in (finished.folder / "cama").rglob("*.py"):
        path.touch()
    assert finished.planned() == {}


def test_files_that_were_touched_and_are_equal_rerun_nothing(finished):
    """Each gets a time later than all that was made of it, as after copying in the wrong order, and none one to come."""
    results = finished.folder / "results"
    found = [path for path in results.rglob("*") if path.suffix in (".h5", ".safetensors", ".csv", ".md", ".png")]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    assert max(path.stat().st_size for path in found) > 1_000_000  # which Snakemake does not compare by default
    first = time.time() - len(found)
    for seconds, path in enumerate(found):
        os.utime(path, (first + seconds,) * 2)
    assert finished.planned() == {}


INFORMED = {"train_informed": 1, "evaluate": 3}  # which scores cama, the untouched photographs and the oracle's
CAMA = {**evaluated(1), **DETECTION, "examples": 2, **INFORMED}  # F learns from a second training
LOW = {"train_evaluator": 1, "train_generator": 4, **CAMA, "attack": 2, "evaluate": 4}  # cama twice, plus twice
TRAININGS = {"train_estimator": 2, **LOW, "train_evaluator": 4, "train_classifier": 3, "attack": 6}
TRAININGS |= {"evaluate": 6, "controls": 1}
FROM_SPLIT = {"split": 1, "check_split": 1, "profiles": 1, "patches": 5, **TRAININGS}
FROM_MANIFEST = {"manifest": 1, **FROM_SPLIT}
FROM_CAMERAS = {"simulate": 3, **FROM_MANIFEST}
CHANGES = [
    ("plots", {"plots": {"dpi": 60}}, ENDS),
    ("card", {"card": {"licence": "MIT"}}, {"package": 2}),
    ("tables", {"tables": {"resamples": 200}}, SCORES),
    ("evaluation", {"evaluation": {"saves": ["png", "jpeg75", "target"]}}, {"evaluate": 6, **SCORES}),
    ("detection", {"detection": {"photographs": 12}}, {"examples": 1, "detect": 1, **SCORES}),
    ("attack", {"attack": {"methods": {"jpeg": {"strength": 70}}}}, evaluated(1)),
    (
        "cama weight",
        {"adversary": {"generators": {"cama": {"loss_weights": {"pixel": 9}}}}},
        {"train_generator": 2, **CAMA},
    ),
    (
        "a generator that no classifier learns from",
        {"adversary": {"generators": {"plus": {"ema_decay": 0.9}}}},
        {"train_generator": 2, **evaluated(1)},
    ),
    (
        "one more training",
        {"adversary": {"generators": {"plus": {"runs": 3}}}},
        {"train_generator": 1, **evaluated(1)},
    ),
    ("evaluator", {"adversary": {"evaluators": {"low": {"training": {"steps": 7}}}}}, LOW),
    (
        "estimator E0",
        {"adversary": {"estimator": {"training": {"steps": 7}}}},
        {**LOW, "train_estimator": 1, "train_evaluator": 2, "attack": 3, "evaluate": 5},  # and pgd
    ),
    (
        "a classifier",
        {"examiner": {"classifiers": {"prnu_lp": {"training": {"steps": 7}}}}},
        {"train_classifier": 1, "controls": 1, **INFORMED, "evaluate": 6, **SCORES},
    ),
    (
        "the examiner's estimator",
        {"examiner": {"estimator": {"training": {"steps": 7}}}},
        {"train_estimator": 1, "train_classifier": 1, "controls": 1, **INFORMED, "evaluate": 6, **SCORES},
    ),
    ("split", {"split": {"validation": 0.2}}, FROM_SPLIT),
    ("patches", {"patches": {"crop": 96}}, FROM_MANIFEST),
    ("dataset", {"dataset": {"broken": "skip"}}, FROM_MANIFEST),
    ("simulation", {"simulation": {"catalogue_seeds": [2]}}, FROM_CAMERAS),
    ("models", {"models": {"in_distribution": ["Borealis_B2", "Alcyon_A10"]}}, FROM_CAMERAS),
    ("seed", {"seed": 2}, FROM_CAMERAS),
    ("compute", {"compute": {"precision": "float32"}}, TRAININGS),
]


@pytest.mark.parametrize(("overlay", "expected"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_reruns_what_depends_on_it_and_nothing_else(finished, overlay, expected):
    assert finished.planned(overlay=overlay) == expected


def test_every_block_of_the_config_that_can_be_changed_is_tried():
    tried = {key for _, overlay, _ in CHANGES for key in overlay}
    assert set(Config.model_fields) - tried == {"results"}  # which moves the whole run


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("reporting/plots.py", ENDS),
        (
            "training/losses.py",
            {"train_generator": 4, **CAMA, "attack": 6, "evaluate": 6},
        ),  # gradient attacks use them too
        ("forensics/fingerprint.py", {"devices": 1, **SCORES}),
        ("reporting/html.py", {"report": 1}),
        ("reporting/report.html.jinja", {"report": 1}),
        ("reporting/page.html.jinja", {"report": 1}),
    ],
)
def test_edited_code_reruns_its_stages(finished, module, expected):
    path = finished.folder / "cama" / module
    before = path.read_text()
    try:
        path.write_text(before + "\n# edited\n")
        assert finished.planned() == expected
    finally:
        path.write_text(before)
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"plots": {"dpj": 3}}, ("plots.dpj", "'dpi'")),
        ({"patches": {"crop": 100}}, ("patches.crop", "100", "multiple")),
        (
            {
                "dataset": {"kind": "dresden", "root": "nowhere"},
                "split": {"policy": "device"},
                "attack": {"methods": {"oracle": None}},
            },
            ("dataset.root", "'nowhere'"),
        ),
    ],
)
def test_a_wrong_config_ends_in_one_line(finished, overlay, words):
    done = finished.run("--dry-run", overlay=overlay, check=False)
    assert done.returncode != 0
    line = [line for line in done.stderr.splitlines() if line.startswith("config")]
    assert len(line) == 1
    assert all(word in line[0] for word in words)
    assert "Traceback" not in done.stderr


@pytest.fixture
def own(finished, tmp_path) -> Path:
    """A copy of the checkout in which the tiny run has ended, with the tiny config as its own, and with a photograph."""
    folder = tmp_path / "own"
    shutil.copytree(finished.folder, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    update_config(config, yaml.safe_load(finished.config.read_text()))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(next((folder / "results" / "photographs").rglob("*.JPG")), folder / "photo.jpg")
    return folder


def test_the_tutorial_of_the_first_run(own):
    said = run_page("first-run", own)
    assert "report/index.html" in said[1]
    jobs = set(re.findall(r"^(\w+) +\d+$", said[-1], re.MULTILINE))
    assert "attack" in jobs
    # another PSNR trains nothing anew but the F that knows the attack
    assert {job for job in jobs if job.startswith("train_")} <= {"train_informed"}


def test_the_tutorial_of_a_classifier_of_your_own(own):
    run_page("own-classifier", own, ("export.py", "mine.yaml", "with-mine.yaml"))
    table = pd.read_csv(own / "results" / "tables" / "transfer.csv")
    assert set(table[table.role == "judge"].classifier) == {"mine"}
