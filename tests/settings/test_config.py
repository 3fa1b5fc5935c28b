"""The config: what it refuses, how overlays merge, and which stage each setting reaches."""

import json
from itertools import product
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from cama.commands.stage import STAGES
from cama.core.errors import CamaError
from cama.core.names import run_names, run_of
from cama.settings.attacks import PlotsSpec
from cama.settings.config import Config
from cama.settings.data import SimulationSpec
from cama.settings.loading import load_config
from cama.settings.spec import Spec, parse, parse_json
from cama.settings.stages import TrainEstimatorSpec, TrainGeneratorSpec, stage_spec
from cama.settings.training import ClassifierSpec, LearnedSpec, Ramp

PROJECT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((Path(__file__).parent / "base.yaml").read_text())
ROLES = ("adversary", "examiner", "test", "examiner_outdist", "test_outdist")


def put(values: dict, key: str, value: object) -> dict:
    """A copy of nested `values` in which `key` (a.b.c) is `value`."""
    head, _, rest = key.partition(".")
    inner = put(values.get(head) or {}, rest, value) if rest else value
    return {**values, head: inner}


def default(**changes: object) -> Config:
    """A config of every kind of thing with changes, `a__b=1` for a.b."""
    values = DEFAULT
    for key, value in changes.items():
        values = put(values, key.replace("__", "."), value)
    return parse(Config, values, "config")


def refused(values: object, kind: type[Spec] = Config) -> str:
    """The one line that refuses `values`."""
    with pytest.raises(CamaError) as error:
        parse(kind, values, "config")
    message = str(error.value)
    assert message.startswith("config: ")
    assert "\n" not in message
    return message.removeprefix("config: ")


# ---- what parses


def test_the_default_config_parses_and_says_what_the_file_says():
    config = load_config(PROJECT / "config.yaml")
    says = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert config.examiner.classifiers.keys() == says["examiner"]["classifiers"].keys()
    said = says["adversary"]["generators"]["cama"]["loss_weights"]["pixel"]
    assert str(config.adversary.generators["cama"].loss_weights.pixel) == f"{said:g}"
    assert config.models.in_distribution == tuple(says["models"]["in_distribution"])
    assert config.simulation.photographs_outdist == says["simulation"]["photographs_outdist"]


def test_half_of_the_defaults_target_classifiers_are_of_another_family_and_one_is_no_network():
    config = load_config(PROJECT / "config.yaml")
    assert sorted(config.roles("cama").values()) == ["other_family", "other_family", "same_family", "same_family"]
    assert any(spec.net.non_neural for spec in config.examiner.classifiers.values())
    assert config.examiner.phase == "random"
    assert all(spec.augmentation.jpeg for spec in config.examiner.classifiers.values())


@pytest.mark.parametrize("path", sorted((PROJECT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_overlay_fits_over_the_default(path):
    over = [path.with_name("shipped.yaml")] if path.name == "strengths.yaml" else []  # the overlay whose methods it has
    assert load_config(PROJECT / "config.yaml", *over, path) != load_config(PROJECT / "config.yaml", *over)


def test_the_comparison_has_one_frame_for_all_learned_attacks():
    default, compared = (
        load_config(PROJECT / "config.yaml"),
        load_config(PROJECT / "config.yaml", PROJECT / "config/compare.yaml"),
    )
    cama, generators = default.adversary.generators["cama"], compared.adversary.generators
    longer = {"judges", "training"}
    assert generators["cama"].model_dump(exclude=longer) == cama.model_dump(exclude=longer)
    assert all(compared.examiner.classifiers[name] == spec for name, spec in default.examiner.classifiers.items())
    own = {"discriminators", "evaluators", "loss_weights"}  # what the methods are about
    for name in ("spoc", "misl"):
        assert generators[name].model_dump(exclude=own) == generators["cama"].model_dump(exclude=own)
    plus, own = generators["cama-plus"], {"evaluators", "encode", "target_psnr", "generator"}
    assert plus.model_dump(exclude=own) == generators["cama"].model_dump(exclude=own)
    assert plus.generator.model_copy(update={"matched": False}) == generators["cama"].generator
    assert plus.encode
    assert plus.generator.matched
    assert plus.judges == ("held_out", "numbers")
    for name in ("spoc", "misl", "cama-plus"):
        assert compared.attack.methods[name].psnr == default.attack.methods["cama"].psnr == 36
    assert not {"mislnet", "cooccurrences", "convnext"} & {
        compared.adversary.evaluators[name].net.architecture for name in compared.used_evaluators
    }


def test_cama_plus_is_one_block_of_settings():
    """The same in the claim, the comparison, the ablation and on real cameras, where E alone trains longer."""
    claim, *others = (
        load_config(PROJECT / "config.yaml", PROJECT / f"config/{name}.yaml")
        for name in ("claim-plus", "compare", "ablation", "cameras")
    )
    plus = claim.adversary.generators["cama-plus"]
    for other in others:
        assert other.adversary.generators["cama-plus"].model_dump(exclude={"runs"}) == plus.model_dump(exclude={"runs"})
        assert other.attack.methods["cama-plus"].refine == claim.attack.methods["cama-plus"].refine == 16
        for name in plus.evaluators:
            own, first = (one.adversary.evaluators[name].model_dump() for one in (other, claim))
            steps = own["training"].pop("steps"), first["training"].pop("steps")
            assert own == first
            assert steps in ((500, 500), (1000, 500))


def test_a_model_file_is_of_the_psnr_that_its_method_is_scored_at():
    compared = load_config(PROJECT / "config.yaml", PROJECT / "config/compare.yaml")
    levels = {}
    for name in (name for name, spec in compared.attack.methods.items() if spec.generator):
        attack, package = (json.loads(stage_spec(compared, stage, method=name)) for stage in ("attack", "package"))
        assert (package["name"], package["psnr"]) == (name, attack["method"]["psnr"])
        levels[name] = package["psnr"]
    assert {"cama": 36, "cama-plus": 36, "cama-plus-34": 34, "cama-plus-42": 42}.items() <= levels.items()


def test_the_defaults_of_the_specs_are_the_trainings_of_the_paper():
    cama, estimator, classifier = TrainGeneratorSpec().learned, TrainEstimatorSpec().estimator, ClassifierSpec()
    assert (cama.training.steps, cama.training.batch) == (200 * 150_000 // 128, 128)
    for spec in (estimator, classifier):
        assert spec.training.batch == 128
        assert 0 <= spec.training.steps * 128 - 90 * 150_000 < 128
    weights = [cama.loss_weights.adversarial, cama.loss_weights.pixel, cama.loss_weights.evaluator]
    assert [(ramp.start, ramp.end) for ramp in weights] == [(1, 1), (10, 10), (0.01, 0.01)]
    assert cama.generator_optimiser == cama.discriminator_optimiser
    assert (cama.generator_optimiser.name, cama.generator_optimiser.rate) == ("adam", 2e-4)
    assert (estimator.optimiser.name, estimator.optimiser.weight_decay) == ("adam", 5e-4)
    sgd = classifier.optimiser
    assert (sgd.name, sgd.rate, sgd.beta1, sgd.weight_decay, sgd.schedule) == ("sgd", 0.1, 0.9, 5e-4, "steps")
    assert (cama.generator.input, cama.generator.output) == ("remosaic", "direct")
    assert [(one.frontend, one.layers) for one in cama.discriminators] == [("con_conv", 2)]
    assert (cama.adversarial_loss, cama.pixel_loss, cama.ema_decay) == ("least_squares", "l1", 0)
    assert not (cama.augmentation.round or cama.augmentation.jpeg or cama.augmentation.resample)


def test_specs_are_frozen():
    with pytest.raises(ValidationError):
        PlotsSpec().dpi = 50


# ---- unknown keys, wrong types, wrong values


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("sed", "seed"),
        ("simulations", "simulation"),
        ("plots.dip", "dpi"),
        ("split.in_distribution.examinor", "examiner"),
        ("adversary.evaluator", "evaluators"),
        ("adversary.generators.cama.generator.feature", "features"),
        ("adversary.generators.cama.generator.ouput", "output"),  # beside the keys of the body
        ("adversary.generators.cama.loss_weights.pixels", "pixel"),
        ("attack.methods.jpeg.strengths", "strength"),
        ("examiner.classifier", "classifiers"),
        ("examiner.classifiers.rgb.optimizer", "optimiser"),
        ("examiner.classifiers.rgb.net.architectur", "architecture"),
        ("examiner.classifiers.con_conv.training.step", "steps"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_key(key, nearest):
    assert refused(put(DEFAULT, key, 1)) == f"unknown key {key!r}, the nearest known key is {nearest!r}"


# where each block of settings with renamed keys stands, in the config or in a stage's spec
RENAMED_IN = {
    "adversary.generators.cama": (LearnedSpec, Config),
    "learned": (LearnedSpec, TrainGeneratorSpec),
}
RENAMED = [(f"{at}.{old}", new, kind) for at, (block, kind) in RENAMED_IN.items() for old, new in block.RENAMED.items()]


def kinds_below(kind: type[Spec]) -> list[type[Spec]]:
    return [kind, *(below for one in kind.__subclasses__() for below in kinds_below(one))]


@pytest.mark.parametrize(("key", "new", "kind"), RENAMED, ids=[f"{kind.__name__} {key}" for key, _, kind in RENAMED])
def test_an_old_key_is_refused_with_its_new_name(key, new, kind):
    assert refused(put(DEFAULT if kind is Config else {}, key, 1), kind) == f"{key} is now called {new!r}"


def test_every_renamed_key_is_tried_and_leads_to_a_key():
    assert len(RENAMED) == 8
    for kind in kinds_below(Spec):
        assert set(kind.RENAMED.values()) <= set(kind.model_fields)
        assert not set(kind.RENAMED) & set(kind.model_fields)
        assert not kind.RENAMED or any(issubclass(kind, block) for block, _ in RENAMED_IN.values())


def test_an_unknown_key_of_a_classifier_that_is_called_net_is_refused_with_the_nearest_key():
    assert "'training'" in refused(put(DEFAULT, "examiner.classifiers.net.trainig", {}))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("seed", "abc", "valid integer"),
        ("seed", -1, "greater than or equal to 0"),
        ("patches.size", 12.5, "integer"),
        ("patches", 3, "dictionary"),
        ("models.in_distribution", "Alcyon_A10", "tuple"),
        ("split.in_distribution.test.", None, "integer"),
        ("simulation.width", 330, "multiple of 16"),
        ("patches.phase", "shifted", "'aligned' or 'random'"),
        ("adversary.generators.cama.pixel_loss", "l3", "'l2'"),
        ("adversary.generators.cama.generator_optimiser.rate", 0, "greater than 0"),
        ("adversary.generators.cama.loss_weights.evaluator", "much", "dictionary"),
        ("examiner.classifiers.rgb.labels", "all", "'expanded'"),
        ("examiner.classifiers.rgb.net.frontend", "prnu", "'prnu_lp'"),
        ("examiner.classifiers.rgb.training.batch", "many", "integer"),
        ("examiner.classifiers.rgb", 3, "dictionary"),
        ("attack.methods.jpeg.kind", "blur", "'median'"),
        ("attack.methods.jpeg.strength", "strong", "number"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_what_was_found_and_expected(key, value, expected):
    if key.endswith("."):  # inside a list
        key, value = key.rstrip("."), ["four"]
        message = refused(put(DEFAULT, key, value))
        key, value = f"{key}.0", "four"
    else:
        message = refused(put(DEFAULT, key, value))
    assert message.startswith(f"{key}")
    assert expected in message
    found = value[1] if isinstance(value, list) else value
    assert f"found {found!r}" in message


def test_a_missing_key_is_named():
    assert refused({}).startswith("models: ")
    assert "model" in refused({"models": {"in_distribution": ["A_1", "B_2"]}}, STAGES["simulate"].spec)


@pytest.mark.parametrize("name", ["a b", "a/b", "", "rgb.2", "+_", "85", "2x", "a~2", "all", "NaN"])
def test_the_name_of_a_classifier_must_do_as_a_file_name(name):
    assert f"found the name {name!r}" in refused({**DEFAULT, "examiner": {"classifiers": {name: {}}}})


# ---- what must fit together


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"patches.crop": 208}, "patches.crop: found 208, expected a multiple of patches.size (64)"),
        ({"dataset.kind": "dresden"}, "dataset.root: found nothing, expected the folder"),
        ({"attack.methods.identity": None}, "attack.methods: found no 'identity'"),
        ({"attack.methods.identity.kind": "remosaic"}, "attack.methods: found no 'identity'"),
        ({"patches.crop": 384}, "simulation: found a side below the crop, expected at least 384 pixels"),
        ({"simulation.height": 240}, "simulation: found a side below the crop, expected at least 256 pixels"),
        (
            {"simulation.width": 256, "adversary.phase": "random"},
            "simulation: found a side below the crop, expected at least 272 pixels",
        ),
        (
            {"simulation.width": 256, "examiner.phase": "random"},
            "simulation: found a side below the crop, expected at least 272 pixels",
        ),
        (
            {"simulation.width": 256, "patches.phase": "random"},
            "simulation: found a side below the crop, expected at least 272 pixels",
        ),
        ({"simulation.catalogue_seeds": [3, 1, 3]}, "catalogue_seeds: found [3, 1, 3], expected each seed once"),
        (
            {"tables.claim": True, "simulation.catalogue_seeds": [1, 2, 3, 4, 5]},
            "simulation.catalogue_seeds: found [1, 2, 3, 4, 5], expected 6 or more, since tables.claim is true",
        ),
        (
            {"simulation.catalogue_seeds": [1, 2], "dataset.kind": "dresden", "dataset.root": "photos"},
            "catalogue_seeds: found [1, 2], expected one seed at most: the photographs of dresden are not simulated",
        ),
        (
            {"simulation.scenes": "photographs", "split.policy": "image"},
            "split.policy: found 'image', expected 'device' or 'device+scene' with simulation.scenes",
        ),
        ({"models.in_distribution": ["A_1"]}, "found 1 models in_distribution, expected at least 2"),
        ({"models.in_distribution": ["A_1", "B_2", "A_1"]}, "found 'A_1' more than once"),
        ({"models.out_of_distribution": ["Alcyon_A10"]}, "found 'Alcyon_A10' more than once"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes, expected):
    values = DEFAULT
    for key, value in changes.items():
        values = put(values, key, value)
    assert expected in refused(values)


def test_each_of_several_catalogues_has_a_folder_seeds_and_trainings_of_its_own():
    values = put(put(DEFAULT, "adversary.generators.cama.runs", 3), "tables.claim", True)
    config = parse(Config, put(values, "simulation.catalogue_seeds", [4, 9, 1, 2, 3, 5]), "config")
    first, second, *_ = config.catalogues
    assert (first.results, second.results) == ("results/catalogue-4", "results/catalogue-9")
    assert [part.simulation.catalogue_seed for part in config.catalogues] == [4, 9, 1, 2, 3, 5]
    assert len({part.seed for part in config.catalogues}) == 6
    assert [part.adversary.generators["cama"].runs for part in config.catalogues] == [3, 1, 1, 1, 1, 1]
    fewer = parse(Config, put(put(values, "tables.claim", False), "simulation.catalogue_seeds", [4, 9]), "config")
    assert fewer.catalogues == config.catalogues[:2]  # which do not depend on the others
    for part in config.catalogues:
        assert parse(Config, part.model_dump(mode="json"), "config") == part
        assert part.catalogues == (part,)


def test_a_stage_works_on_one_catalogue():
    simulation = SimulationSpec(catalogue_seeds=(1, 2))
    with pytest.raises(CamaError, match=r"catalogue_seeds: found \[1, 2\], expected one in a stage"):
        _ = simulation.catalogue_seed


REAL = {**DEFAULT, "dataset": {"kind": "dresden", "root": "photos"}}


def test_real_photographs_have_no_oracle_and_no_scenes():
    assert "'oracle', which only simulated cameras can answer" in refused(REAL)
    values = put(REAL, "attack.methods.oracle", None)
    assert "split.policy: found 'device+scene'" in refused(values)
    config = parse(Config, put(values, "split.policy", "device"), "config")
    assert config.dataset.root == "photos"


def test_photographs_of_one_body_a_model_are_real_and_know_no_other_device():
    assert "dataset.one_body: found true, but simulated cameras" in refused(put(DEFAULT, "dataset.one_body", True))
    values = put(put(REAL, "attack.methods.oracle", None), "split.policy", "device")
    values = put(values, "dataset.one_body", True)
    assert parse(Config, values, "config").dataset.one_body
    assert "dataset.one_body says that there are no others" in refused(put(values, "detection.devices", ["cama"]))


def test_real_photographs_need_not_be_as_large_as_simulated_ones():
    values = put(put(REAL, "attack.methods.oracle", None), "split.policy", "device")
    assert parse(Config, put(values, "patches.crop", 512), "config").patches.crop == 512


@pytest.mark.parametrize("owner", ["adversary", "examiner"])
def test_each_owner_has_a_crop_phase_and_the_test_crops_have_the_examiners(owner):
    phases = dict.fromkeys(ROLES, "aligned")
    assert {role: default().phase(role) for role in ROLES} == phases
    everywhere = default(patches__phase="random")
    assert {everywhere.phase(role) for role in ROLES} == {"random"}
    own = {role: "random" for role in ROLES if (role == "adversary") == (owner == "adversary")}
    config = parse(Config, put(DEFAULT, f"{owner}.phase", "random"), "config")
    assert {role: config.phase(role) for role in ROLES} == phases | own
    assert (config.smallest, default().smallest) == (272, 256)
    back = put(put(DEFAULT, "patches.phase", "random"), f"{owner}.phase", "aligned")
    assert {role for role in ROLES if parse(Config, back, "config").phase(role) == "aligned"} == set(own)


LEARNED = {"kind": "learned", "generator": "cama"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("adversary.generators.cama.evaluators", ["high", "mid"], "found 'mid', expected one of ['high', 'low']"),
        (
            "attack.methods.cama.generator",
            "spoc",
            "attack.methods.cama.generator: found 'spoc', expected one of ['cama']",
        ),
        ("attack.methods.cama.generator", "", "generator: found nothing, expected a name for learned"),
        ("attack.methods.jpeg.generator", "cama", "generator: found cama, expected none for jpeg"),
        ("attack.methods.jpeg.strength", 101, "strength: found 101, expected the quality of the JPEG save, 1 to 100"),
        ("attack.methods.jpeg.strength", 85.5, "a whole number"),
        (
            "attack.methods.truth",
            {"kind": "oracle"},
            "truth: found the kind 'oracle', expected a method called 'oracle'",
        ),
        (
            "attack.methods.oracle.kind",
            "remosaic",
            "oracle: found the kind 'remosaic', expected a method called 'oracle'",
        ),
        ("attack.methods.remosaic.strength", 2, "strength: found 2, but remosaic has none"),
        ("attack.methods.linear", {"kind": "spectrum"}, "psnr: found 0, expected the PSNR in dB, 20 to 60"),
        ("attack.methods.linear", {"kind": "spectrum", "psnr": 61}, "psnr: found 61, expected"),
        ("attack.methods.linear", {"kind": "spectrum", "psnr": 36, "source": "all"}, "'known' or 'unknown'"),
        ("attack.methods.linear", {"kind": "spectrum", "psnr": 36, "strength": 1}, "but spectrum has none"),
        ("attack.methods.cama.psnr", 61, "psnr: found 61, expected the PSNR in dB, 20 to 60, or 0"),
        (
            "adversary.generators.cama.judges",
            ["mid"],
            "adversary.generators.cama.judges: found 'mid', expected one of",
        ),
        ("adversary.generators.cama.judges", ["high"], "judges: found 'high', expected none of its evaluators"),
        (
            "adversary.generators.cama.opponents",
            ["held_out"],
            "opponents: found 'held_out', expected one of ['high', 'low']",
        ),
        ("attack.methods.chosen", {**LEARNED, "auto": True}, "auto: found true, expected judges of cama"),
        ("attack.methods.jpeg.auto", True, "auto: found true, but jpeg has no judges"),
        ("attack.methods.cama.refine", 3, "refine: found 3, expected 0 unless it is `learned` and has a psnr"),
        ("attack.methods.jpeg.refine", 3, "refine: found 3, expected 0 unless"),
        ("attack.methods.cama.headroom", 2.5, "headroom: found 2.5, expected 0 unless it is `learned` and has a psnr"),
        ("attack.methods.cama.headroom", 21, "headroom: Input should be less than or equal to 20"),
        ("attack.methods.cama.evaluators", ["high"], "evaluators: found high, expected none for learned"),
        (
            "attack.methods.refined",
            {**LEARNED, "psnr": 36, "refine": 2, "evaluators": ["held_out"]},
            "attack.methods.refined.evaluators: found 'held_out', expected one of ['high', 'low']",
        ),
        ("attack.methods.purify", {"kind": "purify"}, "psnr: found 0, expected the PSNR in dB, 20 to 60"),
        ("attack.methods.purify", {"kind": "purify", "psnr": 36, "generator": "cama"}, "expected none for purify"),
        ("adversary.denoiser.noise", 0, "adversary.denoiser.noise: Input should be greater than or equal to 0.5"),
        ("attack.methods.jpeg.psnr", 36, "psnr: found 36, but jpeg has none"),
        ("attack.methods.jpeg.source", "unknown", "source: found 'unknown', but jpeg knows no source"),
        (
            "attack.methods.pgd",
            {"kind": "pgd", "psnr": 36},
            "evaluators: found nothing, expected a name for pgd",
        ),
        (
            "attack.methods.pgd",
            {"kind": "pgd", "evaluators": ["low"]},
            "psnr: found 0, expected the PSNR in dB, 20 to 60",
        ),
        ("tables.baseline", "spoc", "tables.baseline: found 'spoc', expected one of ['identity', "),
        ("plots.methods", ["jpeg"], "plots.methods: found 'jpeg', expected one of ['cama', 'oracle']"),
        (
            "evaluation.saves",
            ["png", "tiff"],
            "found 'tiff', expected 'png', 'target', 'neutral', 'upload', or 'jpeg' and",
        ),
        ("evaluation.saves", ["jpeg85"], "expected 'png' among them"),
        ("evaluation.saves", ["png", "jpeg085"], "saves: found 'jpeg085'"),
        ("adversary.generators.cama.evaluators", ["high", "high"], "'high' more than once, expected each name once"),
        ("plots.methods", ["cama", "cama"], "'cama' more than once"),
        ("adversary.generators.cama.augmentation", {"jpeg_quality": [95, 75]}, "jpeg_quality: found [95, 75]"),
        ("adversary.generators.cama.augmentation", {"jpeg_quality": [0, 75]}, "jpeg_quality: found [0, 75]"),
        ("attack.methods.identity.photographs", 2, "found 2, expected at most those of `identity`"),
        (
            "attack",
            {"photographs": 4, "methods": {"identity": {}, "cama": {**LEARNED, "photographs": 5}}},
            "photographs: found 5",
        ),
        (
            "detection.detectors.pixels.net.frontend",
            "prnu_lp",
            "net.frontend: found 'prnu_lp', which needs an estimator",
        ),
        ("detection.detectors.pixels.training.processes", 2, "pixels.training.processes: found 2, expected 1"),
        ("detection.detectors.numbers", {}, "detectors.numbers: found the name of the logistic regression"),
        ("adversary.generators.cama.loss_weights.pixel", -1, "greater than or equal to 0"),
        ("adversary.generators.cama.discriminators", [{"frontend": "prnu_lp"}], "'con_conv'"),
        ("adversary.generators.cama.discriminators", [{"fronted": "rgb"}], "nearest known key is 'frontend'"),
    ],
)
def test_names_kinds_and_strengths_must_exist_and_fit(key, value, expected):
    assert expected in refused(put(DEFAULT, key, value))


def test_a_baseline_needs_a_method_beside_it_that_chooses_no_targets_itself(tmp_path):
    """Such a method has a table of its own."""
    (tmp_path / "own.yaml").write_text("tables: {baseline: shipped}")
    with pytest.raises(CamaError, match=r"tables\.baseline: found 'shipped', expected a method to compare with it"):
        load_config(PROJECT / "config.yaml", PROJECT / "config" / "shipped.yaml", tmp_path / "own.yaml")


def test_gradient_attacks_of_the_comparison_see_what_the_method_beside_them_saw():
    config = load_config(PROJECT / "config.yaml", PROJECT / "config" / "compare.yaml")
    methods, generators = config.attack.methods, config.adversary.generators
    for name, beside in (("fgsm", "cama"), ("pgd", "cama"), ("mi_fgsm", "cama"), ("mi_fgsm-plus", "cama-plus")):
        assert methods[name].evaluators == generators[beside].evaluators
        assert methods[name].psnr == methods["spectrum"].psnr


def test_devices_are_compared_at_one_place_of_the_sensor_alone():
    values = put(DEFAULT, "detection.devices", ["cama"])
    assert parse(Config, values, "config").detection.devices == ("cama",)
    for key, value in (("patches.crops", 2), ("patches.phase", "random")):
        assert "detection.devices: found some, expected none unless" in refused(put(values, key, value))
    values = put(put(values, "dataset", {"kind": "spcup2018", "root": "photographs"}), "split.policy", "image")
    methods = {name: method for name, method in DEFAULT["attack"]["methods"].items() if name != "oracle"}
    values = put(values, "attack.methods", methods)
    assert "detection.devices: found some, expected none: spcup2018 has one device" in refused(values)


@pytest.mark.parametrize(
    ("key", "value", "side", "text"),
    [
        ("augmentation.jpeg", 0.5, 24, "found 0.5, expected 0 unless patches.size is a multiple of 16 (found 24)"),
        ("encode", True, 48, "found true, expected false unless patches.size is a multiple of 32 (found 48)"),
        (
            "generator.matched",
            True,
            48,
            "found true, expected false unless patches.size is a multiple of 32 (found 48)",
        ),
    ],
)
def test_parts_of_a_training_need_patches_of_whole_blocks(key, value, side, text):
    values = put(DEFAULT, f"adversary.generators.cama.{key}", value)
    assert parse(Config, values, "config").adversary.generators["cama"]
    values = put(put(values, "patches.size", side), "patches.crop", 240)
    assert f"adversary.generators.cama.{key}: {text}" in refused(values)


def test_expanded_labels_need_models_and_devices_to_expand_by():
    values = put(DEFAULT, "examiner.classifiers.rgb.labels", "expanded")
    assert parse(Config, values, "config").examiner.classifiers["rgb"].labels == "expanded"
    assert "found 'expanded', expected models" in refused(put(values, "models.out_of_distribution", []))
    assert "found 'expanded', expected models" in refused(put(values, "split.out_of_distribution.examiner", []))


def test_a_ramp_says_itself_as_a_config_file_would():
    assert str(Ramp(start=3, end=3)) == "3"
    assert str(Ramp(start=0, end=0.5, until=0.25)) == "0 to 0.5 until 0.25"


@pytest.mark.parametrize("key", ["adversary.estimator.net.kernel", "attack.methods.median.strength"])
def test_windows_must_be_odd(key):
    assert "odd" in refused(put(DEFAULT, key, 4))


# ---- files and overlays


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_overlays_merge_mappings_and_replace_all_else(tmp_path):
    first = write(tmp_path, "a.yaml", "seed: 7\nmodels: {in_distribution: [A_1, B_2]}\nplots: {dpi: 60, samples: 5}\n")
    second = write(
        tmp_path,
        "b.yaml",
        "models: {out_of_distribution: [C_3]}\nplots: {dpi: 70}\nattack: {methods: {spectrum: null}}\n"
        "examiner: {classifiers: {mine: {training: {steps: 3}}, finite_difference: {training: {steps: 4}}}}\n",
    )
    config = load_config(PROJECT / "config.yaml", first, second)
    assert config.seed == 7
    assert config.models.in_distribution == ("A_1", "B_2")  # a list is replaced
    assert config.models.out_of_distribution == ("C_3",)
    assert (config.plots.dpi, config.plots.samples) == (70, 5)
    says = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert list(config.attack.methods) == [name for name in says["attack"]["methods"] if name != "spectrum"]
    assert list(config.examiner.classifiers) == [*says["examiner"]["classifiers"], "mine"]
    changed = config.examiner.classifiers["finite_difference"]
    assert (changed.training.steps, changed.training.batch) == (4, 64)


def test_the_last_overlay_wins(tmp_path):
    files = [write(tmp_path, f"{seed}.yaml", f"seed: {seed}\n") for seed in (5, 6)]
    assert load_config(PROJECT / "config.yaml", *files).seed == 6
    assert load_config(PROJECT / "config.yaml", *reversed(files)).seed == 5


def test_an_empty_overlay_changes_nothing(tmp_path):
    empty = write(tmp_path, "empty.yaml", "# nothing\n")
    assert load_config(PROJECT / "config.yaml", empty) == load_config(PROJECT / "config.yaml")


def test_overlays_merge_as_snakemake_merges_them(tmp_path):
    from snakemake.utils import update_config

    over = write(
        tmp_path,
        "over.yaml",
        "adversary: {generators: {cama: {loss_weights: {pixel: 4}}}}\nsplit: {in_distribution: {test: [3, 4]}}\n",
    )
    merged = yaml.safe_load((PROJECT / "config.yaml").read_text())
    update_config(merged, yaml.safe_load(over.read_text()))
    assert load_config(PROJECT / "config.yaml", over) == parse(Config, merged, "config")


def test_a_missing_config_file_is_named(tmp_path):
    with pytest.raises(CamaError, match=r"nowhere\.yaml: no such config file"):
        load_config(tmp_path / "nowhere.yaml")


def test_text_that_is_not_yaml_is_one_line(tmp_path):
    path = write(tmp_path, "bad.yaml", "seed: [1,\nplots: }\n")
    with pytest.raises(CamaError, match="not YAML") as error:
        load_config(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"- 1\n- 2\n", b"just a word\n", b"\xff\xfe\x00\x01"])
def test_a_config_file_that_is_no_mapping_is_one_line(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(CamaError) as error:
        load_config(path)
    assert str(path) in str(error.value)


def test_a_fault_names_the_last_overlay(tmp_path):
    path = write(tmp_path, "over.yaml", "plots: {dpi: small}\n")
    with pytest.raises(CamaError) as error:
        load_config(PROJECT / "config.yaml", path)
    assert str(error.value).startswith(f"{path}: plots.dpi: ")


# ---- one spec a stage

Job = tuple[str, ...]
INFORMED = {"classifier": "rgb", "method": "cama", "training": {"steps": 3, "batch": 4}}


def jobs(config: Config) -> dict[Job, tuple[dict[str, str], str]]:
    """Each job of the workflow: its wildcards, and the command that its rule calls."""
    models = config.models.in_distribution + config.models.out_of_distribution
    found = {("simulate", m): ({"model": m}, "simulate") for m in models}
    found |= {
        ("patches", role, phase): ({"role": role, "phase": phase}, "patches")
        for role, phase in product(ROLES, ("aligned", "random"))
    }
    found |= {("estimator", o): ({"owner": o}, "train-estimator") for o in ("adversary", "examiner")}
    found[("denoiser",)] = {}, "train-estimator"
    found |= {("evaluator", n): ({"name": n}, "train-classifier") for n in config.adversary.evaluators}
    found |= {("generator", n): ({"name": n}, "train-generator") for n in config.adversary.generators}
    found |= {("classifier", n): ({"name": n}, "train-classifier") for n in config.examiner.classifiers}
    found |= {(stage, m): ({"method": m}, stage) for m in config.attack.methods for stage in ("attack", "evaluate")}
    found |= {(stage, "cama"): ({"method": "cama"}, stage) for stage in ("detect", "devices", "package")}
    found |= {("judge", n): ({"judge": n, "method": "cama"}, "judge") for n in config.examiner.judges}
    found[("fit_judge",)] = {}, "fit-judge"
    found |= {("informed", n): ({"name": n}, "train-informed") for n in config.examiner.informed}
    found |= {("examples", "cama"): ({"attacker": "cama"}, "examples")}
    found |= {
        (name,): ({}, name)
        for name in ("manifest", "split", "profiles", "tables", "join", "plots", "controls", "report")
    }
    return found | {("split", "check"): ({}, "check-split")}


def all_specs(config: Config) -> dict[Job, str]:
    return {job: stage_spec(config, job[0], **wildcards) for job, (wildcards, _) in jobs(config).items()}


def changed(config: Config) -> set[Job]:
    """The jobs whose spec is another than by default."""
    before, after = all_specs(default()), all_specs(config)
    assert before.keys() == after.keys()
    return {job for job in before if before[job] != after[job]}


@pytest.mark.parametrize("job", jobs(default()), ids=" ".join)
def test_every_job_has_a_spec_that_its_command_reads_back(job):
    config = default()
    wildcards, command = jobs(config)[job]
    text = stage_spec(config, job[0], **wildcards)
    read = parse_json(STAGES[command].spec, text)
    assert type(read) is STAGES[command].spec
    assert read.to_json() == text
    assert text.count("\n") == 0


def test_every_command_of_the_workflow_has_a_job():
    config = default(examiner__informed={"f": INFORMED}, examiner__judges={"j": "j.yaml"})
    assert {command for _, command in jobs(config).values()} == set(STAGES)


def test_json_has_sorted_keys_at_every_depth():
    def check(value: object) -> int:
        if isinstance(value, dict):
            assert list(value) == sorted(value)
            return 1 + sum(map(check, value.values()))
        return 0

    assert sum(check(json.loads(text)) for text in all_specs(default()).values()) > 100


def test_json_does_not_depend_on_the_order_of_the_file():
    turned = json.loads(json.dumps(DEFAULT), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    turned["examiner"]["classifiers"] = DEFAULT["examiner"]["classifiers"]
    assert list(turned) != list(DEFAULT)
    assert all_specs(parse(Config, turned, "config")) == all_specs(default())


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("plots.dpi", 60, {("plots",)}),
        ("tables.resamples", 500, {("tables",)}),
        ("adversary.generators.cama.loss_weights.pixel", 6, {("generator", "cama")}),
        ("detection.photographs", 12, {("examples", "cama")}),
        ("detection.methods", ["cama"], {("report",)}),
        ("tables.baseline", "cama", {("tables",), ("join",), ("report",)}),
        ("attack.photographs", 3, {("attack", name) for name in DEFAULT["attack"]["methods"]}),
        ("adversary.generators.cama.loss_weights.pixel", {"start": 1, "end": 3}, {("generator", "cama")}),
        ("adversary.estimator.training.steps", 3, {("estimator", "adversary")}),
        ("examiner.estimator.training.steps", 3, {("estimator", "examiner")}),
        ("adversary.denoiser.noise", 5, {("denoiser",)}),
        ("adversary.evaluators.high.net.width", 8, {("evaluator", "high")}),
        ("adversary.evaluators.low.optimiser.rate", 1, {("evaluator", "low")}),
        ("examiner.classifiers.rgb.training.steps", 3, {("classifier", "rgb")}),
        ("attack.methods.jpeg.strength", 50, {("attack", "jpeg")}),
        ("attack.methods.median.strength", 5, {("attack", "median")}),
        ("plots.methods", [], {("plots",), ("report",)}),
        ("split.policy", "device", {("split",), ("split", "check")}),
        ("split.validation", 0.2, {("split",), ("split", "check")}),
        ("results", "elsewhere", set()),
        # a photograph may be too small for it
        ("examiner.phase", "random", {("manifest",), ("controls",), ("examples", "cama")}),
        ("adversary.phase", "random", {("manifest",)}),
        ("examiner.classifiers.rgb.augmentation.jpeg", 0.5, {("classifier", "rgb")}),
        ("adversary.evaluators.low.augmentation.rounding", 0.5, {("evaluator", "low")}),
        ("detection.detectors.pixels.augmentation.jpeg_quality", [80, 90], {("detect", "cama")}),
    ],
)
def test_a_setting_reaches_exactly_the_stages_that_it_concerns(key, value, expected):
    assert changed(parse(Config, put(DEFAULT, key, value), "config")) == expected


def test_where_networks_compute_concerns_all_that_compute_and_nothing_else():
    networks = {
        *("estimator", "denoiser", "evaluator", "classifier", "generator"),
        *("attack", "evaluate", "controls", "examples", "detect"),
    }
    assert {job[0] for job in changed(default(compute={"device": "cpu"}))} == networks


def test_the_phase_of_the_crops_does_not_cut_the_patches_of_a_given_phase_anew():
    assert {job[0] for job in changed(default(patches__phase="random"))} == {"manifest", "controls", "examples"}


def test_the_seed_reaches_every_stage_that_draws():
    kinds = {job[0] for job in changed(default(seed=2))}
    drawing = {
        "simulate",
        "split",
        "patches",
        "estimator",
        "denoiser",
        "evaluator",
        "classifier",
        "generator",
        "attack",
    }
    assert kinds == drawing | {"evaluate", "examples", "detect", "tables", "controls"}


def leaves(spec: Spec, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every setting of a config, classifiers by their name."""
    found = []
    for name, value in spec:
        inner = value.items() if isinstance(value, dict) else [((), value)]
        for key, part in inner:
            path = (*above, name, *((key,) if key else ()))
            found += leaves(part, path) if isinstance(part, Spec) else [path]
    return found


def altered(spec, path: tuple[str, ...]):
    """The config with another value, unchecked, at one setting."""
    if not path:
        if isinstance(spec, tuple):
            return (*spec, "Extra_X1" if spec and isinstance(spec[0], str) else 99)
        if isinstance(spec, bool):
            return not spec
        return f"{spec}x" if isinstance(spec, str) else spec + 1
    if isinstance(spec, dict):
        return {**spec, path[0]: altered(spec[path[0]], path[1:])}
    return spec.model_copy(update={path[0]: altered(getattr(spec, path[0]), path[1:])})


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_every_setting_reaches_a_stage_but_those_of_the_workflow_itself():
    config = default()
    before = all_specs(config)
    paths = leaves(config)
    assert len(paths) > 100

    def idle(path: tuple[str, ...]) -> bool:
        other = altered(config, path)
        try:
            after = {job: stage_spec(other, job[0], **wildcards) for job, (wildcards, _) in jobs(config).items()}
        except (ValidationError, KeyError):  # a stage's spec checks a method's kind once more, and looks classifiers up
            return False
        return after == before

    assert {".".join(path) for path in paths if idle(path)} == {
        "results",  # the workflow's own
        "adversary.generators.cama.runs",  # how many jobs there are
        "adversary.phase",  # which patch files are read
        "adversary.start",  # which networks are read
        *(f"examiner.classifiers.{name}.labels" for name in config.examiner.classifiers),  # which patch files it reads
    }


def test_the_two_owners_train_from_different_seeds():
    config = default()
    trained = {("estimator", "adversary"), ("estimator", "examiner"), ("evaluator", "high"), ("evaluator", "low")}
    trained.add(("denoiser",))
    trained |= {("classifier", name) for name in config.examiner.classifiers} | {("generator", "cama")}
    specs = all_specs(config)
    assert len({json.loads(specs[job])["seed"] for job in trained}) == len(trained)


def test_every_training_of_a_generator_has_a_seed_and_a_name_of_its_own():
    config = default(adversary__generators__cama__runs=3)
    names = run_names("cama", 3)
    assert names == ["cama", "cama~2", "cama~3"]
    assert [run_of(name) for name in names] == [("cama", 1), ("cama", 2), ("cama", 3)]
    specs = [json.loads(stage_spec(config, "generator", name=name)) for name in names]
    assert len({spec["seed"] for spec in specs}) == 3
    assert len({json.dumps(spec["learned"]) for spec in specs}) == 1
    assert stage_spec(config, "generator", name="cama") == stage_spec(default(), "generator", name="cama")


def test_labels_of_the_patches_are_expanded_for_the_outdist_roles_alone():
    inside, outside = DEFAULT["models"]["in_distribution"], DEFAULT["models"]["out_of_distribution"]
    specs = {role: json.loads(stage_spec(default(), "patches", role=role, phase="aligned")) for role in ROLES}
    for role, spec in specs.items():
        assert spec["role"] == role
        assert spec["labels"] == (inside + outside if role.endswith("outdist") else inside)


# ---- a stage's spec from text


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null", '{"sed": 1}', '{"seed": "x"}', '{"plots": {"dip": 1}}'])
def test_faulty_text_of_a_spec_is_one_line(text):
    kind = STAGES["plots" if "plots" in text else "tables"].spec
    with pytest.raises(CamaError) as error:
        parse_json(kind, text)
    assert "--spec" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_spec_gives_the_defaults():
    assert parse_json(TrainGeneratorSpec, "{}") == TrainGeneratorSpec()


@pytest.mark.parametrize("form", ["bom", "crlf", "bom and crlf"])
def test_a_config_that_a_program_of_windows_saved_is_the_same(form, tmp_path):
    text = (PROJECT / "config.yaml").read_text()
    data = (text.replace("\n", "\r\n") if "crlf" in form else text).encode("utf-8-sig" if "bom" in form else "utf-8")
    (tmp_path / "config.yaml").write_bytes(data)
    assert load_config(tmp_path / "config.yaml") == load_config(PROJECT / "config.yaml")


# ---- what each target classifier is to the adversary

FORENSIC = {"architecture": "cooccurrences"}
AT_ONCE = {"net": FORENSIC, "training": {"steps": 9, "batch": 64}}


@pytest.mark.parametrize(
    ("net", "labels", "role"),
    [
        ({"frontend": "prnu_lp", "architecture": "mislnet"}, "known", "same_family"),  # by the signal
        ({"frontend": "con_conv", "architecture": "small"}, "known", "same_family"),  # by the network
        ({"frontend": "con_conv", "architecture": "resnet34"}, "known", "same_family"),  # `small` is a ResNet
        ({"frontend": "con_conv", "architecture": "mislnet"}, "known", "other_family"),
        ({"frontend": "con_conv", "architecture": "mislnet"}, "expanded", "expanded"),
        (FORENSIC, "known", "other_family"),
        ({"frontend": "prnu_lp", "architecture": "small"}, "expanded", "expanded"),
    ],
)
def test_the_role_of_a_target_classifier_follows_from_the_evaluators_in_use(net, labels, role):
    one = {"net": net, "labels": labels, "training": {"steps": 9, "batch": 64}}
    assert default(examiner__classifiers__f=one).roles("cama")["f"] == role


def test_in_the_comparison_half_of_the_target_classifiers_are_strangers_to_cama_and_mislnet_is_none_to_misl():
    compared = load_config(PROJECT / "config.yaml", PROJECT / "config/compare.yaml")
    of_cama = compared.roles("cama")
    assert sum(role == "other_family" for role in of_cama.values()) == 3
    assert sum(role == "same_family" for role in of_cama.values()) == 3
    assert (of_cama["mislnet"], compared.roles("misl")["mislnet"]) == ("other_family", "same_family")
    assert compared.roles("mi_fgsm") == of_cama  # on the same classifiers
    assert compared.roles("spectrum")["mislnet"] == "same_family"  # has no E: it stands to all that the run has


def test_only_classifiers_of_e_that_are_used_make_relatives():
    one = {"net": {"frontend": "rgb+con_conv", "architecture": "mislnet"}}
    relative = {"net": {"frontend": "con_conv", "architecture": "convnext"}}
    idle = put(put(DEFAULT, "examiner.classifiers.f", one), "adversary.evaluators.third", relative)
    used = put(idle, "adversary.generators.cama.evaluators", ["high", "third"])
    assert parse(Config, idle, "config").roles("cama")["f"] == "other_family"
    assert parse(Config, used, "config").roles("cama")["f"] == "same_family"


def test_pixels_that_e_takes_make_no_relative_of_what_is_no_network():
    values = put(put(DEFAULT, "examiner.classifiers.f", AT_ONCE), "examiner.classifiers.g.net.architecture", "mislnet")
    values = put(values, "adversary.evaluators.low", {"net": {"frontend": "rgb", "architecture": "small"}})
    roles = parse(Config, values, "config").roles("cama")
    assert (roles["f"], roles["g"]) == ("other_family", "same_family")


def test_the_roles_reach_the_rows():
    assert json.loads(stage_spec(default(), "evaluate", method="cama"))["roles"] == default().roles("cama")
    assert set(default().roles("cama").values()) == {"same_family"}


@pytest.mark.parametrize("user", ["adversary.generators.cama", "attack.methods.pgd"])
def test_what_has_no_gradients_is_no_classifier_of_e(user):
    values = put(DEFAULT, "adversary.evaluators.third", AT_ONCE)
    values = put(values, "attack.methods.pgd", {"kind": "pgd", "evaluators": ["high"], "psnr": 36})
    parse(Config, values, "config")
    found = refused(put(values, f"{user}.evaluators", ["high", "third"]))
    assert found == f"{user}.evaluators: found 'third', expected networks: cooccurrences has no gradients"


@pytest.mark.parametrize(
    ("name", "key", "value", "expected"),
    [
        ("rgb", "method", "cama", "examiner.informed.rgb: found the name of a target classifier, expected another"),
        ("f", "method", "jpeg", "examiner.informed.f.method: found 'jpeg', expected one of ['cama']"),
        ("f", "classifier", "none", "examiner.informed.f.classifier: found 'none', expected one of"),
        ("f", "classifier", "forensic", "examiner.informed.f.classifier: found 'forensic', expected one of"),
    ],
)
def test_an_informed_classifier_begins_as_a_network_and_learns_from_a_generator(name, key, value, expected):
    values = put(DEFAULT, "examiner.classifiers.forensic", AT_ONCE)
    assert expected in refused(put(values, f"examiner.informed.{name}", {**INFORMED, key: value}))


def test_an_informed_classifier_has_a_role_of_its_own_and_the_network_of_another():
    changed = put(DEFAULT, "examiner.classifiers.rgb.augmentation.jpeg", 0.5)
    config = parse(Config, put(changed, "examiner.informed.f", INFORMED), "config")
    assert config.roles("cama")["f"] == "informed"
    assert config.second_trainings == {"cama": 2}
    spec = json.loads(stage_spec(config, "informed", name="f"))["classifier"]
    base = json.loads(stage_spec(config, "classifier", name="rgb"))["classifier"]
    assert (spec["net"], spec["augmentation"]) == (base["net"], base["augmentation"])
    assert spec["training"]["steps"] == 3


@pytest.mark.parametrize("name", ["rgb", "knowing"])
def test_a_judge_has_a_name_of_its_own(name):
    values = put(put(DEFAULT, "examiner.informed", {"knowing": INFORMED}), "examiner.judges", {name: "j.yaml"})
    assert f"examiner.judges.{name}: found the name of a target classifier, expected another" in refused(values)
