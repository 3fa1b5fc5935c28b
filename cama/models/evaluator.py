"""The evaluator E: fixed classifiers that stand in for F. In the paper E0 splits an image, E_H classifies the
high-frequency part and E_L the low-frequency part; others may stand beside them.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cama.core.errors import CamaError
from cama.models.classifiers import Classifier, load_classifier
from cama.models.frontends import Residual
from cama.models.fused_norms import fuse_batch_norms_


class Evaluator(nn.Module):
    """Classifiers in evaluation mode for good; gradients pass through them to the image.

    Those that need an estimator carry the same E0, which is computed once. Takes the classifiers over and folds their norms.
    """

    def __init__(self, streams: dict[str, Classifier]) -> None:
        super().__init__()
        owned = {name: stream.frontend for name, stream in streams.items() if isinstance(stream.frontend, Residual)}
        states = [frontend.estimator.state_dict() for frontend in owned.values()]
        for name, state in zip(owned, states, strict=True):
            same = state.keys() == states[0].keys() and all(torch.equal(state[key], states[0][key]) for key in state)
            if not same:
                raise CamaError(f"evaluator: {next(iter(owned))} and {name} were trained with different estimators")
        self.names, self.streams = tuple(streams), nn.ModuleList(streams.values())
        self.estimator = next((frontend.estimator for frontend in owned.values()), None)
        for frontend in owned.values():
            frontend.estimator = self.estimator
        super().train(False)
        fuse_batch_norms_(self).requires_grad_(False)

    def train(self, mode: bool = True) -> "Evaluator":
        """E never trains."""
        return self

    def forward(self, images: Tensor, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [-1, 1] to the log-probabilities (N, classes) of each classifier, or of `names`, by name."""
        asked = {
            name: stream
            for name, stream in zip(self.names, self.streams, strict=True)
            if names is None or name in names
        }
        split = None
        if any(isinstance(stream.frontend, Residual) for stream in asked.values()):
            split = self.estimator.split(images)
        scores = {}
        for name, stream in asked.items():
            frontend = stream.frontend
            logits = stream.net(split[frontend.low] if isinstance(frontend, Residual) else frontend(images))
            scores[name] = logits.float().log_softmax(1)
        return scores


def load_evaluator(names: Sequence[str], paths: Sequence[Path], expected: tuple[str, ...]) -> Evaluator:
    """E from the files of its classifiers, in the order of `names`; each must know the labels `expected`."""
    if len(paths) != len(names):
        raise CamaError(f"--evaluators: found {len(paths)} files, expected {len(names)}: {', '.join(names)}")
    streams = {}
    for name, path in zip(names, paths, strict=True):
        streams[name], labels = load_classifier(path)
        if labels != expected:
            raise CamaError(f"{path}: found the labels {list(labels)}, expected {list(expected)}")
    return Evaluator(streams)
