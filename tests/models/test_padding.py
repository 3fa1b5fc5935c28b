"""Tests of cama.models.padding: torch's own reflection padding is the judge."""

import pytest
import torch
from torch import nn

from cama.models.padding import ReflectConv2d, reflect


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("padding", [1, 2, 3])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("size", [(8, 8), (4, 7)])
def test_values_and_gradients_are_torchs(
    padding: int, layout: torch.memory_format, size: tuple[int, int], rng: torch.Generator
) -> None:
    images = torch.randn((2, 3, *size), dtype=torch.float64, generator=rng).contiguous(memory_format=layout)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    found, expected = reflect(ours, padding), nn.functional.pad(theirs, (padding,) * 4, mode="reflect")
    assert torch.equal(found, expected)
    incoming = torch.randn(found.shape, dtype=torch.float64, generator=rng)
    gradients = [torch.autograd.grad(y, x, incoming)[0] for y, x in ((found, ours), (expected, theirs))]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_passes_a_numerical_gradient_check(rng: torch.Generator) -> None:
    images = torch.randn((1, 2, 5, 4), dtype=torch.float64, generator=rng).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: reflect(x, 2), images)


def test_keeps_type_and_channels_last_under_autocast() -> None:
    images = torch.randn(2, 4, 8, 8, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        padded = reflect(images, 1)
    assert padded.dtype == torch.bfloat16
    assert padded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (7, 1)])
def test_convolution_is_torchs_with_reflection(kernel: int, stride: int, rng: torch.Generator) -> None:
    theirs = nn.Conv2d(3, 5, kernel, stride, kernel // 2, padding_mode="reflect")
    ours = ReflectConv2d(3, 5, kernel, stride)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn((2, 3, 16, 12), generator=rng)
    torch.testing.assert_close(ours(images), theirs(images))
