"""What a run of a config costs before it is begun: trainings, passes and their operations, and disk.

Operations are torch's own count (`torch.utils.flop_counter`) of convolutions and products, forward and backward, on tensors
that hold nothing. A multiplication and an addition are two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cama.core.errors import CamaError
from cama.models.classifiers import Classifier
from cama.models.discriminator import Discriminator
from cama.models.estimator import Estimator
from cama.models.frontends import Residual
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
    """Photographs of each patch file (role, phase), and attacked pictures of each method."""

    files: dict[tuple[str, str], int]
    pictures: dict[str, int]


def costs(config: Config, counts: Counts) -> list[Cost]:
    """The trainings and passes that the tables of a config need."""
    known = len(config.models.in_distribution)
    every = known + len(config.models.out_of_distribution)
    adversary, examiner, side, crop = config.adversary, config.examiner, config.patches.size, config.patches.crop
    generators, evaluators = _used(config)
    rows = []

    def training(what: str, jobs: int, spec: Any, each: float) -> None:
        rows.append(Cost(what, jobs, jobs * spec.training.steps * spec.training.batch, each))

    owned = ("adversary", adversary, [adversary.evaluators[name] for name in evaluators])
    for owner, one, specs in (owned, ("examiner", examiner, list(examiner.classifiers.values()))):
        if any(spec.net.needs_estimator for spec in specs):
            training(f"estimator {owner}", 1, one.estimator, trained(Estimator(one.estimator.net), side))
    for name in evaluators:
        spec = adversary.evaluators[name]
        training(f"evaluator {name}", 1, spec, trained(_classifier(known, spec.net, adversary.estimator), side))
    for name in generators:
        spec = adversary.generators[name]
        nets = [_classifier(known, adversary.evaluators[e].net, adversary.estimator) for e in spec.evaluators]
        training(f"generator {name}", spec.runs, spec, generator_step(known, spec, nets, side))
    for name, spec in examiner.classifiers.items():
        labels = every if spec.labels == "expanded" else known
        net = _classifier(labels, spec.net, examiner.estimator)
        training(f"classifier {name}", 1 + (name == _control(config)), spec, trained(net, side))
    for name in config.detection.methods:
        detector = _classifier(2, config.detection.net, adversary.estimator)
        training(f"detector {name}", 1, config.detection, trained(detector, side))
    for name, method in config.attack.methods.items():
        if method.generator or method.evaluators:
            rows.append(Cost(f"attack {name}", 1, counts.pictures[name], _attack(config, known, method, crop)))
    seen = sum(counts.pictures.values()) * len(config.evaluation.saves)
    seen *= 2 if config.evaluation.patches else 1  # whole and cut into patches
    each = sum(_passed(_classifier(known, s.net, examiner.estimator), crop) for s in examiner.classifiers.values())
    rows.append(Cost("evaluation", len(config.attack.methods), seen, each))
    return rows


def _used(config: Config) -> tuple[list[str], list[str]]:
    """The generators that methods use, and the classifiers of E that those or gradient attacks use."""
    methods = config.attack.methods.values()
    generators = list(dict.fromkeys(method.generator for method in methods if method.generator))
    blocks = [config.adversary.generators[name] for name in generators] + list(methods)
    return generators, list(dict.fromkeys(name for block in blocks for name in block.evaluators))


def _control(config: Config) -> str:
    """The classifier that is trained again on random crop phases, if any."""
    return "" if config.patches.phase == "random" else config.controls.random_phase


def disk(config: Config, counts: Counts) -> dict[str, int]:
    """Bytes of the patch files and of the attacked pictures; networks are small beside them."""
    pixels = config.patches.crop**2
    crops = sum(counts.files.values()) * config.patches.crops * pixels
    return {"patches": crops * STORED, "attacked": sum(counts.pictures.values()) * pixels * 3}


def counted(config: Config, photographs: int | None) -> Counts:
    """How many photographs a config has: as simulated, or as `split.expected` says, and `photographs` of each device where it
    says nothing.
    """
    if photographs is not None and (photographs < 1 or config.dataset.kind == "simulated"):
        expected = "1 or more" if photographs < 1 else "none, since the config simulates its own"
        raise CamaError(f"--photographs: found {photographs}, expected {expected}")
    phase, generators = config.patches.phase, [config.adversary.generators[name] for name in _used(config)[0]]
    wanted = {("adversary", phase), *(("adversary", spec.phase or phase) for spec in generators)}
    wanted |= {("examiner", phase), ("test", phase)}
    if config.models.out_of_distribution:
        wanted.add(("test_outdist", phase))
    if any(spec.labels == "expanded" for spec in config.examiner.classifiers.values()):
        wanted.add(("examiner_outdist", phase))
    if _control(config):
        wanted |= {("examiner", "random"), ("test", "random")}
        if config.examiner.classifiers[_control(config)].labels == "expanded":
            wanted.add(("examiner_outdist", "random"))
    roles = {role: _photographs(config, role, photographs) for role in sorted({role for role, _ in wanted})}
    pictures = {name: _pictures(config, method, roles) for name, method in config.attack.methods.items()}
    return Counts({(role, phase): roles[role] for role, phase in sorted(wanted)}, pictures)


def _photographs(config: Config, role: str, photographs: int | None) -> int:
    """Photographs of a role; a device that several roles name divides its own among them."""
    if role in config.split.expected:
        return config.split.expected[role]
    inside = not role.endswith("_outdist")
    if config.dataset.kind == "simulated":
        sim = config.simulation
        photographs = sim.photographs_outdist if role == "examiner_outdist" else sim.photographs
    if photographs is None:
        raise CamaError(f"--photographs: found none, expected how many each device of the {role} has")
    models = config.models.in_distribution if inside else config.models.out_of_distribution
    owners = (config.split.in_distribution if inside else config.split.out_of_distribution).model_dump()
    mine = owners[role.removesuffix("_outdist")]
    shares = [photographs / sum(device in devices for devices in owners.values()) for device in mine]
    return round(len(models) * sum(shares))


def _pictures(config: Config, method: MethodSpec, roles: dict[str, int]) -> int:
    """How many pictures a method makes: of each test photograph one, or one towards each other label."""
    known, unknown = len(config.models.in_distribution), len(config.models.out_of_distribution)
    most = method.photographs or config.attack.photographs or max(roles.values())
    inside, outside = min(roles["test"], most * known), min(roles.get("test_outdist", 0), most * unknown)
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
        judged = [rival(fake, y).sum() for rival in rivals] + [score.sum() for score in _scores(fixed, fake)]
        torch.stack(judged).sum().backward(inputs=list(generator.parameters()))

    return _count(step)


def _attack(config: Config, labels: int, method: MethodSpec, crop: int) -> float:
    """Operations of one attacked crop."""
    adversary = config.adversary
    if method.generator:
        return generated(Generator(labels, adversary.generators[method.generator].generator), crop)
    nets = [_classifier(labels, adversary.evaluators[name].net, adversary.estimator) for name in method.evaluators]
    fixed = [net.to("meta").eval().requires_grad_(False) for net in nets]
    steps = 1 if method.kind == "fgsm" else method.steps
    followed = _count(
        lambda: torch.stack([score.sum() for score in _scores(fixed, _empty(crop).requires_grad_())]).sum().backward()
    )
    return steps * followed


def _scores(nets: list[Classifier], images: Tensor) -> list[Tensor]:
    """What E's classifiers say; their estimator, which they share, is asked once."""
    split: tuple[Tensor, Tensor] | None = None
    scores = []
    for net in nets:
        if isinstance(net.frontend, Residual):
            split = split or net.frontend.estimator.split(images)
            scores.append(net.net(split[net.frontend.low]))
        else:
            scores.append(net(images))
    return scores


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
