"""A classifier that is no network and one that is, from their trainings to the rows of an attack."""

from pathlib import Path

import pandas as pd
import pytest

from cama.commands.main import main
from cama.models.classifiers import load_classifier
from cama.settings.stages import AttackStageSpec, EvaluateStageSpec, TrainClassifierSpec
from cama.settings.training import ComputeSpec
from tests.commands.helpers import LABELS, refusal, write_patches

ROLES = {"forensic": "other_family", "network": "same_family"}
NETS = {
    "forensic": {"architecture": "cooccurrences"},
    "network": {"frontend": "con_conv", "architecture": "small", "width": 4},
}
CPU = ComputeSpec(device="cpu")


def evaluation(folder: Path, roles: dict[str, str]) -> list[str]:
    """The command that scores the pictures of `folder` under both classifiers."""
    spec = EvaluateStageSpec(roles=roles, size=32, compute=CPU)
    crops = folder / "test.h5"
    paths = ("--attacked", folder / "a.h5", "--inside", crops, "--outside", crops, "--out", folder / "rows.csv")
    classifiers = [folder / f"{name}.safetensors" for name in ROLES]
    return ["stage", "evaluate", "--spec", spec.to_json(), *map(str, (*paths, "--classifiers", *classifiers))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Both classifiers, trained on small patches, and larger crops that are attacked by doing nothing."""
    folder = tmp_path_factory.mktemp("roles")
    patches, crops = write_patches(folder / "p.h5"), write_patches(folder / "test.h5", side=176)
    for name, net in NETS.items():
        spec = TrainClassifierSpec(classifier={"net": net, "training": {"steps": 4, "batch": 6}}, compute=CPU)
        paths = ("--patches", patches, "--state", folder / "s", "--curve", folder / f"{name}.csv")
        call = ("train-classifier", "--spec", spec.to_json(), *paths, "--out", folder / f"{name}.safetensors")
        assert main(["stage", *map(str, call)]) == 0
    spec = AttackStageSpec(targets=LABELS, compute=CPU)
    paths = ("--inside", crops, "--outside", crops, "--out", folder / "a.h5")
    assert main(["stage", "attack", "--spec", spec.to_json(), *map(str, paths)]) == 0
    return folder


def test_the_curve_of_what_is_fitted_at_once_has_one_row(folder):
    assert pd.read_csv(folder / "forensic.csv").step.tolist() == [4]
    assert len(pd.read_csv(folder / "network.csv")) == 4


def test_each_row_has_the_role_and_the_prediction_of_its_classifier(folder):
    assert main(evaluation(folder, ROLES)) == 0
    rows = pd.read_csv(folder / "rows.csv")
    assert dict(zip(rows.classifier, rows.role, strict=True)) == ROLES
    assert rows.groupby("classifier").size().nunique() == 1
    assert rows.predicted.isin(load_classifier(folder / "forensic.safetensors")[1]).all()


def test_a_classifier_without_a_role_is_refused_by_name(folder, capsys):
    found = refusal(capsys, *evaluation(folder, {"network": "same_family"}))
    assert "roles: found none of 'forensic'" in found
