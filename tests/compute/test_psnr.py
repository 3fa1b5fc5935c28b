"""A change is scaled so that the picture in 8 bits has the distortion asked for, each picture by itself."""

import tracemalloc

import numpy as np
import pytest

from cama.compute.psnr import STRIP, at_psnr, psnr


@pytest.fixture
def before() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize("level", [30, 36, 48.5, 60])
def test_each_picture_has_the_psnr_whatever_the_strength_of_its_change(before, level):
    strengths = np.array([60.0, 12.0, 4.0])[:, None, None, None]  # at 30 dB the last is enlarged, the others shrink
    change = strengths * np.random.default_rng(2).normal(size=before.shape)
    scaled = at_psnr(before, np.clip(before + change, 0, 255), level)
    levels = [psnr(*pair) for pair in zip(before, scaled, strict=True)]
    assert scaled.dtype == np.uint8
    np.testing.assert_array_less(level - 1e-9, levels)
    np.testing.assert_array_less(levels, level + 0.05)


def test_the_change_keeps_its_direction(before):
    after = np.clip(before + 9 * np.random.default_rng(3).normal(size=before.shape), 0, 255)
    moved = at_psnr(before, after, 36).astype(int) - before
    assert (moved * (after - before) >= 0).all()
    assert np.corrcoef(moved.ravel(), (after - before).ravel())[0, 1] > 0.95


def test_what_did_not_change_stays(before):
    after = before.astype(np.float32)
    after[0] += 5
    scaled = at_psnr(before, np.clip(after, 0, 255), 36)
    assert np.array_equal(scaled[1:], before[1:])
    assert not np.array_equal(scaled[0], before[0])
    dither = np.full(before.shape, -0.5)
    assert np.array_equal(at_psnr(before, before.astype(float), 36, dither), before)


def test_a_change_is_enlarged_fourfold_at_most():
    before = np.full((1, 32, 32, 3), 100, np.uint8)
    after = before + np.where(np.arange(32) % 2, 0.5, -0.5)[:, None, None]
    assert set(np.unique(at_psnr(before, after, 30).astype(int) - before)) == {-2, 2}


def test_a_leap_of_rounding_leaves_a_higher_psnr_and_dither_meets_it():
    before = np.full((1, 64, 64, 3), 100, np.uint8)
    after = before + 8.0
    # steps of 4 are 36.09 dB and of 5 are 34.15
    assert psnr(before[0], at_psnr(before, after, 35)[0]) == pytest.approx(36.09, abs=0.01)
    dither = np.random.default_rng(4).uniform(-0.5, 0.5, before.shape)
    assert psnr(before[0], at_psnr(before, after, 35, dither)[0]) == pytest.approx(35.0, abs=0.05)


@pytest.mark.parametrize("strips", [15, 40])  # of the second a part is asked first
def test_a_tall_picture_has_one_factor_and_few_copies_of_it_are_held(strips):
    rng = np.random.default_rng(5)
    before = rng.integers(60, 190, (1, strips * STRIP + 5, 96, 3), dtype=np.uint8)
    # the change is stronger at the bottom, where strips of their own would have a smaller factor
    change = rng.normal(size=before.shape) * np.linspace(2, 12, before.shape[1])[:, None, None]
    after = np.clip(before + change, 0, 255).astype(np.float32)
    tracemalloc.start()
    scaled = at_psnr(before, after, 36)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 36 <= psnr(before[0], scaled[0]) < 36.02
    assert peak < 4 * before.nbytes  # one copy in float32 is as much
    rows = (picture.reshape(1, 1, -1, 3) for picture in (before, after))  # the same pixels in one strip
    together = at_psnr(*rows, 36).reshape(before.shape)
    assert np.abs(together.astype(int) - scaled).max() <= 1
    if strips == 15:
        assert np.array_equal(together, scaled)
