"""Which jobs each key of the config changes by itself. What depends on those jobs is in test_run."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from cama.core.errors import CamaError
from cama.core.names import run_names
from cama.settings.config import Config
from cama.settings.loading import load_config
from cama.settings.spec import parse
from cama.settings.stages import stage_spec
from cama.workflow.plan import Plan
from tests.workflow.conftest import PROJECT, TINY

CONFIG = load_config(PROJECT / "config.yaml", TINY)
NETWORKS = {
    "estimator",
    "denoiser",
    "evaluator",
    "classifier",
    "informed",
    "generator",
    "attack",
    "evaluate",
    "controls",
}
NETWORKS |= {"examples", "detect"}
SEEDED = {"simulate", "split", "patches", "attack", "detect", "tables", "controls"} | NETWORKS
PATCHES = {"patches", "controls"}
# by pattern, the first that fits: the stages whose jobs change, or `STAGE NAME` for one of them
CHANGED = {
    r"seed": SEEDED,
    r"results": set(),  # moves all
    r"dataset\.kind": {"manifest", "split", "controls", "report", "package"},  # with the policy
    r"dataset\..*": {"manifest", "controls", "report"},
    r"models\.in_distribution": {
        "simulate",
        "manifest",
        "split",
        "patches",
        "profiles",
        "attack",
        "examples",
        "detect",
        "controls",
    },
    r"models\.out_of_distribution": {"simulate", "manifest", "split", "patches outdist", "controls"},
    r"simulation\..*": {"simulate", "controls"},
    r"split\.\w+\.test": {"simulate", "split"},  # test photographs have oracles
    r"split\..*": {"split"},
    r"patches\.size": {"evaluate", "detect", "informed", *PATCHES},
    r"patches\.crop": {
        "manifest",
        "evaluate",
        "examples",
        "detect",
        "informed",
        *PATCHES,
    },  # a photograph may be too small for it
    r"patches\.margin": {"manifest", "patches whole", "controls", "examples"},
    # and the names of the patch files; the report loses its devices
    r"patches\.phase": {"manifest", "controls", "report", "examples"},
    r"patches\.crops": {"report", *PATCHES},
    r"adversary\.estimator\..*": {"estimator adversary"},
    r"adversary\.denoiser\..*": {"denoiser"},
    r"adversary\.evaluators\.(\w+)\..*": {r"evaluator \1"},
    r"adversary\.generators\.\w+\.runs": set(),  # one job more
    r"adversary\.phase": {"manifest"},  # and the names of the patch files
    r"examiner\.phase": {"manifest", "controls", "report", "examples"},
    # no other takes remosaiced patches
    r"adversary\.generators\.(plus)\.generator\.input": {r"generator \1", "patches adversary"},
    r"adversary\.generators\.(\w+)\..*": {r"generator \1"},
    r"adversary\.threads": {"generator"},
    r"adversary\.start": set(),  # other inputs
    r"examiner\.estimator\..*": {"estimator examiner"},
    r"examiner\.classifiers\.\w+\.labels": {"evaluate"},  # its role; and its inputs
    r"examiner\.classifiers\.prnu_lp\.(adversarial|(net|augmentation)\..*)": {"classifier prnu_lp", "informed knowing"},
    r"examiner\.classifiers\.(\w+)\..*": {r"classifier \1"},
    r"examiner\.informed\.knowing\.method": set(),  # another job instead
    r"examiner\.informed\.knowing\..*": {"informed"},
    r"attack\.photographs": {f"attack {name}" for name, spec in CONFIG.attack.methods.items() if not spec.photographs},
    r"attack\.methods\.oracle\.kind": {"attack oracle", "evaluate oracle"},
    r"attack\.methods\.(plus)\.(psnr|headroom|refine)": {r"attack \1", r"package \1"},
    r"attack\.methods\.(cama)\.(psnr|headroom|refine)": {r"attack \1", r"examples \1", r"package \1"},
    r"attack\.methods\.(cama)\..*": {r"attack \1", r"examples \1"},
    r"attack\.methods\.(\w+)\..*": {r"attack \1"},
    # detectors and the plots of traces see what is delivered; the report has a plot of several
    r"evaluation\.saves": {"evaluate", "profiles", "examples", "detect", "plots", "report"},
    r"evaluation\..*": {"evaluate"},
    r"detection\.(methods|devices)": {"report"},  # and jobs more or fewer
    r"detection\.photographs": {"examples"},
    r"detection\..*": {"detect"},
    r"tables\.baseline": {"tables", "join"},
    r"tables\..*": {"tables"},
    r"card\..*": {"package"},
    r"plots\.methods": {"plots", "report"},
    r"plots\..*": {"plots"},
    r"compute\..*": NETWORKS,
}
# where no neighbouring value will do
VALUES = {
    "dataset.kind": "folder",
    "models.in_distribution": ["Borealis_B2", "Alcyon_A10"],
    "models.out_of_distribution": ["Fornax_F1"],
    "simulation.catalogue_seeds": [2],
    "simulation.width": 176,
    "simulation.height": 176,
    "patches.size": 64,
    "patches.crop": 96,
    "evaluation.saves": ["png"],
    "plots.methods": ["plus"],
    "examiner.informed.knowing.classifier": "rgb",
    "examiner.informed.knowing.method": "plus",
    "split.in_distribution.test": [3],
    "split.out_of_distribution.test": [1],
    "detection.methods": [],
    "detection.devices": [],
    "tables.baseline": "jpeg",
    "evaluation.lpips_sha256": "00000000",
    "adversary.generators.cama.evaluators": ["high"],
    "adversary.generators.plus.generator.output": "filters",
    "adversary.generators.plus.evaluators": ["low"],
    "adversary.generators.cama.judges": [],
    "adversary.generators.plus.judges": ["held_out"],
    "adversary.generators.cama.opponents": ["high"],
    "adversary.generators.plus.opponents": ["low"],
    "attack.methods.cama.generator": "plus",
    "attack.methods.plus.generator": "cama",
    "attack.methods.cama.psnr": 36,
    "attack.methods.jpeg.strength": 70,
    "attack.methods.pgd.evaluators": ["low"],
    "attack.methods.pgd.photographs": 0,
}
# and what must change with it
BESIDE = {
    "dataset.kind": {"dataset.root": "somewhere", "split.policy": "device", "attack.methods.oracle": None},
    "patches.crops": {"detection.devices": []},
    "patches.phase": {"detection.devices": []},
    "examiner.phase": {"detection.devices": []},
}
# those of others are refused, which test_config tries
ONE_VALUE = {f"detection.detectors.{name}.training.processes" for name in CONFIG.detection.detectors}
ONE_VALUE |= {"tables.claim", "dataset.one_body"}
# a method's kind and what it takes must fit: they change as one, which test_run tries
TOGETHER = re.compile(
    r"attack\.methods\.\w+\.(kind|strength|folder|generator|evaluators|psnr|headroom|refine|source|auto|photographs)"
)
# judges take whole windows of these roles, and their pixels alone
UNDIVIDED = ("patches.size", "adversary.generators.plus.generator.input")
CHOICES = (
    "float32",
    "cuda",
    "skip",
    "image",
    "random",
    "sgd",
    "adam",
    "constant",
    "one_cycle",
    "mobile",
    "pixel",
    "direct",
    "residual",
    "rgb",
)
CHOICES += (
    "remosaic",
    "maps",
    "modulation",
    "l2",
    "cross_entropy",
    "small",
    "resnet34",
    "expanded",
    "known",
    "con_conv",
    "new",
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key below a block, dotted, with its value."""
    items = {name: getattr(value, name) for name in type(value).model_fields} if isinstance(value, BaseModel) else value
    if isinstance(items, dict):
        for name, inner in items.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, tuple | list) and value and isinstance(value[0], BaseModel):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}.{place}")
    else:
        yield path, value


def others(path: str, value: Any) -> list[Any]:
    """Values that a key might have instead."""
    if path in VALUES:
        return [VALUES[path]]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, 2 * value, value + 2, value + 16]
    if isinstance(value, float):
        return [value + 0.01, value / 2]
    if isinstance(value, str):
        return [choice for choice in CHOICES if choice != value]
    return [
        [*value, 3],
        *([value[0], value[-1] + n] for n in (1, -1) if value and isinstance(value[0], int)),
        value[:1],
    ]


def changed(path: str, value: Any) -> Config | None:
    """The config with another value at one key, or None where it has no such value."""
    for other in others(path, value):
        whole = CONFIG.model_dump(mode="json")
        for key, new in {path: other, **BESIDE.get(path, {})}.items():
            *above, last = (int(part) if part.isdigit() else part for part in key.split("."))
            block: Any = whole
            for part in above:
                block = block[part]
            block[last] = new
        try:
            config = parse(Config, whole, "config")
        except CamaError:
            continue
        if config != CONFIG:
            return config
    return None


def jobs(config: Config) -> dict[str, str]:
    """The spec of each job by `STAGE NAME`."""
    every = [*config.models.in_distribution, *config.models.out_of_distribution]
    trainings = [run for name, one in config.adversary.generators.items() for run in run_names(name, one.runs)]
    trainings += [run_names(name, run)[-1] for name, run in config.second_trainings.items()]
    roles = ("adversary", "examiner", "test", "examiner_outdist", "test_outdist")
    wildcards = {
        "simulate": [{"model": name} for name in every],
        "patches": [{"role": role, "phase": phase} for role in roles for phase in ("aligned", "random", "whole")],
        "estimator": [{"owner": owner} for owner in ("adversary", "examiner")],
        "evaluator": [{"name": name} for name in config.adversary.evaluators],
        "generator": [{"name": name} for name in trainings],
        "classifier": [{"name": name} for name in config.examiner.classifiers],
        **{stage: [{"method": name} for name in config.attack.methods] for stage in ("attack", "evaluate")},
        "package": [{"method": name} for name, spec in config.attack.methods.items() if spec.generator],
        "informed": [{"name": name} for name in config.examiner.informed],
        "examples": [{"attacker": name} for name in Plan(config).attackers],
        "detect": [{"method": name} for name in config.detection.methods],
        "devices": [{"method": name} for name in config.detection.devices],
        **{
            stage: [{}]
            for stage in (
                *("manifest", "split", "profiles", "tables", "join", "plots", "controls", "report", "denoiser"),
            )
        },
    }
    return {
        " ".join((stage, *given.values())): stage_spec(config, stage, **given)
        for stage, all_given in wildcards.items()
        for given in all_given
    }


BEFORE = jobs(CONFIG)


LEAVES = list(leaves(CONFIG))


@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[path for path, _ in LEAVES])
def test_a_key_changes_the_jobs_that_it_concerns_and_no_other(path, value):
    config = changed(path, value)
    if config is None:
        assert TOGETHER.fullmatch(path) or path in ONE_VALUE, f"no other value of {path} was found"
        return
    after = jobs(config)
    found = {job for job in BEFORE.keys() & after.keys() if BEFORE[job] != after[job]}
    pattern = next(pattern for pattern in CHANGED if re.fullmatch(pattern, path))
    names = {re.sub(pattern, name, path) for name in CHANGED[pattern]}
    expected = {
        job
        for job in BEFORE.keys() & after.keys()
        for stage, _, name in [job.partition(" ")]
        for wanted, _, part in [one.partition(" ") for one in names]
        if stage == wanted
        and not (path == "detection.photographs" and "~" in name)  # informed classifiers take all
        and not (path in UNDIVIDED and re.fullmatch(r"(adversary|examiner).* whole", name))
        and (not part or part == name.partition("~")[0] or (part in ("outdist", "whole", "adversary") and part in name))
    }
    assert found == expected
