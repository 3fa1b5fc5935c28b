"""The generated parts of the README are those that the code gives."""

import importlib.util
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
