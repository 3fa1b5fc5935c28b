"""What a config would cost, against counts by hand and against the jobs that Snakemake plans."""

import pytest

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.models.estimator import Estimator
from cama.settings.config import load_config
from cama.settings.networks import BodySpec
from cama.workflow import cost
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
    assert jobs == {
        "estimator": 2,
        "evaluator": 3,
        "generator": 3,
        "classifier": 4,
        "detector": 1,
        "attack": 3,
        "evaluation": 6,
    }
    items = {row.what: row.items for row in ROWS}
    assert items["generator plus"] == 2 * 6 * 4  # trainings, steps, patches a step
    assert items["evaluation"] == sum(COUNTS.pictures.values()) * 2 * 2  # saves, whole and cut


KINDS = ("estimator", "evaluator", "generator", "classifier", "detector", "attack", "evaluation")


def test_the_pictures_are_those_of_the_finished_run():
    """Of four photographs of each of two known models and one unknown."""
    aligned = {"adversary": 16, "examiner": 16, "examiner_outdist": 2, "test": 8, "test_outdist": 4}
    again = {"examiner": 16, "test": 8}  # for the control of the crop phase
    assert COUNTS.files == {
        **{(role, "aligned"): count for role, count in aligned.items()},
        **{(role, "random"): count for role, count in again.items()},
    }
    assert COUNTS.pictures == {"identity": 12, "jpeg": 12, "cama": 16, "oracle": 16, "plus": 32, "pgd": 4}


def test_disk_is_what_the_fields_take():
    assert cost.disk(CONFIG, COUNTS) == {"patches": 70 * 128**2 * 12, "attacked": 92 * 128**2 * 3}


def test_a_data_set_is_counted_as_expected_and_as_said():
    dresden = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden.yaml")
    found = cost.counted(dresden, 209)
    assert (found.files["adversary", "aligned"], found.files["examiner", "aligned"]) == (2508, 2574)
    assert found.files["test", "aligned"] == 6 * 209
    assert found.pictures["cama"] == 600 * 5 + 600 * 6  # of 100 photographs a model
    with pytest.raises(CamaError, match="--photographs: found none, expected how many each device of the test has"):
        cost.counted(dresden, None)
    for config, wrong in ((dresden, 0), (CONFIG, 5)):
        with pytest.raises(CamaError, match=f"--photographs: found {wrong}, expected"):
            cost.counted(config, wrong)


def test_a_device_that_two_roles_name_divides_its_photographs():
    sample = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden-sample.yaml")
    found = cost.counted(sample, 10).files
    assert [found[role, "aligned"] for role in ("adversary", "examiner", "test")] == [20, 10, 10]


def test_what_no_method_needs_is_not_counted():
    methods = {name: method for name, method in CONFIG.attack.methods.items() if name in ("identity", "cama")}
    less = CONFIG.model_copy(update={"attack": CONFIG.attack.model_copy(update={"methods": methods})})
    named = [row.what for row in cost.costs(less, cost.counted(less, None))]
    assert "generator cama" in named
    assert not {"generator plus", "evaluator rgb"} & set(named)


def test_the_estimator_that_streams_share_is_counted_once():
    spec = CONFIG.adversary.generators["cama"]
    nets = {
        n: cost._classifier(2, CONFIG.adversary.evaluators[n].net, CONFIG.adversary.estimator) for n in ("high", "low")
    }
    both, high, low = (
        cost.generator_step(2, spec, [nets[n] for n in names], 32) for names in (("high", "low"), ("high",), ("low",))
    )
    none = cost.generator_step(2, spec, [], 32)
    assert both < high + low - none


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
