"""Convolution with reflection padding that stays in the precision and the memory layout of its input.

Under autocast on a CPU torch pads in float32, and convolutions convert that back: a fifth of the time of a training step.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_traced = ContextVar("traced", default=False)


@contextlib.contextmanager
def traced() -> Iterator[None]:
    """What is done within is to be done by another program: by torch's own operations, and quickly there."""
    token = _traced.set(True)
    try:
        yield
    finally:
        _traced.reset(token)


def is_traced() -> bool:
    """Whether what is done now is to be done by another program."""
    return torch.compiler.is_exporting() or _traced.get()


class _Reflect(torch.autograd.Function):
    """Copies of slices forward, sums of slices backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int) -> Tensor:
        ctx.padding = p = padding
        n, channels, height, width = x.shape
        size = (n, channels, height + 2 * p, width + 2 * p)
        last = x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        padded = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
        padded[:, :, p : p + height, p : p + width] = x
        for i in range(1, p + 1):
            padded[:, :, p : p + height, p - i] = x[:, :, :, i]
            padded[:, :, p : p + height, p + width - 1 + i] = x[:, :, :, width - 1 - i]
        for i in range(1, p + 1):
            padded[:, :, p - i] = padded[:, :, p + i]
            padded[:, :, p + height - 1 + i] = padded[:, :, p + height - 1 - i]
        return padded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        p = ctx.padding
        height, width = gradient.shape[2] - 2 * p, gradient.shape[3] - 2 * p

        def folded(strip: Tensor) -> Tensor:
            """What rows receive from their reflections: (N, C, H + 2p, ...) to (N, C, H, ...)."""
            inner = strip[:, :, p : p + height].clone()
            for i in range(1, p + 1):
                inner[:, :, i] += strip[:, :, p - i]
                inner[:, :, height - 1 - i] += strip[:, :, p + height - 1 + i]
            return inner

        inner = folded(gradient[..., p : p + width])
        for i in range(1, p + 1):
            inner[..., i] += folded(gradient[..., p - i])
            inner[..., width - 1 - i] += folded(gradient[..., p + width - 1 + i])
        return inner, None


def reflect(x: Tensor, padding: int) -> Tensor:
    """(N, C, H, W) with `padding` reflected pixels on each side, H and W greater than `padding`."""
    if is_traced():  # other programs know this operation, and would bake the sizes into the copies
        return F.pad(x, (padding,) * 4, mode="reflect")
    return _Reflect.apply(x, padding) if padding else x


class ReflectConv2d(nn.Conv2d):
    """A convolution of odd kernel size k that pads by k // 2 reflected pixels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)
        self.reflected = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return super().forward(reflect(x, self.reflected))
