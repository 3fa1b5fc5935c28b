"""What pictures go through in training: drawn from the step's random state, and nothing drawn where nothing is asked."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from cama.settings.training import AugmentationSpec
from cama.training import augmentation
from cama.training.augmentation import draw_augmentation
from tests.models.helpers import pictures

ALL = AugmentationSpec(round=True, jpeg=1, jpeg_quality=(60, 90), resample=1)


def smooth(side=64, seed=0):
    """Pictures (2, 3, side, side) in [-0.8, 0.8] without high frequencies."""
    return 0.8 * interpolate(pictures(2, side // 8, seed), (side, side), mode="bilinear")


def drawn(spec, seed):
    torch.manual_seed(seed)
    return draw_augmentation(spec)


@pytest.fixture
def qualities(monkeypatch):
    """The qualities of the JPEG saves, which do nothing."""
    found = []

    def record(images, quality):
        found.append(quality)
        return images

    monkeypatch.setattr(augmentation, "jpeg_through", record)
    return found


@pytest.mark.parametrize("spec", [AugmentationSpec(), AugmentationSpec(round=True)])
def test_without_shares_nothing_is_drawn(spec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    images = smooth()
    augmented = draw_augmentation(spec)(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(augmented, images) != spec.round
    assert (augmented - images).abs().max() <= 0.5 / 127.5 + 1e-6


def test_a_share_of_1_is_every_step(qualities):
    images = smooth()
    for seed in range(30):
        augmented = drawn(AugmentationSpec(jpeg=1), seed)(images)
        assert torch.equal(augmented, images)
        assert len(qualities) == seed + 1
        assert not torch.equal(drawn(AugmentationSpec(resample=1), seed)(images), images)


@pytest.mark.parametrize("name", ["jpeg", "resample"])
def test_a_share_is_the_share_of_the_steps(name, qualities):
    images, spec = smooth(16), AugmentationSpec(**{name: 0.3})
    changed = sum(not torch.equal(drawn(spec, seed)(images), images) for seed in range(300))
    times = len(qualities) if name == "jpeg" else changed
    assert 60 < times < 120  # 90 with a standard deviation of 8


def test_qualities_are_all_those_between_the_bounds(qualities):
    for seed in range(80):
        drawn(AugmentationSpec(jpeg=1, jpeg_quality=(81, 84)), seed)(smooth(16))
    assert set(qualities) == {81, 82, 83, 84}


def test_one_draw_augments_all_pictures_of_the_step_alike(qualities):
    augment = drawn(AugmentationSpec(jpeg=1, jpeg_quality=(1, 100), resample=1), 2)
    first, again = augment(smooth(seed=1)), augment(smooth(seed=1))
    assert torch.equal(first, again)
    assert qualities[0] == qualities[1]


def test_the_random_state_decides():
    images = smooth()
    augmented = [drawn(ALL, seed)(images) for seed in (3, 3, 4)]
    assert torch.equal(augmented[0], augmented[1])
    assert not torch.equal(augmented[0], augmented[2])


def test_the_save_comes_last_so_that_pictures_are_on_the_levels_of_8_bits():
    for spec in (AugmentationSpec(round=True, resample=1), ALL):
        levels = drawn(spec, 0)(smooth()).add(1).mul(127.5)
        assert (levels - levels.round()).abs().max() < 1e-3
        assert levels.min() >= -1e-3
        assert levels.max() <= 255 + 1e-3


@pytest.mark.parametrize(
    "spec", [AugmentationSpec(round=True), AugmentationSpec(jpeg=1), AugmentationSpec(resample=1), ALL]
)
def test_shape_scene_and_gradients_are_kept(spec):
    images = smooth().requires_grad_()
    augmented = drawn(spec, 1)(images)
    assert augmented.shape == images.shape
    assert (avg_pool2d(augmented, 8) - avg_pool2d(images, 8)).abs().max() < 0.05
    augmented.square().sum().backward()
    assert torch.isfinite(images.grad).all()
    assert (images.grad != 0).float().mean() > 0.99


def test_resampling_takes_out_the_highest_frequencies():
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    checks = (0.5 * (-1.0) ** (x + y)).expand(2, 3, 64, 64)
    torch.manual_seed(0)
    augment = draw_augmentation(AugmentationSpec(resample=1))
    assert augment(checks).std() < 0.25 * checks.std()
    flat = torch.full((1, 3, 64, 64), 0.3)
    assert torch.allclose(augment(flat), flat, atol=1e-5)
