"""The body that the image-to-image networks share, the generator G and the estimator E0.

Paper, section 4: convolution 7x7 to 64 features, two stride-2 convolutions, residual blocks, two transposed
convolutions, a final 7x7; reflection padding, batch norm, ReLU, N(0, 0.02) initial weights.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cama.config import BodySpec


def init_normal_(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for batch norms, zero biases."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d) and part.affine:
            nn.init.normal_(part.weight, 1.0, 0.02)
        if getattr(part, "bias", None) is not None:
            nn.init.zeros_(part.bias)


def label_maps(labels: Tensor, classes: int, height: int, width: int) -> Tensor:
    """Labels (N,) as one-hot maps (N, classes, height, width)."""
    return F.one_hot(labels, classes).to(torch.float32)[:, :, None, None].expand(-1, -1, height, width)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm beside the identity."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(features, features, 3),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
            _conv(features, features, 3),
            nn.BatchNorm2d(features),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return x + self.body(x)


def build_body(inputs: int, outputs: int, spec: BodySpec) -> nn.Sequential:
    """The shared body; H and W must be multiples of 2**spec.downsamplings."""
    features = spec.features
    layers: list[nn.Module] = [_conv(inputs, features, spec.kernel), nn.BatchNorm2d(features), nn.ReLU(inplace=True)]
    for _ in range(spec.downsamplings):
        layers += [_conv(features, 2 * features, 3, stride=2), nn.BatchNorm2d(2 * features), nn.ReLU(inplace=True)]
        features *= 2
    layers += [ResidualBlock(features) for _ in range(spec.blocks)]
    for _ in range(spec.downsamplings):
        up = nn.ConvTranspose2d(features, features // 2, 3, stride=2, padding=1, output_padding=1, bias=False)
        layers += [up, nn.BatchNorm2d(features // 2), nn.ReLU(inplace=True)]
        features //= 2
    layers.append(_conv(features, outputs, spec.kernel, bias=True))
    body = nn.Sequential(*layers)
    init_normal_(body)
    return body


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect", bias=bias)
