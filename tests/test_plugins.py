"""Registries take what an installed package offers: that of `tests/plugin`."""

import json
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import cama
from cama import plugins
from cama.commands.main import main
from cama.core.errors import CamaError
from cama.data.attacked import open_attacked
from cama.models.classifiers import load_classifier
from cama.settings.attacks import MethodSpec
from cama.settings.networks import ClassifierNetSpec
from cama.settings.spec import parse
from cama.settings.stages import AttackStageSpec, ManifestSpec, TrainClassifierSpec
from cama.workflow.code_inputs import code_digest, code_files
from tests.commands.helpers import LABELS, write_patches

SAMPLE = Path(__file__).with_name("plugin")
PROJECT = SAMPLE.parents[1]
NAMES = {
    "frontends": {"laplacian"},
    "architectures": {"pooled"},
    "attacks": {"misshapen", "posterise", "towards_grey"},
    "conventions": {"dashed"},
    "judges": {"brightest", "fails", "misshapen_judge"},
}


def run(*arguments: object) -> int:
    return main(["stage", *map(str, arguments)])


REGISTRIES = {name: getattr(cama, name.upper()) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_registry_has_the_names_of_the_package_while_it_is_installed(name, package):
    registry = REGISTRIES[name]
    assert set(registry) - set(registry.builtin) == NAMES[name]
    assert len(registry) == len(registry.builtin) + len(NAMES[name])
    assert all(registry[added] is not None for added in NAMES[name])
    with pytest.raises(KeyError):
        registry["nothing"]


@pytest.mark.parametrize("name", NAMES)
def test_without_the_package_its_names_are_unknown(name):
    assert not set(REGISTRIES[name]) & NAMES[name]


def test_the_names_of_the_package_are_valid_settings_while_it_is_installed(package):
    net = {"frontend": "laplacian", "architecture": "pooled"}
    assert parse(ClassifierNetSpec, net, "config").frontend == "laplacian"
    assert parse(MethodSpec, {"kind": "posterise", "options": {"step": 8}}, "config").targeted is False
    assert parse(MethodSpec, {"kind": "towards_grey"}, "config").targeted is True


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (
            ClassifierNetSpec,
            {"frontend": "laplacian"},
            "frontend: found 'laplacian', expected one of 'rgb', 'con_conv'",
        ),
        (ClassifierNetSpec, {"architecture": "pooled"}, "architecture: found 'pooled', expected one of 'small'"),
        (MethodSpec, {"kind": "posterise"}, "kind: found 'posterise', expected one of 'identity'"),
        (
            MethodSpec,
            {"kind": "median", "strength": 3, "options": {"a": 1}},
            "options: found some, but median has none",
        ),
    ],
)
def test_an_unknown_name_is_one_line(kind, values, words):
    with pytest.raises(CamaError, match=words):
        parse(kind, values, "config")


def test_nothing_of_the_package_is_imported_before_it_is_used(package):
    assert "laplacian" in REGISTRIES["frontends"]
    parse(ClassifierNetSpec, {"frontend": "laplacian"}, "config")
    assert plugins.source_files(plugins.FRONTENDS) == [package]
    assert "cama_sample" not in sys.modules
    REGISTRIES["frontends"]["laplacian"]
    assert "cama_sample" in sys.modules


def test_a_stage_that_can_use_the_package_depends_on_its_files(package):
    using = ("train_classifier", "attack", "manifest", "evaluate")
    assert {stage: package in code_files(f"cama.stages.{stage}") for stage in using} == dict.fromkeys(using, True)
    assert package not in code_files("cama.stages.tables")
    assert package not in code_files("cama.stages.simulate")


def test_a_name_that_is_built_in_or_given_twice_is_refused(monkeypatch):
    def installed(*entries: tuple[str, str]):
        made = [EntryPoint(name, value, plugins.FRONTENDS) for name, value in entries]
        monkeypatch.setattr(plugins, "entry_points", lambda group: made)
        plugins.installed.cache_clear()

    try:
        installed(("rgb", "somewhere:rgb"))
        with pytest.raises(CamaError, match="found 'rgb' in somewhere:rgb, which is the name of a built-in one"):
            list(REGISTRIES["frontends"])
        installed(("a", "one:a"), ("a", "two:a"))
        with pytest.raises(CamaError, match="found 'a' in one:a and in two:a, expected one of them"):
            list(REGISTRIES["frontends"])
        installed(("a", "no_such_package:a"))
        with pytest.raises(CamaError, match="'a' of no_such_package:a cannot be imported"):
            REGISTRIES["frontends"]["a"]
    finally:
        plugins.installed.cache_clear()


def test_a_module_of_a_namespace_package_counts_too(tmp_path, monkeypatch):
    folder = tmp_path / "acme" / "cameras"
    folder.mkdir(parents=True)
    (folder / "net.py").write_text("def net(): ...")
    (tmp_path / "acme" / "other.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint("a", "acme.cameras.net:net", plugins.FRONTENDS)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    plugins.installed.cache_clear()
    try:
        assert plugins.source_files(plugins.FRONTENDS) == [folder / "net.py"]
    finally:
        plugins.installed.cache_clear()


def test_where_a_package_is_installed_does_not_change_the_digest(package, tmp_path, monkeypatch):
    before = code_digest("cama.stages.train_classifier")
    moved = shutil.copytree(SAMPLE, tmp_path / "a-place-that-sorts-first")
    monkeypatch.setattr(sys, "path", [str(moved), *(path for path in sys.path if path != str(SAMPLE))])
    plugins.installed.cache_clear()
    assert plugins.source_files(plugins.FRONTENDS) == [moved / "cama_sample.py"]
    assert code_digest("cama.stages.train_classifier") == before
    (moved / "cama_sample.py").write_text("changed = True")
    assert code_digest("cama.stages.train_classifier") != before


# ---- through the stages


def test_a_classifier_of_the_package_trains_and_is_read_again(package, tmp_path):
    net = {"frontend": "laplacian", "architecture": "pooled", "width": 4}
    spec = TrainClassifierSpec(classifier={"net": net, "training": {"steps": 3, "batch": 4}})
    patches, out = write_patches(tmp_path / "p.h5"), tmp_path / "f.safetensors"
    paths = ("--patches", patches, "--out", out, "--curve", tmp_path / "c.csv", "--state", tmp_path / "s")
    assert run("train-classifier", "--spec", spec.to_json(), *paths) == 0
    classifier, labels = load_classifier(out)
    assert labels == LABELS
    assert classifier.frontend.gain != 1  # measured on the first batch, as of every high-pass signal
    table = cama.score([np.zeros((64, 64, 3), np.uint8)], [out], device="cpu")
    assert table.predicted.isin(LABELS).all()


@pytest.mark.parametrize(
    ("kind", "options", "targets"), [("posterise", {"step": 64}, {-1}), ("towards_grey", {}, {0, 1})]
)
def test_an_attack_of_the_package_attacks(kind, options, targets, package, tmp_path):
    spec = AttackStageSpec(name="mine", method={"kind": kind, "options": options}, targets=LABELS)
    patches, out = write_patches(tmp_path / "p.h5"), tmp_path / "a.h5"
    assert run("attack", "--spec", spec.to_json(), "--inside", patches, "--outside", patches, "--out", out) == 0
    with open_attacked(out) as file:
        assert set(file.aims.tolist()) == targets
        images = file.images(slice(0, 3))
    if kind == "posterise":
        assert (images % 64 == 0).all()
    assert json.loads(out.with_name("a.h5.provenance.json").read_text())["spec"]["method"]["kind"] == kind


def test_a_convention_of_the_package_names_photographs(package, tmp_path):
    for device in (0, 1):
        for number in (1, 2):
            pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"Nikon-D70-{device}-{number}.jpg")
    Image.fromarray(pixels).save(tmp_path / "poster.jpg")
    spec = ManifestSpec(dataset={"kind": "dashed", "root": str(tmp_path)}, models=["Nikon_D70"], smallest=32)
    out = ("--out", tmp_path / "m.csv", "--broken", tmp_path / "b.csv")
    paths = ("--photographs", tmp_path, "--root", tmp_path, *out)
    assert run("manifest", "--spec", spec.to_json(), *paths) == 0
    manifest = pd.read_csv(tmp_path / "m.csv")
    assert manifest.device.tolist() == [0, 0, 1, 1]
    assert manifest.number.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("misshapen", {}, "attack misshapen: found pictures of float64 (1, 16, 32, 3), expected uint8 (1, 32, 32, 3)"),
        ("posterise", {}, "attack posterise: options: KeyError: 'step'"),
    ],
)
def test_what_an_attack_of_the_package_does_wrong_is_one_line(kind, options, words, package, tmp_path, capsys):
    spec = AttackStageSpec(name="mine", method={"kind": kind, "options": options}, targets=LABELS)
    patches, out = write_patches(tmp_path / "p.h5"), tmp_path / "a.h5"
    assert run("attack", "--spec", spec.to_json(), "--inside", patches, "--outside", patches, "--out", out) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_options_that_an_attack_does_not_take_are_an_error_of_the_config(package, tmp_path):
    overlay = tmp_path / "o.yaml"
    overlay.write_text("attack: {methods: {mine: {kind: posterise, options: {stop: 8}}}}")
    with pytest.raises(CamaError, match=r"attack\.methods\.mine\.options: KeyError: 'step'"):
        cama.load_config(PROJECT / "config.yaml", overlay)
    overlay.write_text("attack: {methods: {mine: {kind: posterise, options: {step: 8}}}}")
    assert cama.load_config(PROJECT / "config.yaml", overlay).attack.methods["mine"].options == {"step": 8}
