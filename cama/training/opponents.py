"""Classifiers that go on to train against G: as a target classifier would that has seen its pictures."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cama.models.evaluator import Evaluator


class Opponents(Evaluator):
    """Copies of some classifiers of E that keep training on photographs, and on G's pictures with their true source.

    What fools a fixed E may be no more than its own mistakes; opponents learn each of them, so that only what another camera
    would really change is left to G (compare Zhao et al. 2023, "Minimizing Maximum Model Discrepancy for Transferable Black-box
    Targeted Attacks"). Norms and dropout stay as in evaluation, and E0 stays fixed.
    """

    def __init__(self, evaluator: Evaluator, names: Sequence[str]) -> None:
        super().__init__({name: deepcopy(evaluator.streams[evaluator.names.index(name)]) for name in names})
        self.requires_grad_(True)
        if self.estimator is not None:
            self.estimator.requires_grad_(False)

    def loss(self, real: Tensor, fake: Tensor, source: Tensor) -> Tensor:
        """The cross-entropy of the true sources (N,) of photographs and of G's pictures, a mean over both and all opponents."""
        given = torch.cat([scores for images in (real, fake) for scores in self(images).values()])
        return cross_entropy(given, source.repeat(2 * len(self.names)))
