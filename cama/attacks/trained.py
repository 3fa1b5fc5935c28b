"""The learned attack by networks as they were trained, on the device that trains."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cama.attacks.classical import Attack
from cama.attacks.gradient import downhill, in_levels
from cama.attacks.learned import LearnedAttack
from cama.attacks.steps import momentum_steps
from cama.compute.device import Compute
from cama.compute.tensors import to_bytes
from cama.core.errors import CamaError
from cama.forensics.mosaic import remosaic
from cama.models.evaluator import Evaluator, load_evaluator
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator, load_generator, reach
from cama.settings.attacks import MethodSpec
from cama.settings.networks import GeneratorSpec


def trained_attack(
    generator: Generator,
    spec: GeneratorSpec,
    compute: Compute,
    evaluator: Evaluator | None = None,
    steps: int = 0,
    headroom: float = 0,
) -> LearnedAttack:
    """The attack of a generator, with `steps` on E, and `headroom` as in `LearnedAttack`. It takes both networks over, to the
    device of `compute`.
    """
    generate = generating(compute.to_device(fuse_batch_norms_(generator)), spec, compute)
    walk = walking(compute.to_device(evaluator), compute, steps) if evaluator and steps else None
    return LearnedAttack(generate, reach(spec), walk, steps, headroom)


def generating(generator: Generator, spec: GeneratorSpec, compute: Compute) -> Callable[[np.ndarray, int], np.ndarray]:
    """`generate` of `LearnedAttack`, by G on the device of `compute`."""

    @torch.no_grad()
    def generate(context: np.ndarray, target: int) -> np.ndarray:
        if spec.input == "remosaic":
            context = remosaic(context)
        with compute.autocast():
            return to_bytes(generator(compute.images(context[None].copy()), _label(target, compute)))[0]

    return generate


def walking(evaluator: Evaluator, compute: Compute, steps: int) -> Callable[[np.ndarray, int, float], np.ndarray]:
    """`walk` of `LearnedAttack`, by E on the device of `compute`, of whose classifiers each step goes by one, in turn."""

    def walk(context: np.ndarray, target: int, bound: float) -> np.ndarray:
        label = _label(target, compute)

        def direction(step: int, now: Tensor) -> Tensor:
            return downhill(evaluator, now, label, compute, [evaluator.names[step % len(evaluator.names)]])

        return in_levels(momentum_steps(compute.images(context[None].copy()), bound, steps, direction))[0]

    return walk


def _label(target: int, compute: Compute) -> Tensor:
    return torch.tensor([target], device=compute.device)


def learned_attack(
    path: Path, method: MethodSpec, targets: tuple[str, ...], compute: Compute, evaluators: Sequence[Path] = ()
) -> Attack:
    """The attack of a generator's file; `evaluators`: files of the classifiers of its E, where its pictures are refined."""
    generator, spec, labels = load_generator(path)
    if labels != targets:
        raise CamaError(f"{path}: found the labels {list(labels)}, expected {list(targets)}")
    evaluator = None
    if method.refine:
        if not evaluators:
            raise CamaError(
                "--evaluators: found none, expected those of the generator, on which its pictures are refined"
            )
        evaluator = load_evaluator([file.stem for file in evaluators], evaluators, targets)
    change = trained_attack(generator, spec, compute, evaluator, method.refine, method.headroom)

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([change(image, int(label), method.psnr) for image, label in zip(images, target, strict=True)])

    return attack
