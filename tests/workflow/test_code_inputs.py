"""Which files a stage's results depend on."""

import ast
import importlib
import sys
from functools import cache
from pathlib import Path

import pytest

from cama.commands.stage import STAGES
from cama.workflow import code_inputs

PACKAGE = code_inputs.PACKAGE


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
STAGE_MODULES = sorted({stage.module for stage in STAGES.values()})
TRAININGS = [name for name in STAGE_MODULES if "train_" in name]


@cache
def imported(path: Path) -> frozenset[str]:
    """Names of this package in a module's import statements."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import, which cama.workflow.code_inputs does not follow"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name in MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_direct_imports_are_those_of_the_source(name):
    assert code_inputs.direct_imports(name) == imported(MODULES[name]) - {name}


# ---- the code behind a stage


def test_tables_depend_on_no_training_and_no_generator():
    closure = code_inputs.closure("cama.stages.tables")
    assert "cama.reporting.tables" in closure
    assert "cama.models.generator" not in closure
    assert not [
        name for name in closure if name.startswith(("cama.training", "cama.forensics.residual", "cama.simulation"))
    ]


def test_classifiers_depend_on_nothing_of_the_attack():
    closure = code_inputs.closure("cama.stages.train_classifier")
    assert {"cama.models.classifiers", "cama.training.classifier", "cama.training.loop"} <= set(closure)
    forbidden = (
        "cama.models.discriminator",
        "cama.models.generator",
        "cama.models.evaluator",
        "cama.training.generator",
    )
    assert not set(forbidden) & set(closure)
    assert "cama.training.losses" not in closure


def test_generators_depend_on_its_losses_and_networks():
    names = ("training.losses", "training.loop", "models.generator", "models.discriminator", "models.evaluator")
    assert {f"cama.{name}" for name in names} <= set(code_inputs.closure("cama.stages.train_generator"))


def test_the_estimator_depends_on_no_classifier():
    assert "cama.models.classifiers" not in code_inputs.closure("cama.stages.train_estimator")


@pytest.mark.parametrize("stage", TRAININGS)
def test_no_training_depends_on_plots_tables_scores_attacks_or_the_command_line(stage):
    above = ("cama.reporting", "cama.evaluation", "cama.attacks", "cama.commands", "cama.simulation")
    assert not [name for name in code_inputs.closure(stage) if name.startswith(above)]


@pytest.mark.parametrize("stage", STAGE_MODULES)
def test_no_stage_depends_on_another_or_on_the_settings(stage):
    closure = set(code_inputs.closure(stage))
    assert stage in closure
    others = {name for name in closure if name.startswith("cama.stages.")} - {stage, "cama.stages.resume"}
    assert not others
    assert not closure & {"cama", "cama.core.errors"}
    assert not [name for name in closure if name.startswith("cama.commands")]
    assert not [name for name in closure if name.startswith("cama.settings")]


def test_simulating_depends_on_no_network():
    closure = code_inputs.closure("cama.stages.simulate")
    assert "cama.simulation.catalogue" in closure
    above = [name for name in closure if name.startswith(("cama.models", "cama.training", "cama.data"))]
    assert above == ["cama.data.listing", "cama.data.scenes"]  # of the photographs that may serve as scenes


@pytest.fixture
def fresh():
    """Puts the package's modules back after a test that imported them anew."""
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "cama"}

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cama"]:
            del sys.modules[name]

    yield forget
    forget()
    sys.modules.update(kept)


@pytest.mark.parametrize("stage", STAGE_MODULES)
def test_the_closure_holds_all_that_python_loads_for_a_stage(stage, fresh):
    closure = set(code_inputs.closure(stage))
    settings = [name for name in MODULES if name.startswith("cama.settings")]
    # what the settings need is left out with them
    left_out = {*code_inputs.LEFT_OUT, *settings}.union(*(imported(MODULES[name]) for name in settings))
    fresh()
    importlib.import_module(stage)
    loaded = {name for name in sys.modules if name in MODULES and MODULES[name].stat().st_size}
    assert stage in loaded
    assert not loaded - left_out - closure


def test_modules_take_specs_alone_from_the_settings():
    taken = {
        (name, node.module, alias.name)
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("cama.settings.")
        for alias in node.names
        if not name.startswith("cama.settings.")
    }
    assert len(taken) > 20
    found = {(name, value): getattr(importlib.import_module(module), value) for name, module, value in taken}
    constants = {place for place, value in found.items() if not callable(value)}
    assert not constants


def test_only_specs_errors_and_the_version_are_left_out():
    assert set(code_inputs.LEFT_OUT) == {"cama.settings", "cama.core.errors", "cama"}
    assert code_inputs.left_out("cama.settings.data")
    assert not code_inputs.left_out("cama.settingsx")


# ---- on a package of a test's own


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package named cama with a few modules."""
    root = tmp_path / "cama"
    files = {
        "__init__.py": "'the package'\n",
        "settings/__init__.py": "",
        "settings/config.py": "A = 1\n",
        "low.py": "B = 2\n",
        "lazy.py": "C = 3\n",
        "alone.py": "D = 4\n",
        "parts/__init__.py": "",
        "parts/middle.py": "import json\nfrom cama.low import B\nfrom cama.settings import config\n",
        "parts/high.py": "from cama.parts import middle as m\n\ndef late():\n    import cama.lazy\n",
        "parts/template.py": "from cama import lazy\nNAME = 'page.html.jinja'\n",
        "parts/page.html.jinja": "<p>{{ text }}</p>\n",
        "parts/other.jinja": "{{ text }}\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(code_inputs, "PACKAGE", root)
    code_inputs.direct_imports.cache_clear()
    yield root
    code_inputs.direct_imports.cache_clear()


def test_the_closure_follows_every_import_late_ones_too(package):
    middle = ["cama.low", "cama.parts.middle"]
    assert code_inputs.closure("cama.parts.middle") == middle
    assert set(code_inputs.closure("cama.parts.high")) - {"cama.parts"} == {"cama.lazy", "cama.parts.high", *middle}


def test_code_files_leave_out_empty_ones(package):
    names = [path.relative_to(package).as_posix() for path in code_inputs.code_files("cama.parts.high")]
    assert sorted(names) == ["lazy.py", "low.py", "parts/high.py", "parts/middle.py"]


def test_code_files_hold_the_data_files_that_a_module_names(package):
    names = [path.relative_to(package).as_posix() for path in code_inputs.code_files("cama.parts.template")]
    assert names == ["lazy.py", "parts/page.html.jinja", "parts/template.py"]


@pytest.mark.parametrize(("edited", "changes"), [("parts/page.html.jinja", True), ("parts/other.jinja", False)])
def test_the_digest_changes_with_a_template_that_a_module_names(package, edited, changes):
    before = code_inputs.code_digest("cama.parts.template")
    (package / edited).write_text("<b>{{ text }}</b>\n")
    assert (code_inputs.code_digest("cama.parts.template") != before) == changes


def test_the_report_depends_on_its_template_and_the_controls_on_the_real_photographs():
    reporting, forensics = PACKAGE / "reporting", PACKAGE / "forensics"
    assert reporting / "report.html.jinja" in code_inputs.code_files("cama.stages.report")
    assert forensics / "real_reference.json" in code_inputs.code_files("cama.stages.controls")
    assert reporting / "report.html.jinja" not in code_inputs.code_files("cama.stages.tables")
    pages = {"page.html.jinja", "joined.html.jinja"}
    assert {path.name for path in code_inputs.code_files("cama.stages.join") if path.suffix == ".jinja"} == pages


@pytest.mark.parametrize(("edited", "changes"), [("low.py", True), ("lazy.py", True), ("alone.py", False)])
def test_the_digest_changes_with_the_files_behind_a_module_alone(package, edited, changes):
    before = code_inputs.code_digest("cama.parts.high")
    (package / edited).write_text("E = 5\n")
    assert (code_inputs.code_digest("cama.parts.high") != before) == changes


def test_the_digest_does_not_change_with_the_settings(package):
    before = code_inputs.code_digest("cama.parts.high")
    (package / "settings" / "config.py").write_text("A = 2\n")
    assert code_inputs.code_digest("cama.parts.high") == before


def test_modules_of_others_have_no_file_here():
    assert code_inputs.module_path("json") is None
    assert code_inputs.module_path("cama.settings.config") == PACKAGE / "settings" / "config.py"
    assert code_inputs.module_path("cama.models") == PACKAGE / "models" / "__init__.py"
