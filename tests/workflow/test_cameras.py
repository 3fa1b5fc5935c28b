"""The experiment on real cameras: what it plans, on empty files of its photographs' names, and that these are their names."""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from cama.data.conventions import folder
from cama.data.listing import list_photographs
from cama.settings.loading import load_config
from cama.settings.stages import stage_spec
from cama.workflow.cost import count_pictures
from tests.real_photographs import DRESDEN
from tests.workflow.conftest import PROJECT, checkout

OVERLAYS = [PROJECT / "config" / name for name in ("cameras.yaml", "cameras-quick.yaml")]
CONFIG, QUICK = (load_config(PROJECT / "config.yaml", *OVERLAYS[:count]) for count in (1, 2))
CAMERAS = DRESDEN.parent / "cameras"
# photographs of each model, which the parts 0, 1 and 2 share evenly; the first parts take the remainder
PHOTOGRAPHS = {
    **{
        "Canon SX260": 45,
        "Canon S100": 45,
        "Canon A3300": 27,
        "Canon 1100D": 45,
        "Canon 600D": 45,
        "Parrot Sequoia": 28,
    },
    **{"Canon 450D": 41, "Nikon P330": 45, "Google Pixel": 33, "OnePlus A3003": 45, "Canon 700D": 45},
}


def by_role(counts: dict[tuple[str, str], int]) -> dict[str, int]:
    """How many photographs each role has, of how many each model and device has."""
    models, split = CONFIG.models, CONFIG.split
    return {
        **{
            role: sum(counts[model, str(device)] for model in models.in_distribution for device in devices)
            for role, devices in split.in_distribution.model_dump().items()
        },
        "test_outdist": sum(
            counts[model, str(device)]
            for model in models.out_of_distribution
            for device in split.out_of_distribution.test
        ),
    }


def test_attack_and_save_see_the_whole_photograph_and_f_all_that_a_random_place_leaves():
    assert CONFIG.patches.window == 1024
    for config in (CONFIG, QUICK):
        random = config.model_copy(update={"patches": config.patches.model_copy(update={"phase": "random"})})
        assert random.smallest == 1024
        assert config.dataset.one_body
        assert not {"oracle"} & set(config.attack.methods)
    assert not QUICK.models.out_of_distribution


def test_what_is_given_away_says_that_each_model_is_one_body():
    assert json.loads(stage_spec(CONFIG, "package", method="cama"))["dataset"] == "folder, one body a model"
    assert json.loads(stage_spec(CONFIG, "report"))["dataset"]["one_body"]


def test_no_two_roles_share_a_photograph():
    devices = CONFIG.split.in_distribution
    assert (devices.adversary, devices.examiner, devices.test) == ((0,), (1,), (2,))
    assert (CONFIG.split.out_of_distribution.examiner, CONFIG.split.out_of_distribution.test) == ((), (2,))
    assert CONFIG.split.policy == "device"


def test_the_cost_needs_no_more_than_the_config():
    found = count_pictures(CONFIG, None)
    assert found.pictures["cama"] == 6 * 12 * 5 + 5 * 12 * 6  # some models have fewer than 12
    assert count_pictures(QUICK, None).pictures["cama"] == 6 * 6 * 5


@pytest.mark.skipif(not CAMERAS.is_dir(), reason="shared/data/cameras is not beside the repository")
def test_the_photographs_are_those_that_the_split_expects():
    paths = list_photographs(CAMERAS).photographs
    origins = [folder(path.relative_to(CAMERAS).as_posix(), path) for path in paths]
    counts = Counter((origin.model, origin.device) for origin in origins)
    assert {model for model, _ in counts} == {*CONFIG.models.in_distribution, *CONFIG.models.out_of_distribution}
    assert by_role(counts) == CONFIG.split.expected
    assert Counter(path.parent.parent.name for path in paths) == PHOTOGRAPHS


@pytest.mark.parametrize("quick", [False, True], ids=["cameras", "cameras-quick"])
def test_a_dry_run_plans_every_stage(tmp_path: Path, quick: bool):
    for model, count in PHOTOGRAPHS.items():
        for number in range(count):
            path = tmp_path / "shared/data/cameras" / model / str(number * 3 // count) / f"{number:03}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (tmp_path / "checkout").mkdir()
    overlay = yaml.safe_load(OVERLAYS[1].read_text()) if quick else None
    planned = checkout(tmp_path / "checkout", OVERLAYS[0]).planned(overlay=overlay)
    config = QUICK if quick else CONFIG
    assert planned["attack"] == planned["evaluate"] == len(config.attack.methods)
    assert planned["train_classifier"] == len(config.examiner.classifiers)
    for rule in ("manifest", "check_split", "profiles", "controls", "tables", "report"):
        assert planned[rule] == 1
    assert planned["train_generator"] == len(config.adversary.generators)
    assert planned["package"] == sum(bool(method.generator) for method in config.attack.methods.values())


def test_the_file_that_comes_with_cama_has_the_training_of_this_experiment_and_free_photographs():
    shipped = load_config(PROJECT / "config.yaml", PROJECT / "config" / "shipped.yaml")
    method = shipped.attack.methods["shipped"]
    generator = shipped.adversary.generators[method.generator]
    wider = generator.generator.model_copy(update={"features": 32})  # half as many take a third of the time
    assert generator.model_copy(update={"generator": wider}) == CONFIG.adversary.generators["cama-plus"]
    assert generator.generator.input == "rgb"
    for name in (*generator.evaluators, *generator.judges):
        assert shipped.adversary.evaluators[name] == CONFIG.adversary.evaluators[name]
    assert shipped.examiner == CONFIG.examiner
    assert (shipped.models, shipped.split.in_distribution, shipped.patches) == (
        CONFIG.models,
        CONFIG.split.in_distribution,
        CONFIG.patches,
    )
    free = set(shipped.models.in_distribution)  # those that README of the photographs calls CC0 or CC BY
    assert free == {"Canon_SX260", "Canon_S100", "Parrot_Sequoia", "Canon_A3300", "Canon_1100D", "Canon_600D"}
    assert not shipped.split.out_of_distribution.examiner  # the others are tested on alone
    assert shipped.card.licence
    assert all(name in shipped.card.credits for name in ("Zaborowski", "Bonacchi", "MicroPasts", "OpenDroneMap"))
