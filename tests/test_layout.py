"""The size of what a reader meets: modules, files and functions. The order of imports is import-linter's, in pyproject.toml."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "cama"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LOOSE, MOST_LINES, MOST_FUNCTION_LINES = 3, 400, 60
RULES = sorted((PROJECT / "rules").glob("*.smk"))


def test_imports_run_one_way():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-logo"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_modules_beside_the_folders_are_few():
    loose = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert len(loose) <= MOST_LOOSE, loose


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_and_its_functions_can_be_read_at_once(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {
        f"{node.name}, line {node.lineno}": node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES} == {}


def test_the_workflow_is_short():
    lines = {path.name: len(path.read_text().splitlines()) for path in (*RULES, PROJECT / "Snakefile")}
    assert len(lines) == 11, lines
    assert sum(lines.values()) <= 670, lines
    assert lines["common.smk"] <= 120


@pytest.mark.parametrize("path", [*RULES, PROJECT / "Snakefile"], ids=lambda path: path.name)
def test_a_rule_is_short(path):
    blocks = re.findall(r"^((?:use )?rule .*:\n(?:(?:[ \t].*)?\n)*)", path.read_text(), re.MULTILINE)
    assert blocks or path.name == "common.smk"
    lengths = {block.split(":")[0]: len(block.rstrip().splitlines()) for block in blocks}
    assert {rule: lines for rule, lines in lengths.items() if lines > 20} == {}
