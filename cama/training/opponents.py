"""Classifiers that go on to train against G: as a target classifier would that has seen its pictures."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cama.models.evaluator import Evaluator


class Opponents(nn.Module):
    """Copies of some classifiers of E that keep training on photographs, and on G's pictures with their true source.

    What fools a fixed E may be no more than its own mistakes; opponents learn each of them, so that only what another camera
    would really change is left to G (compare Zhao et al. 2023, "Minimizing Maximum Model Discrepancy for Transferable Black-box
    Targeted Attacks"). Norms and dropout stay as in evaluation, and E0 stays fixed.
    """

    def __init__(self, evaluator: Evaluator, names: Sequence[str]) -> None:
        super().__init__()
        kept = {id(evaluator.estimator): evaluator.estimator}  # not copied: it serves all
        streams = [deepcopy(evaluator.streams[evaluator.names.index(name)], kept) for name in names]
        self.names, self.streams = tuple(names), nn.ModuleList(streams)
        fixed = {id(parameter) for parameter in evaluator.parameters()}
        for parameter in self.parameters():
            parameter.requires_grad_(id(parameter) not in fixed)
        super().train(False)

    def train(self, mode: bool = True) -> "Opponents":
        """Norms and dropout stay as they are."""
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [-1, 1] to the log-probabilities (N, classes) of each opponent, by name."""
        scores = zip(self.names, self.streams, strict=True)
        return {name: stream(images).float().log_softmax(1) for name, stream in scores}

    def loss(self, real: Tensor, fake: Tensor, source: Tensor) -> Tensor:
        """The cross-entropy of the true sources (N,) of photographs and of G's pictures, a mean over both and all opponents."""
        given = torch.cat([scores for images in (real, fake) for scores in self(images).values()])
        return cross_entropy(given, source.repeat(2 * len(self.names)))
