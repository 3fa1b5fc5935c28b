"""The generated parts of the README are those that the code gives."""

import importlib.util
import json
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", PROJECT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_config_table_is_up_to_date(generate):
    assert generate.config_table() in (PROJECT / "README.md").read_text()


def test_the_rule_graph_is_up_to_date(generate):
    assert generate.rule_graph() in (PROJECT / "README.md").read_text()


def test_the_table_of_bench_has_a_row_for_each_and_may_lack_the_original(generate, tmp_path):
    machine = {"precision": "bfloat16", "torch": "2.15.0+cpu", "flags": ["avx2"], "tflops": 2.284}
    row = {"name": "net", "about": "a step", "unit": "patches/s", "figure": 37190.4, "original": 1971, "share": 0.25}
    rows = [row, {**row, "name": "other", "figure": 0.0568, "original": None, "share": None}]
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"machine": machine, "rows": rows}))
    head, _, first, second, *_, about = generate.bench_table(file).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, first, second)]
    assert cells == [
        ["row", "what", "unit", "original", "here", "of a product's rate"],
        ["net", "a step", "patches/s", "1,971", "37,190", "25%"],
        ["other", "a step", "patches/s", "", "0.0568", ""],
    ]
    assert about == "bfloat16, torch 2.15.0, processor with avx2; a large product: 2.28 TFLOP/s."
