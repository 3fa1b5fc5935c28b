"""What a config would cost, against counts by hand and against the jobs that Snakemake plans."""

import pytest

from cama import cost
from cama.cli import main
from cama.errors import CamaError
from cama.models.estimator import Estimator
from cama.settings.config import load_config
from cama.settings.networks import BodySpec
from tests.workflow.conftest import PROJECT, TINY

CONFIG = load_config(PROJECT / "config.yaml", TINY)
COUNTS = cost.counted(CONFIG, None)
ROWS = cost.costs(CONFIG, COUNTS)


def test_operations_of_two_convolutions_by_hand():
    features, kernel, side = 6, 5, 32
    net = Estimator(BodySpec(features=features, downsamplings=0, blocks=0, kernel=kernel))
    one = 2 * kernel**2 * 3 * features * side**2  # a multiplication and an addition for each weight and pixel
    assert cost._passed(net, side) == 2 * one
    assert cost.trained(net, side) == 5 * one  # nobody asks for the gradient of the picture


def test_a_larger_picture_costs_in_proportion():
    net = Estimator(BodySpec(features=4, downsamplings=1, blocks=1, kernel=3))
    assert cost._passed(net, 64) == 4 * cost._passed(net, 32)


def test_the_jobs_are_those_of_the_workflow():
    """As tests/workflow/test_run plans them."""
    jobs = {kind: sum(row.jobs for row in ROWS if row.what.split()[0] == kind) for kind in KINDS}
    assert jobs == {"estimator": 2, "evaluator": 3, "generator": 3, "classifier": 4, "attack": 3, "evaluation": 6}
    items = {row.what: row.items for row in ROWS}
    assert items["generator plus"] == 2 * 6 * 4  # trainings, steps, patches a step
    assert items["evaluation"] == sum(COUNTS.pictures.values()) * 2 * 2  # saves, whole and cut


KINDS = ("estimator", "evaluator", "generator", "classifier", "attack", "evaluation")


def test_the_pictures_are_those_of_the_finished_run():
    """Of four photographs of each of two known models and one unknown."""
    assert COUNTS.roles == {"adversary": 16, "examiner": 16, "test": 8, "examiner_outdist": 2, "test_outdist": 4}
    assert COUNTS.pictures == {"identity": 12, "jpeg": 12, "cama": 16, "oracle": 16, "plus": 32, "pgd": 4}


def test_disk_is_what_the_fields_take():
    assert cost.disk(CONFIG, COUNTS) == {"patches": 46 * 128**2 * 12, "attacked": 92 * 128**2 * 3}


def test_a_data_set_is_counted_as_expected_or_as_said():
    dresden = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden.yaml")
    found = cost.counted(dresden, None)
    assert (found.roles["adversary"], found.roles["examiner"]) == (2508, 2574)
    assert found.pictures["cama"] == 600 * 5 + 600 * 6  # of 100 photographs a model
    assert cost.counted(dresden, 10).roles["adversary"] == 6 * 2 * 10
    sample = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden-sample.yaml")
    with pytest.raises(CamaError, match="--photographs: found none"):
        cost.counted(sample.model_copy(update={"split": sample.split.model_copy(update={"expected": {}})}), None)


def test_the_command_prints_hours_at_a_rate(capsys):
    files = [str(PROJECT / "config.yaml"), str(TINY)]
    assert main(["cost", *files, "--tflops", "0.001"]) == 0
    said = capsys.readouterr().out
    hours = sum(row.total for row in ROWS) / 1e9 / 3600
    assert (
        f"| **all** | {sum(row.jobs for row in ROWS)} | | | {sum(row.total for row in ROWS) / 1e15:.4g} | {hours:.3g} |"
        in said
    )
    assert "Hours at 0.001 TFLOP/s. Disk: patches 0.0 GB" in said
    assert main(["cost", *files, "--tflops", "0"]) == 1
    assert "--tflops: found 0, expected more than 0" in capsys.readouterr().err
