"""A folder of somebody's own photographs, of two models and none that G does not know, from files to the report. They, and the
folder of the results, have names that mean something to a shell, to Snakemake, in CSV and in HTML.
"""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.workflow.conftest import checkout

RESULTS = "my results; $(touch hacked) 'n'"
NAMES = [
    "-rf ~.jpg",
    "$(touch hacked) `touch hacked`; touch hacked.jpg",
    "< x > *? [z] %s.JPG",
    '< b >"q",\'é,\n.jpeg',
]
OVERLAY = {
    "results": RESULTS,
    "dataset": {"kind": "folder", "root": "photographs"},
    "models": {"in_distribution": ["Nikon_D70", "Canon_Ixus-70"], "out_of_distribution": []},
    "split": {"policy": "device", "in_distribution": {"adversary": [0], "examiner": [1], "test": [2]}},
    "adversary": {"generators": {"plus": None, "cama": {"judges": []}}},  # no photograph is held out
    "patches": {"margin": 16},
    "examiner": {"classifiers": {"expanded": None, "prnu_lp": None}, "informed": {"knowing": None}},
    "attack": {"methods": dict.fromkeys(("oracle", "plus", "pgd"))},
    "detection": {"methods": [], "devices": ["cama"]},
    "evaluation": {"saves": ["png", "jpeg85"]},  # pictures without EXIF have no profile, which the target's file needs
}


FOLDERS = [(model, device) for model in ("Nikon D70", "Canon Ixus 70") for device in ("anna", "bo", "cleo")]


def photo_named(folder: Path, name: str) -> Path:
    """A photograph of the first device; a new one is empty."""
    path = folder / "photographs" / "Nikon D70" / "anna" / name
    path.touch()
    return path


def test_a_folder_without_unknown_models_ends_in_a_report(tmp_path):
    workflow = checkout(tmp_path)
    rng = np.random.default_rng(0)
    for model, device in FOLDERS:
        folder = tmp_path / "photographs" / model / device
        folder.mkdir(parents=True)
        for name in NAMES:
            pixels = rng.integers(60, 200, (160, 176, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name, "JPEG", quality=90)
    before = set(tmp_path.iterdir())
    workflow.run(overlay=OVERLAY)
    results = tmp_path / RESULTS
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {RESULTS, ".snakemake", "overlay.yaml"}
    table = pd.read_csv(results / "tables" / "transfer.csv")
    assert set(table.set) == {"in"}
    assert set(table.method) == {"identity", "jpeg", "cama"}
    assert set(table.photographs) == {8}
    # of each of the two test devices, which differ in nothing but their folder, every second photograph is compared
    compared = pd.read_csv(results / "devices" / "cama.csv").drop_duplicates("photograph").photograph
    assert sorted(compared.str.split("/").str[0]) == ["Canon Ixus 70"] * 2 + ["Nikon D70"] * 2
    assert pd.read_csv(results / "splits.csv").groupby("role").device.unique().map(list).to_dict() == {
        "adversary": [0],
        "examiner": [1],
        "test": [2],
    }
    assert not list((results / "plots").glob("*_out.png"))
    page = (results / "report" / "index.html").read_text()
    assert "made to look like those that it knows" not in page
    assert "< b >" not in page
    assert set(pd.read_csv(results / "manifest.csv").path) == {
        f"{model}/{device}/{name}" for model, device in FOLDERS for name in NAMES
    }

    for name in ("<b>.jpg", "{b}.jpg"):
        unfit = photo_named(tmp_path, name)
        done = workflow.run("--dry-run", overlay=OVERLAY, check=False)
        assert done.returncode
        assert f"{name}', expected one without the braces or <...> that Snakemake reads" in done.stderr
        unfit.unlink()

    # touched, it is still the same photograph; changed, it is another, and all depends on it
    photo = photo_named(tmp_path, NAMES[0])
    os.utime(photo, (time.time() + 5,) * 2)
    assert workflow.planned(overlay=OVERLAY) == {}
    Image.fromarray(rng.integers(60, 200, (160, 176, 3), dtype=np.uint8)).save(photo, quality=90)
    planned = workflow.planned(overlay=OVERLAY)
    assert planned == {
        **dict.fromkeys(
            ("manifest", "split", "check_split", "profiles", "train_generator", "train_classifier", "tables", "plots"),
            1,
        ),
        **{"patches": 5, "train_estimator": 1, "train_evaluator": 2, "attack": 3, "evaluate": 3, "devices": 1},
        **dict.fromkeys(("controls", "report", "package"), 1),
    }
