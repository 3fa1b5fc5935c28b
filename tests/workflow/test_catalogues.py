"""The workflow on several catalogues of simulated cameras: which jobs there are, and a small run to the joined tables."""

import re

import pandas as pd
import pytest

from tests.workflow.conftest import PROJECT, Workflow, checkout
from tests.workflow.test_dag import EDGE, NODE

TWO = {"simulation": {"catalogue_seeds": [1, 2]}}
# what is left without networks of the adversary, and one of the examiner
LEAST = {
    **TWO,
    "adversary": {
        "generators": dict.fromkeys(("cama", "plus")),
        "evaluators": dict.fromkeys(("high", "low", "held_out", "rgb")),
    },
    "examiner": {"classifiers": {"prnu_lp": None, "expanded": None}, "informed": {"knowing": None}},
    "attack": {"methods": dict.fromkeys(("oracle", "plus", "pgd", "cama"))},
    "evaluation": {"saves": ["png"], "patches": False},
    "detection": {"methods": [], "devices": []},
    "tables": {"baseline": "identity"},
    "plots": {"methods": []},
}


@pytest.fixture
def workflow(tmp_path) -> Workflow:
    return checkout(tmp_path)


def test_each_catalogue_has_the_jobs_of_one_and_its_own_folder(workflow):
    alone, both = workflow.planned("--forceall"), workflow.planned("--forceall", overlay=TWO)
    once = {**alone, "train_generator": 3}  # the second training of plus is the first catalogue's alone
    expected = {f"catalogue_1_{rule}": count for rule, count in alone.items()}
    expected |= {f"catalogue_2_{rule}": count for rule, count in once.items()}
    assert both == {**expected, "join": 1}
    part = workflow.planned("results/catalogue-2/report/index.html", overlay=TWO)
    assert part == {rule: count for rule, count in both.items() if "catalogue_2_" in rule and "package" not in rule}


def test_catalogues_meet_in_the_joined_tables_alone(tmp_path):
    overlay = tmp_path / "two.yaml"
    overlay.write_text("simulation: {catalogue_seeds: [1, 2]}\n")
    workflow = Workflow(PROJECT)
    dot = workflow.run("--dag", "dot", "--forceall", "--configfile", str(workflow.config), str(overlay)).stdout
    labels = {node: label.split("\\n")[0] for node, label in NODE.findall(dot)}
    catalogue = {node: found[1] for node, label in labels.items() if (found := re.match(r"catalogue_(\d)_", label))}
    assert set(catalogue.values()) == {"1", "2"}
    for parent, child in EDGE.findall(dot):
        if parent in catalogue and child in catalogue:
            assert catalogue[parent] == catalogue[child]
    joined = {labels[parent] for parent, child in EDGE.findall(dot) if labels[child] == "join"}
    parts = ("evaluate", "controls", "tables", "report")  # rows, controls, detection, and the pages that are linked to
    assert joined == {f"catalogue_{seed}_{part}" for seed in (1, 2) for part in parts}


def test_a_run_on_two_catalogues_ends_in_joined_tables(workflow):
    workflow.run("catalogue_1_report", overlay=LEAST)
    rest = workflow.planned("join", overlay=LEAST)
    assert rest.pop("join") == 1
    assert {rule[:12] for rule in rest} == {"catalogue_2_"}  # the first catalogue was made alone, and stays
    workflow.run("join", overlay=LEAST)
    assert workflow.planned("join", overlay=LEAST) == {}
    tables = workflow.folder / "results" / "tables"
    names = ("joined", "joined_paired", "joined_controls", "joined_scene_readers")
    assert {path.name for path in tables.glob("*.csv")} == {f"{name}.csv" for name in names}
    page = workflow.folder / "results" / "report" / "index.html"
    links = re.findall(r'href="([^"]*)"', page.read_text())
    assert [link.split("/")[1] for link in links] == ["catalogue-1", "catalogue-2"]
    assert all((page.parent / link).exists() for link in links)
    table = pd.read_csv(tables / "joined.csv")
    assert set(table.method) == {"identity", "jpeg"}
    assert (table.catalogues == 2).all()
    assert set(table.worst_catalogue) <= {"catalogue-1", "catalogue-2"}
    cameras = [(workflow.folder / f"results/catalogue-{seed}" / "rows" / "jpeg.csv").read_text() for seed in (1, 2)]
    assert cameras[0] != cameras[1]
