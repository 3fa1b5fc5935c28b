"""Convolutions of maps of a few pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST = 4  # pixels a side, below which a product of matrices is faster on a CPU


class SmallMapConv2d(nn.Conv2d):
    """A padded convolution that a CPU computes as one product of matrices where its input has few pixels: oneDNN's takes two to
    five times as long there.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> "SmallMapConv2d":
        """The same convolution, without bias, with the same weights."""
        other = cls(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)
        other.weight = conv.weight
        return other

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H', W')."""
        if x.device.type != "cpu" or max(x.shape[-2:]) > MOST or torch.compiler.is_exporting():
            return super().forward(x)
        (rows, columns), (above, beside) = self.kernel_size, self.padding
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, beside, beside, above, above))
        windows = padded.unfold(1, rows, self.stride[0]).unfold(
            2, columns, self.stride[1]
        )  # (N, H', W', inputs, kernel)
        seen = windows.permute(0, 1, 2, 4, 5, 3).flatten(3)
        return F.linear(seen, self.weight.permute(0, 2, 3, 1).flatten(1)).permute(0, 3, 1, 2)
