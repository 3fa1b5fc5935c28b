"""What a run of a config would cost: trainings, attacked and evaluated pictures, their operations, and disk space."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from cama.core.errors import CamaError
from cama.core.names import run_of
from cama.settings.attacks import MethodSpec
from cama.settings.config import Config
from cama.settings.networks import BodySpec, ClassifierNetSpec
from cama.settings.training import ClassifierSpec, TrainingSpec
from cama.workflow.flops import (
    classifier_forward,
    classifier_training,
    estimator_forward,
    estimator_training,
    generator_forward,
    generator_training,
    gradient_step,
)
from cama.workflow.plan import Plan

FIELD_BYTES = {"rgb": 3, "remosaic": 3, "residual": 6}  # of a pixel in a patch file
PICTURE_BYTES = 3
MEASURED = ("vgg16", "densenet100", "mislnet")  # architectures whose speed is measured beside a ResNet's
Rates = float | dict[str, float]


@dataclass(frozen=True)
class Cost:
    """One line of the table: a kind of work, its jobs, the patches or pictures of all its jobs, the operations of each, and the
    part of `cama paper-scale` that measures how fast such operations are computed.
    """

    what: str
    jobs: int
    items: int
    operations: float
    speed: str

    @property
    def total(self) -> float:
        """Operations of all jobs."""
        return self.items * self.operations


@dataclass(frozen=True)
class Counts:
    """Photographs in each patch file (role, phase), and the pictures that each method makes."""

    files: dict[tuple[str, str], int]
    pictures: dict[str, int]


def costs(config: Config, counts: Counts) -> list[Cost]:
    """All trainings, attacks and evaluations that the tables of a config need, in the order of the workflow."""
    return [
        *_estimators(config),
        *_evaluators(config),
        *_generators(config),
        *_target_classifiers(config),
        *_detectors(config),
        *_attacks(config, counts),
        _evaluation(config, counts),
    ]


def over_catalogues(parts: Iterable[list[Cost]]) -> list[Cost]:
    """The costs of several catalogues of cameras together, each kind of work in one line."""
    rows: dict[str, Cost] = {}
    for row in chain.from_iterable(parts):
        before = rows.get(row.what)
        rows[row.what] = replace(row, jobs=before.jobs + row.jobs, items=before.items + row.items) if before else row
    return list(rows.values())


def _trainings(what: str, spec: TrainingSpec, operations: float, speed: str, jobs: int = 1) -> Cost:
    return Cost(what, jobs, jobs * spec.steps * spec.batch, operations, speed)


def _classifier_speed(config: Config, spec: ClassifierSpec) -> str:
    """The part that measures a classifier's training: that of its architecture's family, or of the compiled ResNet."""
    family = next(
        (name for name in MEASURED if name.rstrip("0123456789") == spec.net.architecture.rstrip("0123456789")), ""
    )
    if family:
        return f"classifier {family}"
    compiled = config.compute.device == "cuda" and spec.training.steps >= config.compute.compile_from
    return "classifier compiled" if compiled else "classifier"


def _classifier_step(config: Config, labels: int, spec: ClassifierSpec, estimator: BodySpec) -> float:
    return classifier_training(labels, spec.net, estimator, config.patches.size, bool(spec.adversarial))


def _estimators(config: Config) -> Iterator[Cost]:
    evaluators = [config.adversary.evaluators[name] for name in config.adversary_classifiers]
    targets = config.examiner.classifiers.values()
    for name, owner, specs in (
        ("adversary", config.adversary, evaluators),
        ("examiner", config.examiner, targets),
    ):
        if any(spec.net.needs_estimator for spec in specs):
            spec = owner.estimator
            yield _trainings(
                f"estimator {name}", spec.training, estimator_training(spec.net, config.patches.size), "estimator"
            )
    if config.uses_denoiser:
        spec = config.adversary.denoiser
        yield _trainings("denoiser", spec.training, estimator_training(spec.net, config.patches.size), "estimator")


def _evaluators(config: Config) -> Iterator[Cost]:
    adversary = config.adversary
    for name in config.adversary_classifiers:
        spec = adversary.evaluators[name]
        each = _classifier_step(config, _known(config), spec, adversary.estimator.net)
        yield _trainings(f"evaluator {name}", spec.training, each, _classifier_speed(config, spec))


def _generators(config: Config) -> Iterator[Cost]:
    for name in config.used_generators:
        spec = config.adversary.generators[name]
        trainings = config.second_trainings.get(name, spec.runs)
        each = generator_operations(config, name)
        yield _trainings(f"generator {name}", spec.training, each, "generator", trainings)


def generator_operations(config: Config, name: str) -> float:
    """Of a patch in a step of this training of G."""
    spec = config.adversary.generators[name]
    return generator_training(
        _known(config),
        spec.generator,
        spec.discriminators,
        _nets(config, spec.evaluators),
        config.adversary.estimator.net,
        config.patches.size,
        _nets(config, spec.opponents),
    )


def _target_classifiers(config: Config) -> Iterator[Cost]:
    unknown = len(config.models.out_of_distribution)
    for name, spec in config.examiner.classifiers.items():
        labels = _known(config) + (unknown if spec.labels == "expanded" else 0)
        each = _classifier_step(config, labels, spec, config.examiner.estimator.net)
        yield _trainings(f"classifier {name}", spec.training, each, _classifier_speed(config, spec))
        for further, informed in config.examiner.informed.items():
            if informed.classifier == name:
                again = spec.model_copy(update={"training": informed.training})
                yield _trainings(f"classifier {further}", again.training, each, _classifier_speed(config, again))


def _detectors(config: Config) -> Iterator[Cost]:
    jobs = len(config.detection.methods)
    for name, spec in config.detection.detectors.items() if jobs else ():
        classes = 2 * _known(config)
        each = _classifier_step(config, classes, spec, config.examiner.estimator.net)
        yield _trainings(f"detector {name}", spec.training, each, _classifier_speed(config, spec), jobs)


def _attacks(config: Config, counts: Counts) -> Iterator[Cost]:
    """Only attacks with networks, on the test photographs and on those of the examiner; the others cost little."""
    for name, method in config.attack.methods.items():
        if each := _attack_operations(config, method):
            yield Cost(f"attack {name}", 1, counts.pictures[name], each, "generator")
    photographs = counts.files["examiner", config.phase("examiner")]
    for attacker in Plan(config).attackers:
        name, run = run_of(attacker)
        most = (config.detection.photographs if run == 1 else 0) or photographs
        if each := _attack_operations(config, config.attack.methods[name]):
            yield Cost(f"examples {attacker}", 1, min(most, photographs), each, "generator")


def _attack_operations(config: Config, method: MethodSpec) -> float:
    """Operations of the networks in an attack on one picture."""
    known, crop, estimator = _known(config), config.patches.window, config.adversary.estimator.net
    if method.generator:  # what chooses a target costs little beside it
        learned = config.adversary.generators[method.generator]
        each = [
            gradient_step(known, (net,), estimator, crop)
            for net in _nets(config, method.evaluators or learned.evaluators)
        ]
        steps = sum(each[step % len(each)] for step in range(method.refine))
        return generator_forward(known, learned.generator, crop) + steps
    if method.kind == "purify":
        return estimator_forward(config.adversary.denoiser.net, crop)
    steps = 1 if method.kind == "fgsm" else method.steps
    return steps * gradient_step(known, _nets(config, method.evaluators), estimator, crop) if method.evaluators else 0.0


def _evaluation(config: Config, counts: Counts) -> Cost:
    """Every target classifier on every picture after every save."""
    pictures = sum(counts.pictures.values()) * len(config.evaluation.saves)
    if config.evaluation.patches:  # the whole crop, and its patches, which have as many pixels
        pictures *= 2
    known, estimator, crop = _known(config), config.examiner.estimator.net, config.patches.crop
    names = [*config.examiner.classifiers, *(spec.classifier for spec in config.examiner.informed.values())]
    nets = [config.examiner.classifiers[name].net for name in names]
    each = sum(classifier_forward(known, net, estimator, crop) for net in nets)
    return Cost("evaluation", len(config.attack.methods), pictures, each, "classifier")


def _known(config: Config) -> int:
    """The number of labels of all networks but those that know the out-of-distribution models too."""
    return len(config.models.in_distribution)


def _nets(config: Config, evaluators: tuple[str, ...]) -> tuple[ClassifierNetSpec, ...]:
    return tuple(config.adversary.evaluators[name].net for name in evaluators)


def count_pictures(config: Config, photographs: int | None) -> Counts:
    """How many photographs a config has: those that it simulates; or those that `split.expected` gives for a role, and
    `photographs` of each device for every other role.
    """
    if photographs is not None and (photographs < 1 or config.dataset.kind == "simulated"):
        expected = "1 or more" if photographs < 1 else "none, since the config simulates its own"
        raise CamaError(f"--photographs: found {photographs}, expected {expected}")
    files = _patch_files(config)
    roles = {role: _photographs(config, role, photographs) for role in sorted({role for role, _ in files})}
    pictures = {name: _pictures(config, method, roles) for name, method in config.attack.methods.items()}
    return Counts({(role, phase): roles[role] for role, phase in sorted(files)}, pictures)


def _patch_files(config: Config) -> set[tuple[str, str]]:
    """The patch files, by role and phase, that a config needs."""
    roles = ["adversary", "examiner", "test"]
    if any(spec.labels == "expanded" for spec in config.examiner.classifiers.values()):
        roles.append("examiner_outdist")
    files = {(role, config.phase(role)) for role in roles}
    attacked = "whole" if config.patches.margin else config.phase("test")
    files.add(("test", attacked))
    if config.models.out_of_distribution:
        files.add(("test_outdist", attacked))
    return files


def _photographs(config: Config, role: str, photographs: int | None) -> int:
    """Photographs of a role; a device that several roles name divides its own among them."""
    if role in config.split.expected:
        return config.split.expected[role]
    inside = not role.endswith("_outdist")
    if config.dataset.kind == "simulated":
        simulation = config.simulation
        photographs = simulation.photographs_outdist if role == "examiner_outdist" else simulation.photographs
    if photographs is None:
        raise CamaError(f"--photographs: found none, expected how many each device of the {role} has")
    models = config.models.in_distribution if inside else config.models.out_of_distribution
    owners = (config.split.in_distribution if inside else config.split.out_of_distribution).model_dump()
    own = owners[role.removesuffix("_outdist")]
    shares = [photographs / sum(device in devices for devices in owners.values()) for device in own]
    return round(len(models) * min(sum(shares), config.split.most.get(role, math.inf)))


def _pictures(config: Config, method: MethodSpec, roles: dict[str, int]) -> int:
    """How many pictures a method makes: one of each test photograph, or one of each towards each other label."""
    known, unknown = len(config.models.in_distribution), len(config.models.out_of_distribution)
    most = method.photographs or config.attack.photographs or max(roles.values())
    inside, outside = min(roles["test"], most * known), min(roles.get("test_outdist", 0), most * unknown)
    runs = config.adversary.generators[method.generator].runs if method.generator else 1
    each = method.targeted and not method.auto
    count = (inside * (known - 1) + outside * known if each else inside + outside) * runs
    return count * config.patches.crops


def disk(config: Config, counts: Counts) -> dict[str, int]:
    """Bytes of the patch files and of the attacked pictures; networks take little beside them."""
    sides = {"whole": config.patches.window}
    patches = sum(
        count
        * sides.get(phase, config.patches.crop) ** 2
        * sum(FIELD_BYTES[name] for name in config.patch_fields(role))
        for (role, phase), count in counts.files.items()
    )
    return {
        "patches": patches * config.patches.crops,
        "attacked": sum(counts.pictures.values()) * config.patches.window**2 * PICTURE_BYTES,
    }


def measured_rates(file: Path) -> Rates:
    """Operations a second of each kind of work, from the result of `cama paper-scale`."""
    try:
        parts = json.loads(file.read_text(encoding="utf-8"))["parts"]
        rates = {
            name.removeprefix("speed "): part["result"] for name, part in parts.items() if name.startswith("speed ")
        }
        found = {name: 1e12 * result["tflops"] for name, result in rates.items() if "tflops" in result}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CamaError(f"{file}: found no result of `cama paper-scale` ({error}), expected one") from None
    needed = [
        "estimator",
        "generator",
        "classifier",
        "classifier compiled",
        *(f"classifier {name}" for name in MEASURED),
    ]
    if missing := [name for name in needed if not found.get(name)]:
        raise CamaError(f"{file}: found no speed of {', '.join(missing)}, expected one of each")
    return found


def hours(row: Cost, rate: Rates) -> float:
    """How long the work takes at `rate`, operations a second of all work or of each kind."""
    return row.total / (rate if isinstance(rate, float) else rate[row.speed]) / 3600


def as_text(rows: list[Cost], sizes: dict[str, int], rate: Rates) -> str:
    """A table in Markdown; `rate`: operations a second that the machine sustains."""
    lines = [
        "| what | jobs | patches or pictures | GFLOP each | PFLOP | hours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        each, total, time = f"{row.operations / 1e9:.3g}", f"{row.total / 1e15:.3g}", f"{hours(row, rate):.2g}"
        lines.append(f"| {row.what} | {row.jobs} | {row.items:,} | {each} | {total} | {time} |")
    jobs, total = sum(row.jobs for row in rows), sum(row.total for row in rows)
    lines.append(f"| **all** | {jobs} | | | {total / 1e15:.4g} | {sum(hours(row, rate) for row in rows):.3g} |")
    space = ", ".join(f"{name} {size / 1e9:.1f} GB" for name, size in sizes.items())
    speed = f"{rate / 1e12:g} TFLOP/s" if isinstance(rate, float) else "the measured speeds"
    return "\n".join([*lines, "", f"Hours at {speed}. Disk: {space}."])
