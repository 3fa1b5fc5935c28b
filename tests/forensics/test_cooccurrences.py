"""Co-occurrences of residuals, against counts by hand."""

import itertools

import numpy as np
import pytest
import torch

from cama.forensics.cooccurrences import FEATURES, cooccurrences

NEIGHBOURS, COLOURS = 169, 63  # classes of 5^4 and of 5^3 combinations that the symmetries leave


def noise(*shape: int, seed: int = 0, deviation: float = 2.0) -> torch.Tensor:
    """Grey noise of whole levels around 128."""
    values = np.random.default_rng(seed).normal(128, deviation, shape).round()
    return torch.from_numpy(values).float().clamp(0, 255)


def test_the_parts_are_shares_that_sum_to_one():
    features = cooccurrences(noise(2, 3, 40, 48))
    assert features.shape == (2, FEATURES)
    assert FEATURES == 2 * NEIGHBOURS + 3 * COLOURS
    parts = features.square().split([NEIGHBOURS, NEIGHBOURS, COLOURS, COLOURS, COLOURS], dim=1)
    for part in parts:
        assert part.sum(1) == pytest.approx([1, 1], abs=1e-5)


def test_a_slope_has_no_residual_so_that_every_part_has_one_class():
    slope = torch.arange(32.0)[:, None] * 2 + torch.arange(32.0)
    features = cooccurrences(slope.expand(1, 3, 32, 32))
    assert sorted(features[0].tolist(), reverse=True)[:6] == [1, 1, 1, 1, 1, 0]


def test_the_colours_are_counted_as_by_hand():
    pixels = noise(1, 3, 24, 24)
    values = [np.clip(np.rint(np.diff(pixels[0].numpy(), 3, axis) / 2), -2, 2) for axis in (1, 2)]
    classes: dict[tuple, int] = {}
    for one in itertools.product(range(-2, 3), repeat=3):
        classes.setdefault(min(one, tuple(-v for v in one)), len(classes))
    expected = np.zeros(COLOURS)
    for part in values:
        for one in part.reshape(3, -1).T.astype(int).tolist():
            expected[classes[min(tuple(one), tuple(-v for v in one))]] += 1 / part[0].size / 2
    step_two = slice(2 * NEIGHBOURS + COLOURS, 2 * NEIGHBOURS + 2 * COLOURS)
    assert cooccurrences(pixels)[0, step_two].square().numpy() == pytest.approx(expected, abs=1e-6)


def test_neighbours_along_and_across_the_difference_are_told_apart():
    rows = noise(1, 1, 48, 1, deviation=1).expand(1, 3, 48, 48)  # all pixels of a row are equal
    along, across = cooccurrences(rows)[0].square()[: 2 * NEIGHBOURS].split(NEIGHBOURS)
    assert (across > 0).sum() == 3  # four equal neighbours: of 0, 1 or 2, or their opposites
    assert (along > 0).sum() > 10


def test_turned_and_mirrored_images_have_the_same_features():
    images = noise(1, 3, 40, 56)
    expected = cooccurrences(images)
    for turned in (images.rot90(1, (2, 3)), images.flip(2), images.flip(3)):
        assert torch.allclose(cooccurrences(turned), expected, atol=1e-6)


def test_the_size_of_an_image_changes_its_features_little():
    small, large = cooccurrences(noise(1, 3, 64, 64)), cooccurrences(noise(1, 3, 256, 256, seed=1))
    other = cooccurrences(noise(1, 3, 256, 256, seed=1, deviation=1))
    assert (small - large).norm() < 0.3 * (other - large).norm()
