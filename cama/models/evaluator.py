"""The evaluator E: E0 splits an image, E_H classifies the high-frequency part, E_L the low-frequency part."""

import torch
from torch import Tensor, nn

from cama.errors import CamaError
from cama.models.classifiers import Classifier


class Evaluator(nn.Module):
    """The dual-stream evaluator, fixed and in evaluation mode for good; gradients pass through it to the image.

    Both classifiers carry the same E0, which is computed once.
    """

    def __init__(self, high: Classifier, low: Classifier) -> None:
        super().__init__()
        for stream, low_part in ((high, False), (low, True)):
            if getattr(stream.frontend, "low", None) is not low_part:
                expected = "prnu_lp_low" if low_part else "prnu_lp"
                raise CamaError(
                    f"evaluator: found a stream without the estimator's part that it needs, expected {expected}"
                )
        states = high.frontend.estimator.state_dict(), low.frontend.estimator.state_dict()
        same = states[0].keys() == states[1].keys()
        if not same or not all(torch.equal(states[0][key], states[1][key]) for key in states[0]):
            raise CamaError("evaluator: E_H and E_L were trained with different estimators, expected one E0 for both")
        self.estimator = high.frontend.estimator
        self.high, self.low = high.net, low.net
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> "Evaluator":
        """E never trains."""
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, H, W) in [-1, 1] to the log-probabilities (N, classes) of E_H and of E_L."""
        residual = self.estimator(images)
        high = self.high(residual)
        low = self.low(images - residual * self.estimator.scale)
        return high.float().log_softmax(1), low.float().log_softmax(1)
