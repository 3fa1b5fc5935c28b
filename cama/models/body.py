"""The body that the image-to-image networks share, the generator G and the estimator E0.

Paper, section 4: convolution 7x7 to 64 features, two stride-2 convolutions, residual blocks, two transposed
convolutions, a final 7x7; reflection padding, batch norm, ReLU, N(0, 0.02) initial weights.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cama.models.padding import ReflectConv2d
from cama.settings.networks import BodySpec


def init_normal_(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for batch norms, zero biases."""
    if any(parameter.is_meta for parameter in module.parameters()):
        return  # it has no values, and takes seconds: torch imports its compiler for it
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


class Norm(nn.BatchNorm2d):
    """Batch norm; with `classes`, each label scales and shifts the features too (Dumoulin et al. 2017; Perez et al.
    2018), from scale 1 and shift 0.
    """

    def __init__(self, features: int, classes: int = 0) -> None:
        super().__init__(features)
        if classes:
            self.scale = nn.Parameter(torch.zeros(classes, features))
            self.shift = nn.Parameter(torch.zeros(classes, features))
        self.classes = classes

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and labels (N,) to (N, C, H, W)."""
        x = super().forward(x)
        if not self.classes:
            return x
        scale, shift = self.scale[labels, :, None, None].to(x.dtype), self.shift[labels, :, None, None].to(x.dtype)
        return x * (1 + scale) + shift


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm beside the identity."""

    def __init__(self, features: int, classes: int = 0) -> None:
        super().__init__()
        self.body = Body(
            _conv(features, features, 3),
            Norm(features, classes),
            nn.ReLU(inplace=True),
            _conv(features, features, 3),
            Norm(features, classes),
        )

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and labels (N,) to (N, C, H, W)."""
        return x + self.body(x, labels)


class Body(nn.Sequential):
    """Layers in a row, of which some take the labels too."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and, where the body is modulated, labels (N,) to (N, C', H, W)."""
        for layer in self:
            x = layer(x, labels) if isinstance(layer, (Norm, ResidualBlock)) else layer(x)
        return x


def build_body(inputs: int, outputs: int, spec: BodySpec, classes: int = 0) -> Body:
    """The shared body; H and W must be multiples of 2**spec.downsamplings. `classes` labels modulate it, 0 for none."""
    features = spec.features
    layers: list[nn.Module] = [_conv(inputs, features, spec.kernel), Norm(features, classes), nn.ReLU(inplace=True)]
    for _ in range(spec.downsamplings):
        layers += [_conv(features, 2 * features, 3, stride=2), Norm(2 * features, classes), nn.ReLU(inplace=True)]
        features *= 2
    layers += [ResidualBlock(features, classes) for _ in range(spec.blocks)]
    for _ in range(spec.downsamplings):
        up = nn.ConvTranspose2d(features, features // 2, 3, stride=2, padding=1, output_padding=1, bias=False)
        layers += [up, Norm(features // 2, classes), nn.ReLU(inplace=True)]
        features //= 2
    layers.append(_conv(features, outputs, spec.kernel, bias=True))
    body = Body(*layers)
    init_normal_(body)
    return body


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return ReflectConv2d(inputs, outputs, kernel, stride, bias=bias)
