"""The attack by a trained generator: G's picture, and where that is refined, gradient steps on E from there."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cama.attacks.classical import Attack
from cama.attacks.refinement import GENERATOR, refine
from cama.attacks.tiles import transform
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.models.evaluator import Evaluator, load_evaluator
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator, load_generator
from cama.settings.attacks import MethodSpec
from cama.settings.networks import GeneratorSpec


class LearnedAttack:
    """A trained generator for photographs of any size. It takes the generator and E over, to the device of `compute`."""

    def __init__(
        self,
        generator: Generator,
        spec: GeneratorSpec,
        compute: Compute,
        evaluator: Evaluator | None = None,
        steps: int = 0,
    ) -> None:
        self._generator, self._spec, self._compute = compute.to_device(fuse_batch_norms_(generator)), spec, compute
        self._evaluator = compute.to_device(evaluator) if steps and evaluator else None
        self._steps = steps

    def __call__(
        self,
        picture: np.ndarray,
        target: int,
        psnr: float = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """The picture (H, W, 3), uint8, changed towards the label `target`, so that it has `psnr` dB; 0, for a generator whose
        pictures are not refined, leaves the change as G makes it. `progress` is called with parts of the work done and of all.
        """
        if self._evaluator is None:
            return transform(picture, self._generator, self._spec, target, self._compute, psnr, progress=progress)
        if not psnr:
            raise CamaError("psnr: found 0, expected a PSNR in dB: this generator's pictures are refined at one")
        whole = 1 + self._steps
        start = transform(
            picture,
            self._generator,
            self._spec,
            target,
            self._compute,
            psnr + GENERATOR,
            progress=lambda done, total: progress(done, total * whole),
        )
        return refine(
            picture,
            start,
            self._evaluator,
            target,
            psnr,
            self._steps,
            self._compute,
            progress=lambda done, total: progress(total + done * self._steps, total * whole),
        )


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
    change = LearnedAttack(generator, spec, compute, evaluator, method.refine)

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([change(image, int(label), method.psnr) for image, label in zip(images, target, strict=True)])

    return attack
