"""Gradient attacks: what they may change, where they lead, and how strong they are."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from cama.attacks.gradient import bounded_attack, fitting_bound, gradient_attack
from cama.compute.device import Compute
from cama.compute.psnr import psnr
from cama.compute.tensors import to_float
from cama.models.evaluator import Evaluator
from cama.settings.attacks import GRADIENT_KINDS, MethodSpec
from cama.settings.training import ComputeSpec
from tests.models.helpers import tiny_classifier

CPU = Compute(ComputeSpec(device="cpu", precision="float32"))
TARGET = np.array([0, 2, 1])


def pictures(count=3, side=32, seed=0):
    """Grainy pictures (count, side, side, 3), uint8, with places at both ends of the range.

    The grain is larger than what attacks add, so that one step of FGSM does not leap over what it aims at.
    """
    rng = np.random.default_rng(seed)
    scene = gaussian_filter(rng.normal(0, 400, (count, side, side, 3)), (0, 4, 4, 0))
    return np.clip(128 + scene + rng.normal(0, 30, scene.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def evaluator():
    streams = {name: tiny_classifier(name) for name in ("rgb", "finite_difference")}
    for stream in streams.values():
        stream.frontend.calibrate(to_float(pictures()))
    return Evaluator(streams)


def attack_of(kind, evaluator, seed=1, psnr=36, make=gradient_attack, **settings):
    return make(MethodSpec(kind=kind, evaluators=("rgb",), psnr=psnr, **settings), evaluator, CPU, seed)


def bounded(kind, evaluator, **settings):
    """The attack within a bound, before its change is scaled and rounded."""
    return attack_of(kind, evaluator, make=bounded_attack, **settings)


def log_probability(evaluator, images, target):
    """The mean of each stream's log-probability of each image's target, (N,)."""
    with torch.no_grad():
        scores = [score.numpy() for score in evaluator(to_float(images)).values()]
    return np.mean([score[np.arange(len(images)), target] for score in scores], axis=0)


class Field(nn.Module):
    """An evaluator of two classes for which every pixel has its own preference: up for class 0, down for class 1."""

    def __init__(self, side=16):
        super().__init__()
        self.up = torch.randn(3, side, side, generator=torch.Generator().manual_seed(0))

    def forward(self, images, names=None):
        score = 0.01 * (images * self.up).sum((1, 2, 3))
        return {"field": torch.stack([score, -score], 1).log_softmax(1)}


class Valley(nn.Module):
    """An evaluator whose class 0 is likeliest where every pixel is at `level`, and falls off on both sides."""

    def __init__(self, level):
        super().__init__()
        self.level = level / 127.5 - 1

    def forward(self, images, names=None):
        score = -(images - self.level).square().mean((1, 2, 3))
        return {"valley": torch.stack([score, torch.zeros_like(score)], 1).log_softmax(1)}


@pytest.mark.parametrize("bound", [1.0, 2.4, 6.0])
@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_pictures_stay_pictures_and_within_the_bound(kind, bound, evaluator):
    images = pictures()
    before = images.copy()
    attacked = bounded(kind, evaluator)(images, TARGET, bound)
    assert attacked.dtype == np.float32
    assert attacked.shape == images.shape
    assert np.array_equal(images, before)
    assert (attacked.min(), attacked.max()) == pytest.approx((0, 255), abs=1e-4)
    change = np.abs(attacked - images)
    assert change.max() == pytest.approx(bound, abs=1e-4)
    assert (change > 0.5).mean() > 0.5


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_every_attack_raises_the_evaluators_log_probability_of_its_target(kind, evaluator):
    images = pictures()
    attack = attack_of(kind, evaluator, psnr=42)
    for target in (TARGET, (TARGET + 1) % 3):
        attacked = attack(images, TARGET, target)
        rise = log_probability(evaluator, attacked, target) - log_probability(evaluator, images, target)
        assert (rise > 0.001).all()


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_on_an_evaluator_with_known_gradients_every_pixel_ends_at_its_bound(kind):
    """Each picture towards its own target, clipped to the range."""
    field, images = Field(), pictures(2, 16)
    up = field.up.sign().permute(1, 2, 0).numpy().astype(int)
    attacked = bounded(kind, field)(images, np.array([0, 1]), 3.0)
    expected = [np.clip(image + sign * 3.0 * up, 0, 255) for image, sign in zip(images, (1, -1), strict=True)]
    assert attacked == pytest.approx(np.stack(expected), abs=1e-4)


def test_fgsm_leaps_pgd_returns_and_momentum_overshoots():
    """The best is at +2.5 of 5 grey levels, and 5 steps of one level are allowed (2.5 for PGD)."""
    images, target = np.full((1, 16, 16, 3), 100, np.uint8), np.array([0])
    found = {kind: bounded(kind, Valley(102.5), steps=5)(images, target, 5.0) - 100.0 for kind in GRADIENT_KINDS}
    assert np.abs(found["fgsm"] - 5).max() < 1e-4
    assert np.abs(found["mi_fgsm"] - 5).max() < 1e-4  # 1, 2, 3 and on, against the gradient of the last two steps
    assert np.abs(found["pgd"] - 2.5).max() <= 2.5 + 1e-4  # no further than a step from the best


def test_pgd_takes_its_steps_from_a_random_start():
    """The best is where it begins: one leap across goes up or down by where the start was, many small steps lead back."""
    images, target = np.full((1, 16, 16, 3), 100, np.uint8), np.array([0])
    leap, steps = (bounded("pgd", Valley(100), steps=n)(images, target, 8.0) - 100.0 for n in (1, 40))
    assert np.abs(np.abs(leap) - 8).max() < 1e-4
    assert 0.4 < (leap > 0).mean() < 0.6
    assert np.abs(steps).max() <= 0.5 + 1e-4  # a step


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_attacks_are_deterministic_and_leave_the_random_state_alone(kind, evaluator):
    images = pictures(1)
    state = torch.get_rng_state()
    first, again, other = (attack_of(kind, evaluator, seed)(images, TARGET[:1], TARGET[:1]) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)  # it is rounded at random


@pytest.mark.parametrize("kind", ["fgsm", "mi_fgsm"])
def test_pictures_do_not_mix(kind, evaluator):
    images = pictures()
    together = attack_of(kind, evaluator)(images, TARGET, TARGET)
    alone = attack_of(kind, evaluator)(images[1:2], TARGET[1:2], TARGET[1:2])
    assert (together[1] == alone[0]).mean() > 0.99  # a gradient of nearly nothing may turn its sign


def test_an_attack_leaves_no_gradients_in_the_evaluator(evaluator):
    before = {key: value.clone() for key, value in evaluator.state_dict().items()}
    attack_of("mi_fgsm", evaluator, steps=2)(pictures(1), TARGET[:1], TARGET[:1])
    assert all(parameter.grad is None for parameter in evaluator.parameters())
    assert all(torch.equal(before[key], value) for key, value in evaluator.state_dict().items())


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_an_attack_knows_no_source(kind, evaluator):
    images, attack = pictures(2), attack_of(kind, evaluator)
    target, found = np.array([1, 0]), attack(images, np.array([0, 1]), np.array([1, 0]))
    assert np.array_equal(attack(images, np.array([-1, 2]), target), found)
    assert not np.array_equal(attack(images, np.array([0, 1]), 1 - target), found)


@pytest.mark.parametrize("level", [31.0, 36.0, 40.5])
@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_each_picture_has_the_psnr_and_still_leads_to_its_target(kind, level, evaluator):
    images = pictures()
    attacked = attack_of(kind, evaluator, psnr=level)(images, TARGET, TARGET)
    levels = [psnr(*pair) for pair in zip(images, attacked, strict=True)]
    assert attacked.dtype == np.uint8
    assert levels == pytest.approx([level] * 3, abs=0.05)
    rise = log_probability(evaluator, attacked, TARGET) - log_probability(evaluator, images, TARGET)
    assert (rise > 0.001).all()


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_little_is_left_to_be_scaled_at_the_bound_of_a_psnr(kind, evaluator):
    images = pictures()
    change = bounded(kind, evaluator)(images, TARGET, fitting_bound(kind, 34)) - images
    # here every pixel reaches it, which is 3.1 dB less for those attacks whose pixels seldom do
    assert 20 * np.log10(255 / np.sqrt(np.square(change).mean((1, 2, 3)))) == pytest.approx([34] * 3, abs=3.3)
