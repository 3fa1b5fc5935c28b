"""What a model file does to the pixels of a photograph."""

import numpy as np

from cama.attacks.learned import LearnedAttack
from cama.attacks.steps import momentum_steps
from cama.compute.pixels import in_levels, to_bytes, to_float
from cama.core.cores import cores
from cama.core.packages import needed_by
from cama.models.packaged import Anonymizer

MOST_WORKERS = 4  # tiles at a time, each of which takes memory


def packaged_attack(model: Anonymizer, workers: int | None = None) -> LearnedAttack:
    """The attack of a model file's generator and E, on so many tiles at a time: one a core, where that is not said."""
    header, gradients = model.header, list(model.gradients.values())

    def generate(context: np.ndarray, target: int) -> np.ndarray:
        if header.generator.input == "remosaic":
            context = _remosaiced(context)
        return to_bytes(model.generator(to_float(context[None]), _label(target)))[0]

    def walk(context: np.ndarray, target: int, bound: float) -> np.ndarray:
        def direction(step: int, now: np.ndarray) -> np.ndarray:
            return -gradients[step % len(gradients)](now, _label(target))

        return in_levels(momentum_steps(to_float(context[None]), bound, header.refine, direction))[0]

    workers = workers or min(MOST_WORKERS, cores())
    walked = walk if header.refine else None
    return LearnedAttack(generate, header.reach, walked, header.refine, header.headroom, workers)


def _label(target: int) -> np.ndarray:
    return np.array([target], np.int64)


def _remosaiced(context: np.ndarray) -> np.ndarray:
    with needed_by("a generator that takes photographs demosaiced anew"):
        from cama.forensics.mosaic import remosaic
    return remosaic(context)
