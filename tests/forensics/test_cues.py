import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from cama.forensics.cues import (
    CUES,
    coarse_colours,
    cue_accuracy,
    cue_of,
    dct_zeros,
    few_numbers,
    radial_powers,
    third_differences,
)

SIZES = {"third differences": 6, "radial powers": 10, "DCT zeros": 15, "2x2 colours": 12}


def noise(sigma=4.0, blur=0.0, seed=0, side=64):
    values = np.random.default_rng(seed).normal(0, sigma, (side, side, 3))
    return np.clip(128 + (gaussian_filter(values, (blur, blur, 0)) if blur else values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", CUES)
def test_each_cue_is_a_few_finite_numbers(name):
    cue, most = CUES[name]
    for image in (noise(), np.zeros((40, 56, 3), np.uint8)):
        values = cue_of(cue, image)
        assert values.shape == (SIZES[name],)
        assert np.isfinite(values).all()
    assert 0 < most < 1


def test_third_differences_are_those_of_white_noise():
    """Their variance is 1 + 9 + 9 + 1 = 20 times that of the noise."""
    assert np.exp(cue_of(third_differences, noise(4, side=256))) == pytest.approx(4 * 20**0.5, rel=0.03)


def test_blur_takes_power_at_high_frequencies_alone():
    sharp, soft = cue_of(radial_powers, noise(30)), cue_of(radial_powers, noise(30, 1.0))
    assert soft[0] == pytest.approx(sharp[0], abs=0.3)
    assert sharp[-1] - soft[-1] > 4


def test_rounded_coefficients_are_zeros():
    assert cue_of(dct_zeros, np.full((32, 32, 3), 77, np.uint8)) == pytest.approx(1)
    assert cue_of(dct_zeros, noise(20)).max() < 0.1


def test_colours_are_of_the_quarters():
    image = np.zeros((8, 8, 3), np.uint8)
    image[4:, :4, 1] = 200
    assert cue_of(coarse_colours, image).reshape(2, 2, 3)[1, 0].tolist() == [0, 200, 0]
    assert cue_of(coarse_colours, image).sum() == 200


def test_the_accuracy_is_that_of_what_can_be_told_apart():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 50)
    apart = rng.normal(0, 1, (100, 3)) + 8 * (labels == "a")[:, None]
    assert cue_accuracy(apart, labels, apart, labels) == 1
    assert 0.2 < cue_accuracy(rng.normal(0, 1, (100, 3)), labels, rng.normal(0, 1, (100, 3)), labels) < 0.8


def test_the_few_numbers_are_finite_and_tell_a_filter():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (128, 112, 3), dtype=np.uint8)
    numbers = np.array(
        [few_numbers(each) for each in (image, np.full_like(image, 128), median_filter(image, (3, 3, 1)))]
    )
    assert numbers.shape == (3, 35)
    assert np.isfinite(numbers).all()
    assert (numbers[2, :6] < numbers[0, :6]).all()  # third differences
    assert numbers[1, -4] == pytest.approx(0, abs=1e-3)  # the deviation of the residual
