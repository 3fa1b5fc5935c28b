"""A folder of somebody's own photographs, of two models and none that G does not know, from files to the report."""

import numpy as np
import pandas as pd
from PIL import Image

from tests.workflow.conftest import checkout

OVERLAY = {
    "dataset": {"kind": "folder", "root": "photographs"},
    "models": {"in_distribution": ["Nikon_D70", "Canon_Ixus-70"], "out_of_distribution": []},
    "split": {"policy": "device", "in_distribution": {"adversary": [0], "examiner": [1], "test": [2]}},
    "adversary": {"generators": {"plus": None}},
    "examiner": {"classifiers": {"expanded": None, "prnu_lp": None}},
    "attack": {"methods": dict.fromkeys(("oracle", "plus", "pgd"))},
    "detection": {"methods": [], "devices": ["cama"]},
    "controls": {"random_phase": ""},
}


def test_a_folder_without_unknown_models_ends_in_a_report(tmp_path):
    workflow = checkout(tmp_path)
    rng = np.random.default_rng(0)
    for model in ("Nikon D70", "Canon Ixus 70"):
        for device in ("anna", "bo", "cleo"):
            folder = tmp_path / "photographs" / model / device
            folder.mkdir(parents=True)
            for name in range(4):
                pixels = rng.integers(60, 200, (160, 176, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"holiday {name}.jpg", quality=90)
    workflow.run(overlay=OVERLAY)
    results = tmp_path / "results"
    table = pd.read_csv(results / "tables" / "transfer.csv")
    assert set(table.set) == {"in"}
    assert set(table.method) == {"identity", "jpeg", "cama"}
    assert set(table.photographs) == {8}
    assert pd.read_csv(results / "splits.csv").groupby("role").device.unique().map(list).to_dict() == {
        "adversary": [0],
        "examiner": [1],
        "test": [2],
    }
    assert not list((results / "plots").glob("*_out.png"))
    assert "made to look like those that it knows" not in (results / "report" / "index.html").read_text()
