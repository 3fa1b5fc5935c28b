"""What a run of a config costs before it is begun: trainings, passes and their operations, and disk.

Operations are torch's own count (`torch.utils.flop_counter`) of convolutions and products, forward and backward, on tensors
that hold nothing. A multiplication and an addition are two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cama.errors import CamaError
from cama.models.classifiers import Classifier
from cama.models.discriminator import Discriminator
from cama.models.estimator import Estimator
from cama.models.generator import Generator
from cama.settings.attacks import MethodSpec
from cama.settings.config import Config
from cama.settings.networks import ClassifierNetSpec
from cama.settings.training import EstimatorSpec, LearnedSpec

BATCH = 2  # of what is counted: batch norms want more than one
STORED = 4 * 3  # bytes a pixel of a patch file: rgb and remosaic of a byte each, and the residual of two, a channel


@dataclass(frozen=True)
class Cost:
    """One line: what is done, by how many jobs, on how many pictures or patches in all, with how many operations each."""

    what: str
    jobs: int
    items: int
    operations: float

    @property
    def total(self) -> float:
        """Operations of all jobs."""
        return self.items * self.operations


@dataclass(frozen=True)
class Counts:
    """Photographs of each role, and attacked pictures of each method."""

    roles: dict[str, int]
    pictures: dict[str, int]


def costs(config: Config, counts: Counts) -> list[Cost]:
    """The trainings and passes of a config."""
    labels, every = (
        len(config.models.in_distribution),
        len(config.models.in_distribution + config.models.out_of_distribution),
    )
    adversary, examiner, side, crop = config.adversary, config.examiner, config.patches.size, config.patches.crop
    rows = []

    def training(what: str, jobs: int, spec: EstimatorSpec | LearnedSpec, each: float) -> None:
        rows.append(Cost(what, jobs, jobs * spec.training.steps * spec.training.batch, each))

    for owner, one in (("adversary", adversary), ("examiner", examiner)):
        nets = adversary.evaluators if owner == "adversary" else examiner.classifiers
        if any(spec.net.needs_estimator for spec in nets.values()):
            training(f"estimator {owner}", 1, one.estimator, trained(Estimator(one.estimator.net), side))
    for name, spec in adversary.evaluators.items():
        training(f"evaluator {name}", 1, spec, trained(_classifier(labels, spec.net, adversary.estimator), side))
    for name, spec in adversary.generators.items():
        nets = [
            _classifier(labels, adversary.evaluators[stream].net, adversary.estimator) for stream in spec.evaluators
        ]
        training(f"generator {name}", spec.runs, spec, generator_step(labels, spec, nets, side))
    for name, spec in examiner.classifiers.items():
        known = every if spec.labels == "expanded" else labels
        control = name == config.controls.random_phase and config.patches.phase != "random"
        training(
            f"classifier {name}", 1 + control, spec, trained(_classifier(known, spec.net, examiner.estimator), side)
        )
    for name, method in config.attack.methods.items():
        if method.generator or method.evaluators:
            rows.append(Cost(f"attack {name}", 1, counts.pictures[name], _attack(config, labels, method, crop)))
    seen = sum(counts.pictures.values()) * len(config.evaluation.saves)
    seen *= 2 if config.evaluation.patches else 1  # whole and cut into patches
    each = sum(_passed(_classifier(labels, s.net, examiner.estimator), crop) for s in examiner.classifiers.values())
    rows.append(Cost("evaluation", len(config.attack.methods), seen, each))
    return rows


def disk(config: Config, counts: Counts) -> dict[str, int]:
    """Bytes of the patch files and of the attacked pictures; networks are small beside them."""
    pixels = config.patches.crop**2
    crops = sum(counts.roles.values()) * config.patches.crops * pixels
    return {"patches": crops * STORED, "attacked": sum(counts.pictures.values()) * pixels * 3}


def counted(config: Config, photographs: int | None) -> Counts:
    """How many photographs a config has: as simulated, as `split.expected` says, or `photographs` of each device."""
    sim, split, expected = config.simulation, config.split, config.split.expected
    if config.dataset.kind == "simulated":
        inside = outside = sim.photographs
        trained_out = sim.photographs_outdist
    elif photographs is None and not expected:
        raise CamaError("--photographs: found none, expected how many each device has, since the config does not say")
    else:
        inside = outside = trained_out = photographs or 0
    known, unknown = len(config.models.in_distribution), len(config.models.out_of_distribution)
    roles = {
        "adversary": known * len(split.in_distribution.adversary) * inside,
        "examiner": known * len(split.in_distribution.examiner) * inside,
        "test": known * len(split.in_distribution.test) * inside,
        "examiner_outdist": unknown * len(split.out_of_distribution.examiner) * trained_out,
        "test_outdist": unknown * len(split.out_of_distribution.test) * outside,
    }
    if photographs is None:
        roles |= expected
    return Counts(roles, {name: _pictures(config, method, roles) for name, method in config.attack.methods.items()})


def _pictures(config: Config, method: MethodSpec, roles: dict[str, int]) -> int:
    """How many pictures a method makes: of each test photograph one, or one towards each other label."""
    known, unknown = len(config.models.in_distribution), len(config.models.out_of_distribution)
    most = method.photographs or config.attack.photographs
    # `expected` may not say how many tests there are; then all models have as many as may be attacked
    inside = min(roles["test"], most * known) if most and roles["test"] else roles["test"] or most * known
    outside = (
        min(roles["test_outdist"], most * unknown)
        if most and roles["test_outdist"]
        else (roles["test_outdist"] or most * unknown)
    )
    runs = config.adversary.generators[method.generator].runs if method.generator else 1
    each = (inside * (known - 1) + outside * known) * runs if method.targeted else inside + outside
    return each * config.patches.crops


def _count(call: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / BATCH


def _empty(side: int) -> Tensor:
    return torch.empty(BATCH, 3, side, side, device="meta")


def trained(net: nn.Module, side: int) -> float:
    """Operations of a patch, forward and backward."""
    return _count(lambda: net.to("meta").train()(_empty(side)).sum().backward())


@torch.no_grad()
def _passed(net: nn.Module, side: int) -> float:
    """Operations of a picture, forward."""
    return _count(lambda: net.to("meta").eval()(_empty(side)))


@torch.no_grad()
def generated(generator: Generator, side: int) -> float:
    """Operations of a picture, forward."""
    generator.to("meta").train()  # for autocast, which evaluation needs, knows no `meta`
    return _count(lambda: generator(_empty(side), torch.zeros(BATCH, dtype=torch.long, device="meta")))


def _classifier(labels: int, net: ClassifierNetSpec, estimator: EstimatorSpec) -> Classifier:
    with torch.device("meta"):
        return Classifier(labels, net, Estimator(estimator.net) if net.needs_estimator else None)


def generator_step(labels: int, spec: LearnedSpec, streams: list[Classifier], side: int) -> float:
    """Operations of a patch in a step of D and one of G, as in `cama.training.generator`."""
    generator = Generator(labels, spec.generator).to("meta")
    rivals = [Discriminator(labels, one).to("meta") for one in spec.discriminators]
    fixed = [net.to("meta").eval().requires_grad_(False) for net in streams]
    y = torch.zeros(BATCH, dtype=torch.long, device="meta")

    def step() -> None:
        x = _empty(side)
        fake = generator(x, y)
        for rival in rivals:
            (rival(x, y) + rival(fake.detach(), y) + rival(x, y)).sum().backward()
        judged = [rival(fake, y).sum() for rival in rivals] + [net(fake).sum() for net in fixed]
        torch.stack(judged).sum().backward(inputs=list(generator.parameters()))

    return _count(step)


def _attack(config: Config, labels: int, method: MethodSpec, crop: int) -> float:
    """Operations of one attacked crop."""
    adversary = config.adversary
    if method.generator:
        return generated(Generator(labels, adversary.generators[method.generator].generator), crop)
    nets = [_classifier(labels, adversary.evaluators[name].net, adversary.estimator) for name in method.evaluators]
    steps = 1 if method.kind == "fgsm" else method.steps
    return steps * sum(_followed(net, crop) for net in nets)


def _followed(net: Classifier, crop: int) -> float:
    """Operations of a picture, forward and back to its pixels."""
    net.to("meta").eval().requires_grad_(False)
    return _count(lambda: net(_empty(crop).requires_grad_()).sum().backward())


def as_text(rows: list[Cost], sizes: dict[str, int], rate: float) -> str:
    """A table in Markdown; `rate`: operations a second that the machine sustains."""
    lines = [
        "| what | jobs | patches or pictures | GFLOP each | PFLOP | hours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    all_of_it = sum(row.total for row in rows)
    for row in rows:
        each, total = f"{row.operations / 1e9:.3g}", f"{row.total / 1e15:.3g}"
        lines.append(f"| {row.what} | {row.jobs} | {row.items:,} | {each} | {total} | {row.total / rate / 3600:.2g} |")
    jobs = sum(row.jobs for row in rows)
    lines.append(f"| **all** | {jobs} | | | {all_of_it / 1e15:.4g} | {all_of_it / rate / 3600:.3g} |")
    room = ", ".join(f"{name} {size / 1e9:.1f} GB" for name, size in sizes.items())
    return "\n".join([*lines, "", f"Hours at {rate / 1e12:g} TFLOP/s. Disk: {room}."])
