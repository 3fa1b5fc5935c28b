"""Convolutions of a few pixels are the same as any."""

import pytest
import torch
from torch import nn

from cama.models.small_maps import MOST, SmallMapConv2d


@pytest.mark.parametrize("side", [1, 2, 3, MOST, MOST + 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_result_and_gradients_are_those_of_the_convolution(side, stride):
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3, stride, 1, bias=False).double()
    other = SmallMapConv2d.of(conv)
    assert other.state_dict().keys() == conv.state_dict().keys()
    x = torch.randn(3, 5, side, side, dtype=torch.double, requires_grad=True)
    expected, found = conv(x), other(x)
    assert found.shape == expected.shape
    assert torch.allclose(expected, found)
    wanted = torch.autograd.grad(expected.square().sum(), (x, conv.weight))
    given = torch.autograd.grad(found.square().sum(), (x, other.weight))
    assert all(torch.allclose(a, b) for a, b in zip(wanted, given, strict=True))


def test_it_is_a_product_where_that_is_faster(monkeypatch):
    calls = []
    forward = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: calls.append(x.shape[-1]) or forward(self, x))
    conv = SmallMapConv2d(2, 2, 3, 1, 1, bias=False)
    for side in (MOST, MOST + 1):
        conv(torch.zeros(1, 2, side, side))
    assert calls == [MOST + 1]
