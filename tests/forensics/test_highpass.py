import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from cama.forensics.highpass import constrain_, finite_difference, fixed_high_pass

SIGNALS = [finite_difference, fixed_high_pass]


def images(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_constant_has_no_high_frequencies(signal):
    constant = torch.zeros(2, 3, 12, 15) + torch.tensor([0.3, -0.7, 0.9]).view(1, 3, 1, 1)
    assert signal(constant).abs().max() < 1e-6


@pytest.mark.parametrize("signal", SIGNALS)
def test_gradient_reaches_the_image(signal):
    x = images(1, 3, 9, 10).float().requires_grad_()
    signal(x).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad != 0).float().mean() > 0.85  # a corner of 3x3 has no difference


@pytest.mark.parametrize("shape", [(2, 3, 11, 16), (1, 1, 16, 11)])
def test_finite_difference_against_numpy(shape):
    x = images(*shape)
    found = finite_difference(x).numpy()
    channels, height, width = shape[1:]
    assert found.shape == (shape[0], 2 * channels, height - 3, width - 3)
    assert np.allclose(found[:, :channels], np.diff(x.numpy(), n=3, axis=-1)[:, :, : height - 3])
    assert np.allclose(found[:, channels:], np.diff(x.numpy(), n=3, axis=-2)[:, :, :, : width - 3])


def test_finite_difference_sees_nothing_of_a_quadratic_and_six_of_a_cubic():
    t = torch.arange(12, dtype=torch.float64)
    assert finite_difference((t**2).expand(1, 1, 12, 12)).abs().max() < 1e-9
    cubic = finite_difference((t**3).expand(1, 1, 12, 12))
    assert torch.allclose(cubic[:, 0], torch.tensor(6.0, dtype=torch.float64))  # horizontal first
    assert cubic[:, 1].abs().max() < 1e-9


def test_fixed_high_pass_is_the_kv_kernel_on_each_channel():
    quarter = np.array([[-1, 2, -2], [2, -6, 8], [-2, 8, -12]]) / 12
    kernel = np.pad(quarter, ((0, 2), (0, 2)), mode="reflect")
    x = images(2, 3, 10, 13)
    found = fixed_high_pass(x).numpy()
    for n in range(2):
        for c in range(3):
            assert np.allclose(found[n, c], correlate2d(x[n, c].numpy(), kernel, "valid"), atol=1e-6)


def assert_constrained(weight):
    middle = weight.shape[-1] // 2
    assert torch.all(weight[:, :, middle, middle] == -1)
    assert torch.isfinite(weight).all()
    assert torch.allclose(weight.sum(dim=(2, 3)), torch.zeros(weight.shape[:2]), atol=1e-4)


def test_constrain_puts_minus_one_in_the_centre_and_one_around_it():
    weight = images(3, 3, 5, 5).float() + 0.5
    before = weight.clone()
    assert constrain_(weight) is weight
    assert_constrained(weight)
    ratio = weight / before
    ratio[:, :, 2, 2] = ratio[:, :, 0, 0]
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), rtol=1e-4)  # scaled, not replaced
    assert torch.allclose(constrain_(weight.clone()), weight, atol=1e-6)


def test_constrain_turns_a_negative_sum():
    weight = -images(2, 1, 5, 5).abs().float() - 0.1
    ratio = weight[:, :, 0, 0] / weight[:, :, 0, 1]
    constrain_(weight)
    assert_constrained(weight)
    assert (weight[:, :, 0, 0] > 0).all()
    assert torch.allclose(weight[:, :, 0, 0] / weight[:, :, 0, 1], ratio)


@pytest.mark.parametrize("total", [0.0, 1e-6, -1e-4, 0.05])
def test_constrain_guards_a_sum_near_zero(total):
    """The centre must not count: here it alone would make the sum a safe one."""
    half = torch.linspace(-1, 1, 25)
    weight = half.reshape(1, 1, 5, 5).repeat(2, 1, 1, 1)
    weight[0, 0, 0, 0] += total
    weight[1] += 0.2
    weight[:, :, 2, 2] = 5.0
    constrain_(weight)
    assert_constrained(weight)
    around = weight[0, 0].flatten()[torch.arange(25) != 12]
    assert torch.allclose(around, torch.tensor(1 / 24))
    assert weight[1, 0].abs().max() > 0.1  # its neighbour is scaled as ever


def test_no_slice_of_an_initial_convolution_outweighs_the_others():
    for seed in range(200):
        torch.manual_seed(seed)
        strength = constrain_(torch.nn.Conv2d(3, 3, 5, bias=False).weight.data).flatten(2).norm(dim=2)
        assert strength.max() < 4 * strength.median()


def test_constrain_works_on_a_parameter():
    parameter = torch.nn.Parameter(torch.rand(3, 3, 5, 5))
    constrain_(parameter)
    assert_constrained(parameter.detach())
    assert parameter.requires_grad
    assert parameter.is_leaf
