"""The paper's experiment on a stand-in for the Dresden Image Database: its names, and fewer and smaller photographs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import ExifTags, Image

from tests.workflow.conftest import PROJECT, Workflow, checkout

CONFIG = PROJECT / "config" / "dresden.yaml"
RANDOM = yaml.safe_load((PROJECT / "config" / "dresden-random.yaml").read_text())
MODELS = yaml.safe_load(CONFIG.read_text())["models"]
KEPT = ("resnet18-rgb", "resnet18-prnu_lp", "resnet18-con_conv-expanded", "resnet18-prnu_lp-expanded")
PHOTOGRAPHS = 2  # of each device
BODY = {"features": 4, "downsamplings": 1, "blocks": 1, "kernel": 3}
TRAINING = {"training": {"steps": 4, "batch": 12}}
NET = {"net": {"architecture": "small", "width": 4}}


def devices() -> list[str]:
    """All devices of the paper's models, `Make_Model_device`."""
    counts = {"in_distribution": 5, "out_of_distribution": 3}
    return [f"{model}_{device}" for block, n in counts.items() for model in MODELS[block] for device in range(n)]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Workflow:
    """A checkout with photographs of noise under the data set's names, a folder a model."""
    workflow = checkout(tmp_path_factory.mktemp("dresden"), CONFIG)
    rng = np.random.default_rng(0)
    for device in devices():
        folder = workflow.folder / "dresden" / "natural" / device.rsplit("_", 1)[0]
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(PHOTOGRAPHS):
            pixels = rng.integers(60, 200, (160, 176, 3), dtype=np.uint8)
            exif = Image.Exif()
            # the save `target` learns from files with a make and model
            exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = device.split("_")[:2]
            Image.fromarray(pixels).save(folder / f"{device}_{1000 + number}.JPG", quality=90, exif=exif)
    return workflow


@pytest.mark.parametrize("overlay", [None, RANDOM], ids=["aligned", "random"])
def test_the_dry_run_plans_exactly_the_papers_jobs(stand_in, overlay):
    assert stand_in.planned(overlay=overlay) == {
        "manifest": 1,
        "split": 1,
        "check_split": 1,
        "profiles": 1,
        "patches": 5,  # adversary, examiner, test, and the two roles of the unknown models
        "train_estimator": 2,
        "train_evaluator": 4,  # E_H and E_L, and one each for SpoC and MISL
        "train_generator": 3,
        "train_classifier": 48,  # 4 architectures, 6 front-ends, 2 label sets
        "attack": 7,
        "evaluate": 7,
        "tables": 1,
        "plots": 1,
        "controls": 1,
        "report": 1,
        "package": 3,
    }


def small() -> dict:
    """An overlay under which the paper's workflow takes a minute."""
    config = yaml.safe_load(CONFIG.read_text())
    classifiers, adversary = config["examiner"]["classifiers"], config["adversary"]
    return {
        "split": {"expected": dict.fromkeys(("adversary", "examiner", "examiner_outdist"))},
        "patches": {"size": 32, "crop": 128},
        "compute": {"device": "cpu", "precision": "float32"},
        "adversary": {
            "estimator": {"net": BODY, **TRAINING},
            "evaluators": {name: {**NET, **TRAINING} for name in adversary["evaluators"]},
            "generators": {
                name: {"generator": BODY, "discriminators": [{"features": 4}], **TRAINING}
                for name in adversary["generators"]
            },
        },
        "examiner": {
            "estimator": {"net": BODY, **TRAINING},
            "classifiers": {name: {**NET, **TRAINING} if name in KEPT else None for name in classifiers},
        },
        "attack": {"photographs": 1, "methods": {"jpeg": None, "median": None, "remosaic": None}},
        "tables": {"resamples": 100},
        "plots": {"samples": 1, "dpi": 50},
    }


def test_an_incomplete_data_set_is_named_device_by_device(stand_in):
    overlay = {"split": {"expected": {"adversary": 24, "examiner": 25, "examiner_outdist": 24}}}
    done = stand_in.run("--until", "check_split", overlay=small() | overlay, check=False)
    assert done.returncode
    said = "split.expected: found 24 photographs of the examiner, expected 25, or null to go on; it has Casio_EX-Z150 2: 2,"
    assert said in done.stdout + done.stderr


def test_a_small_version_runs_whole(stand_in):
    stand_in.run("report", overlay=small())  # all but the model files, which the tiny run has
    results = stand_in.folder / "results-dresden"
    splits = pd.read_csv(results / "splits.csv")
    roles = splits.groupby("role").device.apply(lambda found: set(found))
    assert roles["adversary"] == roles["examiner_outdist"] == {0, 1}
    assert roles["examiner"] == {2, 3}
    assert (roles["test"], roles["test_outdist"]) == ({4}, {2})
    assert len(splits) == len(devices()) * PHOTOGRAPHS
    table = pd.read_csv(results / "tables" / "transfer.csv")
    assert set(table.save) == {"target", "png"}
    assert len(table) == 4 * 2 * 2 * len(KEPT)
    learned = table[table.method.isin(["cama", "spoc", "misl"])]
    assert set(learned[learned.set == "in"].transformations) == {6 * 5}  # each model's photograph to the other five
    assert set(learned[learned.set == "out"].transformations) == {6 * 6}
    assert set(table.labels) == {6, 12}
    expanded = table[table.labels == 12]
    assert expanded.untargeted.notna().all()
    assert table[(table.labels == 6) & (table.set == "out")].untargeted.isna().all()
    assert "oracle" not in set(table.method)
    assert Path(results / "report" / "index.html").exists()
