import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter

from cama.forensics.mosaic import DEMOSAICING, demosaic, mosaic, remosaic

PATTERNS = ("RGGB", "GRBG", "GBRG", "BGGR")


def noisy(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_rggb_samples_red_green_green_blue():
    image = noisy(6, 8)
    raw = mosaic(image, "RGGB")
    assert raw.shape == (6, 8)
    assert np.array_equal(raw[0::2, 0::2], image[0::2, 0::2, 0])
    assert np.array_equal(raw[0::2, 1::2], image[0::2, 1::2, 1])
    assert np.array_equal(raw[1::2, 0::2], image[1::2, 0::2, 1])
    assert np.array_equal(raw[1::2, 1::2], image[1::2, 1::2, 2])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_read_row_by_row(pattern):
    image = np.full((4, 4, 3), [10, 20, 30])
    raw = mosaic(image, pattern)
    assert [{10: "R", 20: "G", 30: "B"}[int(value)] for value in raw[:2, :2].ravel()] == list(pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", sorted(DEMOSAICING))
def test_demosaicing_of_a_constant_is_constant_inside(pattern, method):
    colour = np.array([100.0, 150.0, 200.0])
    image = demosaic(mosaic(np.zeros((32, 40, 3)) + colour, pattern), pattern, method)
    assert image.dtype == np.float32
    assert np.allclose(image[2:-2, 2:-2], colour, atol=1e-3)


@pytest.mark.parametrize("method", sorted(DEMOSAICING))
def test_a_grey_ramp_survives_demosaicing(method):
    rows, columns = np.mgrid[0:32, 0:40]
    ramp = np.repeat((20 + 3.0 * rows + 2.0 * columns)[..., None], 3, axis=-1)
    image = demosaic(mosaic(ramp, "GRBG"), "GRBG", method)
    assert np.allclose(image[6:-6, 6:-6], ramp[6:-6, 6:-6], atol=1e-3)


def test_bilinear_against_normalised_convolution():
    """Each colour is the distance-weighted mean of its samples among the 3x3 neighbours, written here as a ratio."""
    image = noisy(32, 40, 1).astype(float)
    tent = np.outer([1, 2, 1], [1, 2, 1])
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    for pattern in PATTERNS:
        raw = mosaic(image, pattern)
        found = demosaic(raw, pattern, "bilinear")
        sites = np.array(list(pattern)).reshape(2, 2)[np.arange(32)[:, None] % 2, np.arange(40)[None, :] % 2]
        for channel, (colour, kernel) in enumerate(zip("RGB", (tent, cross, tent), strict=True)):
            known = (sites == colour).astype(float)
            expected = convolve(known * raw, kernel) / convolve(known, kernel)
            assert np.allclose(found[1:-1, 1:-1, channel], expected[1:-1, 1:-1], atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 96), (50, 38)])
def test_remosaic_keeps_shape_and_type_and_the_samples(shape):
    image = noisy(*shape, 2)
    again = remosaic(image)
    assert again.shape == image.shape
    assert again.dtype == np.uint8
    assert np.array_equal(mosaic(again), mosaic(image))
    assert not np.array_equal(again, image)


def test_remosaic_is_close_for_a_smooth_image():
    noise = np.random.default_rng(3).uniform(0, 255, (160, 160, 3))
    smooth = gaussian_filter(noise, (20, 20, 0))
    smooth = np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    assert np.abs(remosaic(smooth).astype(int) - smooth).max() <= 4
    assert np.abs(remosaic(smooth).astype(int) - smooth).mean() < 0.5


def test_remosaic_forgets_all_but_the_samples():
    image = noisy(48, 48, 4)
    sampled = np.zeros((48, 48, 3), bool)
    sampled[0::2, 0::2, 0] = sampled[0::2, 1::2, 1] = sampled[1::2, 0::2, 1] = sampled[1::2, 1::2, 2] = True
    assert np.array_equal(remosaic(np.where(sampled, image, noisy(48, 48, 5))), remosaic(image))


def test_demosaicing_leaves_alone_how_numbers_are_printed():
    code = "import numpy as np; from cama.forensics.mosaic import remosaic; before = np.get_printoptions()\n"
    code += "remosaic(np.zeros((8, 8, 3), np.uint8)); assert np.get_printoptions() == before"
    subprocess.run([sys.executable, "-c", code], check=True)
