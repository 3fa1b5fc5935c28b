"""Control of the distortion of G's pictures during its training."""

import torch
from torch import nn


class PsnrController(nn.Module):
    """A factor of the pixel loss's weight that moves until G's pictures have a wanted PSNR, as a Lagrange multiplier does for a
    constraint (Rezende and Viola 2018). G and D compete, and with a fixed weight chance decides at which PSNR they end.
    """

    GAIN = 2.5  # change of the logarithm of the factor over a whole training in which 1 dB is missing throughout
    MAX_ERROR = 5.0  # dB; larger errors count as this, since an untrained G may change nothing
    MAX_LOG = 2.0  # bound of the absolute logarithm of the factor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.rate = self.GAIN / steps  # a higher rate than G can follow would oscillate
        self.register_buffer("log_factor", torch.zeros(()))

    @property
    def factor(self) -> torch.Tensor:
        """The factor, a tensor without dimensions."""
        return self.log_factor.exp()

    def update(self, wanted: float, psnr: torch.Tensor) -> None:
        """Raise the factor where the pictures' mean `psnr` is below `wanted`, lower it where it is above; both in dB."""
        error = (wanted - psnr).clamp(-self.MAX_ERROR, self.MAX_ERROR)
        moved = self.log_factor + self.rate * error
        self.log_factor.copy_(moved.clamp(-self.MAX_LOG, self.MAX_LOG))  # in place: the training loop holds this tensor
