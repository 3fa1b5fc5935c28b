import math
from itertools import pairwise

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from cama.transfer.distortion import psnr, ssim


def pair(spread, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    changed = np.clip(image + rng.integers(-spread, spread + 1, image.shape), 0, 255).astype(np.uint8)
    return image, changed


@pytest.mark.parametrize("spread", [1, 8, 60, 255])
def test_psnr_against_scikit_image(spread):
    image, changed = pair(spread)
    assert psnr(image, changed) == pytest.approx(peak_signal_noise_ratio(image, changed))


def test_psnr_of_known_differences():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0)
    assert psnr(white, black) == pytest.approx(0)
    assert psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)


def test_equal_images_have_infinite_psnr_and_ssim_one():
    image, _ = pair(1)
    assert psnr(image, image.copy()) == math.inf
    assert ssim(image, image.copy()) == pytest.approx(1)


def test_ssim_falls_with_noise_and_is_symmetric():
    values = [ssim(*pair(spread)) for spread in (2, 20, 80, 255)]
    assert all(higher > lower for higher, lower in pairwise(values))
    assert values[-1] < 0.6
    image, changed = pair(20)
    assert ssim(image, changed) == pytest.approx(ssim(changed, image))


def test_ssim_of_two_constants_is_their_luminance_term():
    dark, light = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(dark, light) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-6)
