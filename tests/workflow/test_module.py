"""The workflow as a Snakemake module of another one, in another folder, and which package it takes: here the installed one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from tests.workflow.conftest import PROJECT, Workflow, checkout

MODULE = f"""
configfile: "config.yaml"

module cama:
    snakefile: "{PROJECT}/Snakefile"
    config: config

use rule * from cama

onsuccess:
    cama.onsuccess()
"""
RENAMED = (
    MODULE.replace("use rule * from cama", "use rule * from cama as cama_*")
    + """
use rule tables from cama as cama_tables with:
    resources:
        mem_mb=123,
        runtime=7,

rule mine:
    default_target: True
    input:
        rules.cama_all.input,
"""
)


# what the tables of a smaller run need: the tiny config's other methods and classifiers go the same way
FEWER = {
    "adversary": {"generators": {"plus": None}, "evaluators": {"rgb": None}},
    "examiner": {"classifiers": {"prnu_lp": None, "expanded": None}, "informed": {"knowing": None}},
    "attack": {"methods": dict.fromkeys(("oracle", "plus", "pgd"))},
    "detection": {"methods": [], "devices": []},
}


def outer(folder: Path, snakefile: str) -> Workflow:
    """A folder with a Snakefile of its own and the default config."""
    (folder / "Snakefile").write_text(snakefile)
    shutil.copy(PROJECT / "config.yaml", folder)
    return Workflow(folder)


def test_the_rules_can_be_renamed_and_changed(tmp_path):
    inner = outer(tmp_path, RENAMED)
    said = inner.run("--dry-run").stdout
    tables = re.search(r"^rule cama_tables:\n.*?^    resources: (.*?)$", said, re.MULTILINE | re.DOTALL)
    assert tables is not None
    assert "mem_mb=123" in tables[1]
    assert "runtime=7" in tables[1]
    planned = inner.planned()
    assert planned["cama_train_generator"] == 4
    assert {rule for rule in planned if not rule.startswith("cama_")} == {"mine"}


def test_the_module_runs_through_to_the_tables(tmp_path):
    workflow = outer(tmp_path, MODULE)
    assert workflow.planned()["report"] == 1  # the default target is the module's
    workflow.run("results/tables/summary.csv", overlay=FEWER)
    results = tmp_path / "results"
    table = pd.read_csv(results / "tables" / "summary.csv")
    assert set(table.method) == {"identity", "jpeg", "cama"}
    assert workflow.planned("results/tables/summary.csv", overlay=FEWER) == {}
    assert not list((results / "state").rglob("*.safetensors"))
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"Snakefile", "config.yaml", "overlay.yaml", "results", ".snakemake"}


def test_the_package_beside_the_snakefile_comes_before_the_installed_one(tmp_path):
    """Snakemake looks for it there also when it is called by its own command, as `python -m cama` does in jobs."""
    checkout(tmp_path)
    command = [Path(sys.executable).with_name("snakemake"), "--dry-run", "--cores", "1", "results/manifest.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "input: cama/core/" in done.stdout
    assert "../" not in done.stdout
