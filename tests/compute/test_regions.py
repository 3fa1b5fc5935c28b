"""A change made even has no low frequencies, and no region has much more of it than the picture."""

import tracemalloc

import numpy as np
import pytest

from cama.compute.psnr import change_at_psnr, psnr
from cama.compute.regions import REGION, even_out

LEVEL, HEADROOM = 38.0, 3.0
ALLOWED = 255**2 * 10 ** (-LEVEL / 10)  # mean squared change


def evened(before: np.ndarray, change: np.ndarray, headroom: float = HEADROOM) -> np.ndarray:
    after = np.clip(np.rint(before + change), 0, 255).astype(np.uint8)
    return change_at_psnr(before, even_out(before, after, LEVEL, headroom), LEVEL, after)


def regional(change: np.ndarray) -> np.ndarray:
    """A change (H, W, C) by regions (h, w, pixels, C) of whole ones."""
    height, width = (side // REGION for side in change.shape[:2])
    whole = change[: height * REGION, : width * REGION].reshape(height, REGION, width, REGION, -1)
    return whole.transpose(0, 2, 1, 3, 4).reshape(height, width, REGION**2, -1)


@pytest.fixture
def before() -> np.ndarray:
    return np.random.default_rng(1).integers(60, 200, (200, 232, 3), dtype=np.uint8)


@pytest.fixture
def noise(before) -> np.ndarray:
    return np.random.default_rng(2).normal(size=before.shape)


def test_one_strong_place_is_weakened_and_the_rest_enlarged_to_the_psnr(before, noise):
    strength = np.ones((*before.shape[:2], 1))
    strength[64:96, 96:144] = 20
    after = evened(before, strength * noise)
    assert psnr(before, after) == pytest.approx(LEVEL, abs=0.03)
    moved = after.astype(float) - before
    powers = np.square(regional(moved)).mean((2, 3))
    assert np.square(strength * noise)[64:96, 96:144].mean() > 10 * ALLOWED  # it had much more
    assert powers.max() < ALLOWED * 10 ** ((HEADROOM + 0.5) / 10)
    assert powers[:2].min() > ALLOWED / 2
    assert np.corrcoef(moved[:48].ravel(), noise[:48].ravel())[0, 1] > 0.95  # and keeps its direction


def test_a_change_below_the_headroom_everywhere_is_only_scaled(before, noise):
    moved = evened(before, 6 * noise, headroom=10).astype(float) - before
    assert np.polyfit(noise.ravel(), moved.ravel(), 1)[0] == pytest.approx(255 * 10 ** (-LEVEL / 20), rel=0.02)


@pytest.mark.parametrize("size", [(200, 232), (150, 97), (33, 16), (16, 16), (5, 3), (1, 1)])
def test_a_colour_cast_goes_and_detail_stays(size):
    before = np.full((*size, 3), 120, np.uint8)
    cast = np.array([9.0, -4.0, 2.0]) * np.linspace(0.5, 0.5 + size[1] / 232, size[1])[:, None]
    detail = np.where(np.add.outer(np.arange(size[0]), np.arange(size[1])) % 2, 3.0, -3.0)[..., None]
    moved = evened(before, cast + detail).astype(float) - before
    if min(size) >= REGION:
        assert np.abs(regional(moved).mean(2)).max() < 0.6
        signs = np.sign(np.broadcast_to(detail, moved.shape))
        assert (np.sign(moved) == signs).mean() > 0.95
    else:
        assert np.abs(moved.mean((0, 1))).max() <= 1


@pytest.mark.parametrize("left", [128, 136])
def test_a_cast_of_half_a_picture_leaves_a_border_within_the_headroom(left):
    before = np.full((128, 256, 3), 120, np.uint8)
    cast = np.zeros(before.shape)
    cast[:, left:, 0] = 20
    moved = evened(before, cast + np.random.default_rng(3).normal(scale=2, size=before.shape)).astype(float) - before
    columns = moved[..., 0].mean(0)
    assert np.abs(columns[:88].mean()) < 0.2
    assert np.abs(columns[176:].mean()) < 0.2
    assert np.square(regional(moved)).mean((2, 3)).max() < ALLOWED * 10 ** ((HEADROOM + 0.5) / 10)


def test_a_cast_of_one_region_goes_for_the_most_part(before):
    cast = np.zeros(before.shape)
    cast[64:80, 96:112] = 6
    detail = 4 * np.random.default_rng(5).normal(size=before.shape)
    moved = evened(before, cast + detail, headroom=20).astype(float) - before
    means = np.abs(regional(moved).mean((2, 3)))
    assert means.max() < 2.5


@pytest.mark.parametrize("level", [0, 2, 253, 255])
def test_black_and_white_keep_their_mean(level):
    before = np.full((96, 96, 3), level, np.uint8)
    before[:, 48:] = 128
    moved = evened(before, 5 * np.random.default_rng(6).normal(size=before.shape)).astype(float) - before
    assert np.abs(regional(moved).mean((2, 3))).max() < 0.5
    assert np.abs(moved[:, 48:]).mean() > 2


@pytest.mark.parametrize("size", [(67, 73), (71, 88), (130, 16), (17, 200)])
def test_a_rest_of_a_region_keeps_within_the_headroom(size):
    before = np.full((*size, 3), 120, np.uint8)
    change = 3 * np.random.default_rng(7).normal(size=before.shape)
    change[-3:, -3:] *= 20
    moved = evened(before, change).astype(float) - before
    top, left = ((side - REGION // 2) // REGION * REGION for side in size)
    assert np.square(moved[top:, left:]).mean() < ALLOWED * 10 ** ((HEADROOM + 0.5) / 10)


def test_no_change_stays_none_and_a_faint_one_is_enlarged_fourfold_at_most(before):
    assert np.array_equal(evened(before, np.zeros(before.shape)), before)
    before = before[:, : 14 * REGION]
    faint = np.zeros(before.shape)
    faint[:, ::16], faint[:, 8::16] = 1, -1
    assert set(np.unique(evened(before, faint).astype(int) - before)) == {-4, 0, 4}


def test_few_copies_of_a_tall_picture_are_held():
    before = np.full((6000, 500, 3), 90, np.uint8)
    after = before + np.random.default_rng(4).integers(0, 9, before.shape, dtype=np.uint8)
    tracemalloc.start()
    change_at_psnr(before, even_out(before, after, LEVEL, HEADROOM), LEVEL, after)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < before.nbytes / 2
