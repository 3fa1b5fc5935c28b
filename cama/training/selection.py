"""The choice among states of a generator by classifiers that the adversary has held out of its training."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from cama.compute.device import Compute
from cama.compute.tensors import to_bytes
from cama.core.errors import CamaError
from cama.data.arrays import take
from cama.data.patches import Patches
from cama.models.classifiers import Classifier
from cama.models.generator import Generator
from cama.training.classifier import predict

FIRST = 0.7  # the share of the training after which the first state is judged
STATES = 4  # how many are, the last among them
# patches (n, S, S, 3) of a photograph, what G made of them, the target's label, where they begin in the photograph, and the
# number of this photograph and target, to what is judged
Deliver = Callable[[np.ndarray, np.ndarray, int, np.ndarray, int], np.ndarray]
PAIRS = 60  # validation photographs and targets that each state is judged by


def judged_steps(steps: int) -> list[int]:
    """The numbers of steps after which G is judged in a training of so many."""
    return sorted({round(steps * share) for share in np.linspace(FIRST, 1, STATES)})


class Selection:
    """Of some states of G the one whose pictures the judges take most often for their targets.

    The pictures are those of validation photographs, as `deliver` makes them.
    """

    def __init__(
        self,
        patches: Patches,
        source: str,
        judges: Sequence[tuple[Classifier, tuple[str, ...]]],
        deliver: Deliver,
        steps: int,
        compute: Compute,
    ) -> None:
        """`source`: the array that G takes; `deliver`: what is judged, from pictures and G's; `judges`: with their labels."""
        for _, labels in judges:
            if labels != patches.labels:
                raise CamaError(f"--judges: found the labels {list(labels)}, expected {list(patches.labels)}")
        self.judges = [compute.to_device(judge).eval() for judge, _ in judges]
        self.patches, self.source, self.deliver, self.compute = patches, source, deliver, compute
        self.steps, self.pairs = judged_steps(steps), _pairs(patches)
        self.scores: list[float] = []  # of the steps judged so far
        self.best: dict[str, torch.Tensor] = {}

    def consider(self, step: int, generator: Generator) -> float | None:
        """Judge G after so many steps, and keep it if it is the best so far. Gives the share of patches that the judges take
        for their targets; None between the steps that are judged.
        """
        if step not in self.steps:
            return None
        training = generator.training
        score = self._score(generator.eval())
        generator.train(training)
        self.scores.append(score)
        if score >= max(self.scores):
            self.best = {name: value.detach().cpu().clone() for name, value in generator.state_dict().items()}
        return score

    @torch.no_grad()
    def _score(self, generator: Generator) -> float:
        hits = []
        for number, (rows, target) in enumerate(self.pairs):
            before = take(self.patches.arrays["rgb"], rows)
            given = take(self.patches.arrays[self.source], rows)
            labels = torch.full((len(rows),), target, device=self.compute.device)
            self.compute.begin_step()
            with self.compute.autocast():
                after = to_bytes(generator(self.compute.images(given), labels))
            pictures = torch.from_numpy(self.deliver(before, after, target, self.patches.origin[rows], number))
            hits += [predict(judge, pictures, self.compute).argmax(1) == target for judge in self.judges]
        return float(np.mean(np.concatenate(hits)))

    def state_dict(self) -> dict[str, Any]:
        return {"scores": self.scores, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scores, self.best = list(state["scores"]), dict(state["best"])


def _pairs(patches: Patches) -> list[tuple[np.ndarray, int]]:
    """The rows of a validation photograph and another label than its own: all of these, or some chosen at random."""
    held = patches.validation.astype(bool)
    if not held.any():
        raise CamaError("--judges: found no validation photograph among the patches, expected some (split.validation)")
    rows = [np.flatnonzero(held & (patches.photograph == name)) for name in np.unique(patches.photograph[held])]
    labels = range(len(patches.labels))
    pairs = [(own, target) for own in rows for target in labels if target != patches.label[own[0]]]
    # always the same ones, so that all states and generators are judged alike
    return [pairs[place] for place in np.random.default_rng(0).permutation(len(pairs))[:PAIRS]]
