"""Front-ends: what they show, what trains in them, and what must not."""

import pytest
import torch

from cama.core.errors import CamaError
from cama.forensics.highpass import finite_difference, fixed_high_pass
from cama.models.discriminator import Discriminator
from cama.models.frontends import FRONTENDS, ConstrainedConv, build_frontend, project_constraints_
from cama.settings.networks import FRONTEND_NAMES, SIGNALS, WITH_ESTIMATOR, DiscriminatorSpec
from tests.models.helpers import on_constraint, pictures, tiny_classifier, tiny_estimator

CHANNELS = {
    "rgb": 3,
    "con_conv": 3,
    "finite_difference": 6,
    "fixed_hpf": 3,
    "rgb+con_conv": 6,
    "rgb+finite_difference": 9,
    "rgb+fixed_hpf": 6,
    "prnu_lp": 3,
    "prnu_lp_low": 3,
}
HIGH_PASS = ["con_conv", "finite_difference", "fixed_hpf"]


def frontend_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_frontend(name, tiny_estimator() if name in WITH_ESTIMATOR else None)


def test_the_registry_holds_the_names_that_the_config_allows():
    assert set(FRONTENDS) == set(FRONTEND_NAMES) == set(CHANNELS)


@pytest.mark.parametrize("name", FRONTENDS)
def test_a_front_end_gives_its_channels_and_passes_gradients_to_the_image(name):
    frontend = frontend_of(name)
    images = pictures().requires_grad_()
    signal = frontend(images)
    assert signal.shape[:2] == (2, CHANNELS[name])
    assert frontend.channels == CHANNELS[name]
    signal.square().mean().backward()
    assert torch.isfinite(images.grad).all()
    assert (images.grad != 0).float().mean() > 0.9


@pytest.mark.parametrize("name", HIGH_PASS)
def test_high_pass_signals_of_a_flat_image_are_zero(name):
    flat = torch.tensor([0.7, -0.2, 0.1]).view(1, 3, 1, 1).expand(2, 3, 16, 16)
    assert frontend_of(name)(flat).abs().max() < 1e-5
    assert frontend_of(name)(pictures()).abs().max() > 0.1


def test_signals_before_calibration_are_those_of_the_pure_functions():
    images = pictures()
    assert torch.equal(frontend_of("rgb")(images), images)
    assert torch.equal(frontend_of("finite_difference")(images), finite_difference(images))
    assert torch.equal(frontend_of("fixed_hpf")(images), fixed_high_pass(images))


def test_residual_front_ends_split_the_image_by_the_estimator():
    estimator, images = tiny_estimator(scale=0.25).eval(), pictures()
    with torch.no_grad():
        estimate = estimator(images)
        high, low = (build_frontend(name, estimator)(images) for name in WITH_ESTIMATOR)
    assert torch.equal(high, estimate)
    assert torch.allclose(low + 0.25 * high, images, atol=1e-6)
    assert (low - images).abs().max() > 0.01


@pytest.mark.parametrize("name", HIGH_PASS)
def test_calibration_gives_unit_variance_and_belongs_to_the_weights(name):
    frontend, images = frontend_of(name), 0.05 * pictures(4)
    assert abs(frontend(images).std().item() - 1) > 0.1
    frontend.calibrate(images)
    assert frontend(images).std().item() == pytest.approx(1, abs=1e-4)
    assert "gain" in frontend.state_dict()
    assert "gain" not in dict(frontend.named_parameters())


@pytest.mark.parametrize("name", HIGH_PASS)
def test_beside_the_image_only_the_signal_is_calibrated(name):
    frontend, images = frontend_of(f"rgb+{name}"), 0.05 * pictures(4)
    frontend.calibrate(images)
    with torch.no_grad():
        found = frontend(images)
    assert torch.equal(found[:, :3], images)
    assert found[:, 3:].std().item() == pytest.approx(1, abs=0.05)  # the padding is not measured
    assert any(key.endswith("gain") for key in frontend.state_dict())


@pytest.mark.parametrize("name", HIGH_PASS)
@pytest.mark.parametrize("size", [(32, 32), (19, 26)])
def test_beside_the_image_the_signal_is_that_of_the_front_end_alone(name, size):
    """Both of one size: the border that the kernels do not reach is a reflection."""
    images = pictures(2, 40)[:, :, : size[0], : size[1]]
    with torch.no_grad():
        both, alone = frontend_of(f"rgb+{name}")(images), frontend_of(name)(images)
    assert both.shape[-2:] == size
    assert torch.equal(both[:, :3], images)
    top, left = ((a - b) // 2 for a, b in zip(size, alone.shape[-2:], strict=True))
    inner = both[:, 3:, top : top + alone.shape[-2], left : left + alone.shape[-1]]
    assert torch.allclose(inner, alone, atol=1e-6)
    assert (top, left) == ((1, 1) if name == "finite_difference" else (2, 2))
    assert torch.equal(both[:, 3:, top - 1], both[:, 3:, top + 1])
    assert torch.equal(both[..., 3:, :, left - 1], both[..., 3:, :, left + 1])
    assert (both[:, 3:, 0].abs().amax(-1) > 0).all()


@pytest.mark.parametrize("name", HIGH_PASS)
@pytest.mark.parametrize("place", [(8, 17), (14, 9)])
def test_beside_the_image_the_signal_of_an_impulse_is_where_the_impulse_is(name, place):
    row, column = place
    for colour in range(3):
        images = torch.zeros(1, 3, 24, 28)  # far enough from the border to have no reflection
        images[0, colour, row, column] = 1
        with torch.no_grad():
            found = frontend_of(f"rgb+{name}")(images)[0]
        assert torch.equal(found[:3], images[0])
        response = found[3:].abs()
        own = response if name == "con_conv" else response[colour::3]  # the others keep the colours apart
        assert response.sum() == pytest.approx(own.sum().item())
        for channel in own:
            rows, columns = channel.sum(1).nonzero().flatten(), channel.sum(0).nonzero().flatten()
            assert len(rows) > 0
            assert (rows - row).abs().max() <= 2
            assert (columns - column).abs().max() <= 2
            centre = torch.stack([channel.sum(1) @ torch.arange(24.0), channel.sum(0) @ torch.arange(28.0)])
            assert (centre / channel.sum() - torch.tensor([row, column])).abs().max() <= 1


def test_calibration_survives_a_flat_image_and_leaves_rgb_alone():
    flat = torch.zeros(2, 3, 16, 16)
    frontend = frontend_of("finite_difference")
    frontend.calibrate(flat)
    assert torch.isfinite(frontend.gain)
    rgb, images = frontend_of("rgb"), 0.05 * pictures()
    rgb.calibrate(images)
    assert torch.equal(rgb(images), images)


def test_constrained_convolution_begins_on_its_constraint():
    assert on_constraint(ConstrainedConv().weight)


def test_a_slice_that_sums_to_nothing_is_projected_to_equal_shares():
    layer = ConstrainedConv()
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 0], layer.weight[0, 0, 4, 4] = 1.0, -1.0
    layer.project_()
    assert on_constraint(layer.weight)
    assert layer.weight[1, 1, 0, 0].item() == pytest.approx(1 / 24)


def on_classifier(frontend: str) -> torch.nn.Module:
    return tiny_classifier(frontend)


def on_discriminator(frontend: str) -> torch.nn.Module:
    return Discriminator(3, DiscriminatorSpec(frontend=frontend, features=4))


@pytest.mark.parametrize("frontend", ["con_conv", "rgb+con_conv"])
@pytest.mark.parametrize("build", [on_classifier, on_discriminator])
def test_projection_after_an_optimiser_step_restores_the_constraint(build, frontend):
    module = build(frontend)
    (weight,) = [part.weight for part in module.modules() if isinstance(part, ConstrainedConv)]
    assert on_constraint(weight)
    optimiser = torch.optim.SGD(module.parameters(), 0.5)
    before = weight.detach().clone()
    arguments = (pictures(4),) if build is on_classifier else (pictures(4), torch.tensor([0, 1, 2, 0]))
    module(*arguments).square().mean().backward()
    weight.grad += 0.1  # enough to leave the constraint, whatever the loss
    optimiser.step()
    assert not on_constraint(weight)
    project_constraints_(module)
    assert on_constraint(weight)
    assert not torch.equal(weight, before)
    assert weight.requires_grad


@pytest.mark.parametrize("name", WITH_ESTIMATOR)
def test_the_estimator_of_a_classifier_gets_no_gradient_and_stays_in_evaluation_mode(name):
    estimator = tiny_estimator()
    classifier = tiny_classifier(name, estimator=estimator).train()
    before = {key: value.clone() for key, value in estimator.state_dict().items()}
    images = pictures(4).requires_grad_()
    classifier(images).square().mean().backward()
    assert classifier.net.training
    assert not any(part.training for part in estimator.modules())
    assert all(p.grad is None and not p.requires_grad for p in estimator.parameters())
    assert all(torch.equal(before[key], value) for key, value in estimator.state_dict().items())
    assert images.grad.abs().max() > 0


@pytest.mark.parametrize("name", WITH_ESTIMATOR)
def test_residual_front_ends_refuse_to_be_built_without_an_estimator(name):
    with pytest.raises(CamaError, match="need an estimator"):
        build_frontend(name)


def test_an_unknown_front_end_is_an_error_that_names_the_known():
    with pytest.raises(CamaError, match="found 'hpf', expected one of rgb, con_conv"):
        build_frontend("hpf")


@pytest.mark.parametrize("name", SIGNALS)
def test_every_front_end_that_a_discriminator_may_have_needs_no_estimator(name):
    assert Discriminator(2, DiscriminatorSpec(frontend=name, features=4))(pictures(), torch.tensor([0, 1])).ndim == 4
