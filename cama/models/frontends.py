"""Front-ends: the signal of an image that a classifier or a discriminator takes. A registry by name."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cama import plugins
from cama.core.errors import CamaError
from cama.forensics.highpass import constrain_, finite_difference, fixed_high_pass
from cama.models.estimator import Estimator


class ConstrainedConv(nn.Conv2d):
    """Trainable 5x5 convolution, 3 to 3 channels, bound to be high-pass (Bayar and Stamm 2018). Project after each step."""

    def __init__(self) -> None:
        super().__init__(3, 3, 5, bias=False)
        self.project_()

    def project_(self) -> None:
        """Put the kernels back on the constraint."""
        constrain_(self.weight.data)


class Signal(nn.Module):
    """A fixed or trainable high-pass signal with a gain that brings it to unit variance.

    The gain is measured once, on the first training images (`calibrate`), and then part of the weights: without it a
    signal of a hundredth of the image's scale would have almost no effect beside the label maps.
    """

    def __init__(self, transform: Callable[[Tensor], Tensor], channels: int) -> None:
        super().__init__()
        self.transform = transform
        self.channels = channels
        self.register_buffer("gain", torch.ones(()))

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Set the gain from images (N, 3, H, W)."""
        self.gain.copy_(1 / self.transform(images).float().std().clamp_min(1e-6))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to signals (N, channels, H', W')."""
        return self.transform(images) * self.gain


class Rgb(Signal):
    """The image itself."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), 3)

    def calibrate(self, images: Tensor) -> None:
        """Leave the image as it is."""


class WithImage(nn.Module):
    """`rgb+...`: the image, and a high-pass signal of it, padded by reflection to the image's size."""

    def __init__(self, signal: Signal) -> None:
        super().__init__()
        self.signal = signal
        self.channels = 3 + signal.channels

    def calibrate(self, images: Tensor) -> None:
        """Set the signal's gain from images (N, 3, H, W)."""
        self.signal.calibrate(images)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to signals (N, channels, H, W)."""
        signal = self.signal(images)
        rows, columns = (a - b for a, b in zip(images.shape[-2:], signal.shape[-2:], strict=True))
        around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return torch.cat([images, nn.functional.pad(signal, around, mode="reflect")], dim=1)


class Residual(nn.Module):
    """`prnu_lp`: the noise residual by the owner's own frozen estimator, in units of its standard deviation.
    `prnu_lp_low`: the image without it.
    """

    channels = 3

    def __init__(self, estimator: Estimator, low: bool) -> None:
        super().__init__()
        self.estimator = estimator.requires_grad_(False).eval()
        self.low = low
        super().train(False)

    def train(self, mode: bool = True) -> "Residual":
        """Keep the estimator in evaluation mode."""
        return self

    def calibrate(self, images: Tensor) -> None:
        """Nothing to measure: the estimator holds the residual's scale."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) to signals of the same shape."""
        return self.estimator.split(images)[self.low]


_HIGH_PASS: dict[str, Callable[[], Signal]] = {
    "con_conv": lambda: Signal(ConstrainedConv(), 3),
    "finite_difference": lambda: Signal(finite_difference, 6),
    "fixed_hpf": lambda: Signal(fixed_high_pass, 3),
}
_BUILTIN: dict[str, Callable[[Estimator | None], nn.Module]] = {
    "rgb": lambda _: Rgb(),
    **{name: lambda _, build=build: build() for name, build in _HIGH_PASS.items()},
    **{f"rgb+{name}": lambda _, build=build: WithImage(build()) for name, build in _HIGH_PASS.items()},
    "prnu_lp": lambda estimator: Residual(_needed(estimator), low=False),
    "prnu_lp_low": lambda estimator: Residual(_needed(estimator), low=True),
}


def _from_package(build: Callable[[], nn.Module]) -> Callable[[Estimator | None], nn.Module]:
    """A front-end of another package: a function that makes a module with the attribute `channels`."""

    def signal(_: Estimator | None) -> nn.Module:
        module = build()
        return Signal(module, module.channels)

    return signal


FRONTENDS = plugins.Registry(plugins.FRONTENDS, _BUILTIN, _from_package)


def build_frontend(name: str, estimator: Estimator | None = None) -> nn.Module:
    """A front-end by name; the `prnu_lp` ones need the owner's estimator."""
    if name not in FRONTENDS:
        raise CamaError(f"frontend: found {name!r}, expected one of {', '.join(FRONTENDS)}")
    return FRONTENDS[name](estimator)


def project_constraints_(module: nn.Module) -> None:
    """Project every constrained convolution inside `module`."""
    for part in module.modules():
        if isinstance(part, ConstrainedConv):
            part.project_()


def _needed(estimator: Estimator | None) -> Estimator:
    if estimator is None:
        raise CamaError("frontend: prnu_lp and prnu_lp_low need an estimator, found none")
    return estimator
