"""What a config would cost, against counts by hand and against the jobs that Snakemake plans."""

import json

import pytest

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.settings.attacks import MethodSpec
from cama.settings.loading import load_config
from cama.workflow import cost
from tests.workflow.conftest import PROJECT, TINY

CONFIG = load_config(PROJECT / "config.yaml", TINY)
COUNTS = cost.count_pictures(CONFIG, None)
ROWS = cost.costs(CONFIG, COUNTS)


def test_the_jobs_are_those_of_the_workflow():
    """As tests/workflow/test_run plans them."""
    jobs = {kind: sum(row.jobs for row in ROWS if row.what.split()[0] == kind) for kind in KINDS}
    assert jobs == {
        "estimator": 2,
        "evaluator": 4,  # one judges
        "generator": 4,
        "classifier": 4,
        "detector": 2,
        "attack": 3,
        "evaluation": 6,
    }
    items = {row.what: row.items for row in ROWS}
    assert items["generator plus"] == 2 * 6 * 4  # trainings, steps, patches a step
    assert (items["examples cama"], items["examples cama~2"]) == (10, 16)  # of sixteen photographs
    assert items["evaluation"] == sum(COUNTS.pictures.values()) * 3 * 2  # saves, whole and cut


KINDS = ("estimator", "evaluator", "generator", "classifier", "detector", "attack", "evaluation")


def test_the_pictures_are_those_of_the_finished_run():
    """Of four photographs of each of two known models and one unknown."""
    aligned = {"adversary": 16, "examiner": 16, "examiner_outdist": 2, "test": 8, "test_outdist": 4}
    assert COUNTS.files == {(role, "aligned"): count for role, count in aligned.items()}
    assert COUNTS.pictures == {"identity": 12, "jpeg": 12, "cama": 16, "oracle": 16, "plus": 32, "pgd": 4}


def test_several_catalogues_cost_as_much_each_but_for_the_trainings_of_the_first(tmp_path, capsys):
    overlay = tmp_path / "both.yaml"
    overlay.write_text("simulation: {catalogue_seeds: [1, 2]}\n")
    config = load_config(PROJECT / "config.yaml", TINY, overlay)
    parts = [cost.costs(part, cost.count_pictures(part, None)) for part in config.catalogues]
    both, alone = ({row.what: row for row in rows} for rows in (cost.over_catalogues(parts), ROWS))
    assert list(both) == list(alone)
    assert (both["generator cama"].jobs, both["generator plus"].jobs) == (4, 3)  # each with a second training of cama
    assert both["classifier rgb"].items == 2 * alone["classifier rgb"].items
    assert main(["cost", str(PROJECT / "config.yaml"), str(TINY), str(overlay)]) == 0
    assert f"| **all** | {sum(row.jobs for row in both.values())} |" in capsys.readouterr().out


def test_disk_is_what_the_fields_take():
    patches = 16 * 12 + 16 * 9 + (2 + 8 + 4) * 3  # the adversary's with both twins, the examiner's with the residual
    assert cost.disk(CONFIG, COUNTS) == {"patches": patches * 128**2, "attacked": 92 * 128**2 * 3}


def test_a_data_set_is_counted_as_expected_and_as_said():
    dresden = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden.yaml")
    found = cost.count_pictures(dresden, 209)
    assert (found.files["adversary", "aligned"], found.files["examiner", "aligned"]) == (2508, 2574)
    assert found.files["test", "aligned"] == 6 * 209
    assert found.pictures["cama"] == 600 * 5 + 600 * 6  # of 100 photographs a model
    with pytest.raises(CamaError, match="--photographs: found none, expected how many each device of the test has"):
        cost.count_pictures(dresden, None)
    for config, wrong in ((dresden, 0), (CONFIG, 5)):
        with pytest.raises(CamaError, match=f"--photographs: found {wrong}, expected"):
            cost.count_pictures(config, wrong)


def test_a_device_that_two_roles_name_divides_its_photographs():
    sample = load_config(PROJECT / "config.yaml", PROJECT / "config" / "dresden-sample.yaml")
    found = cost.count_pictures(sample, 10).files
    assert [found[role, "random"] for role in ("adversary", "examiner", "test")] == [20, 10, 10]


def test_no_role_has_more_photographs_than_the_most_it_may():
    few = CONFIG.model_copy(update={"split": CONFIG.split.model_copy(update={"most": {"adversary": 1}})})
    every, found = (cost.count_pictures(one, None).files for one in (CONFIG, few))
    changed = {role for (role, phase), count in found.items() if count != every[role, phase]}
    assert changed == {"adversary"}
    assert found["adversary", CONFIG.phase("adversary")] == len(CONFIG.models.in_distribution)


def test_what_no_method_needs_is_not_counted():
    methods = {name: method for name, method in CONFIG.attack.methods.items() if name in ("identity", "cama")}
    less = CONFIG.model_copy(update={"attack": CONFIG.attack.model_copy(update={"methods": methods})})
    named = [row.what for row in cost.costs(less, cost.count_pictures(less, None))]
    assert "generator cama" in named
    assert not {"generator plus", "evaluator rgb"} & set(named)


def test_a_denoiser_is_trained_once_and_sees_each_picture():
    methods = {**CONFIG.attack.methods, "purify": MethodSpec(kind="purify", psnr=36)}
    more = CONFIG.model_copy(update={"attack": CONFIG.attack.model_copy(update={"methods": methods})})
    rows = {row.what: row for row in cost.costs(more, cost.count_pictures(more, None))}
    training = more.adversary.denoiser.training
    assert (rows["denoiser"].jobs, rows["denoiser"].items) == (1, training.steps * training.batch)
    assert rows["attack purify"].items == 12
    assert rows["attack purify"].operations > 0


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


def test_hours_follow_the_measured_speed_of_each_kind_of_work(tmp_path, capsys):
    parts = {"estimator": 1, "generator": 2, "classifier": 4, "classifier compiled": 8, "classifier vgg16": 16}
    parts |= {"classifier densenet100": 32, "classifier mislnet": 64}
    result = {"parts": {f"speed {name}": {"result": {"tflops": rate}} for name, rate in parts.items()}}
    file = tmp_path / "gpu.json"
    file.write_text(json.dumps(result))
    rates = cost.measured_rates(file)
    gpu = load_config(PROJECT / "config.yaml", PROJECT / "config" / "gpu.yaml")
    rows = {row.what: row for row in cost.costs(gpu, cost.count_pictures(gpu, None))}
    for what, rate in (
        ("estimator examiner", 1),
        ("generator cama", 2),
        ("evaluation", 4),
        ("classifier rgb", 8),
        ("classifier vgg16", 16),
        ("classifier densenet100", 32),
    ):
        assert cost.hours(rows[what], rates) == pytest.approx(rows[what].total / (rate * 1e12) / 3600)
    files = [str(PROJECT / "config.yaml"), str(PROJECT / "config" / "gpu.yaml")]
    assert main(["cost", *files, "--speeds", str(file)]) == 0
    assert "Hours at the measured speeds." in capsys.readouterr().out
    del result["parts"]["speed generator"]
    file.write_text(json.dumps(result))
    with pytest.raises(CamaError, match=r"gpu\.json: found no speed of generator, expected one of each"):
        cost.measured_rates(file)
    for wrong in ("[]", "{", '{"parts": {"speed x": 1}}'):
        file.write_text(wrong)
        with pytest.raises(CamaError, match=r"gpu\.json: found no result of `cama paper-scale`"):
            cost.measured_rates(file)


def test_a_short_training_is_not_compiled():
    gpu = load_config(PROJECT / "config.yaml", PROJECT / "config" / "gpu.yaml")
    spec = gpu.examiner.classifiers["rgb"]
    short = spec.model_copy(
        update={"training": spec.training.model_copy(update={"steps": gpu.compute.compile_from - 1})}
    )
    assert [cost._classifier_speed(gpu, one) for one in (spec, short)] == ["classifier compiled", "classifier"]


def test_each_step_that_refines_a_picture_costs_that_of_one_classifier():
    each = {}
    for steps in (0, 1, 2, 4):
        method = CONFIG.attack.methods["plus"].model_copy(update={"refine": steps})
        each[steps] = cost._attack_operations(CONFIG, method)
    first, both = each[1] - each[0], each[2] - each[0]
    assert 0 < first < both
    assert each[4] - each[0] == pytest.approx(2 * both)
    first_alone = CONFIG.adversary.generators[method.generator].evaluators[:1]
    method = method.model_copy(update={"evaluators": first_alone})
    assert cost._attack_operations(CONFIG, method) - each[0] == pytest.approx(4 * first)
