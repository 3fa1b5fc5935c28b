import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cama.simulation.lens import correct, distort


def field(height=96, width=128):
    return gaussian_filter(np.random.default_rng(0).uniform(0, 1, (height, width)), 4).astype(np.float32)


@pytest.mark.parametrize("strength", [0.05, -0.05])
@pytest.mark.parametrize("order", [1, 3])
def test_correction_undoes_the_distortion(strength, order):
    """Up to a magnification, since neither reads beyond the edges."""
    plane = field()
    corrected = correct(np.repeat(distort(plane, strength)[..., None], 3, 2), strength, order)[..., 0]
    distorted = distort(plane, strength)
    inner = np.s_[20:-20, 20:-20]

    def fit(image):
        """The error of the best magnification of the plane."""
        return min(
            np.abs(distort(plane, 0.0, scale)[inner] - image[inner]).mean() for scale in np.arange(0.9, 1.11, 0.002)
        )

    assert fit(corrected) < 0.3 * fit(distorted)
    assert corrected.shape == plane.shape


def test_nothing_is_moved_without_distortion():
    plane = field()
    assert np.allclose(distort(plane, 0.0), plane, atol=1e-6)


def test_a_pixel_is_the_mean_of_its_samples():
    plane = field()
    means = plane.reshape(48, 2, 64, 2).mean(axis=(1, 3))
    assert np.allclose(distort(plane, 0.0, step=2), means, atol=1e-6)
    fine = distort(plane, 0.04, 1.01).reshape(48, 2, 64, 2).mean(axis=(1, 3))
    coarse = distort(plane, 0.04, 1.01, step=2)
    assert np.abs(coarse - fine).max() < 0.05 * np.abs(coarse - means).max()


def test_corners_move_inwards():
    """A dot near a corner lies nearer to the middle behind a lens of barrel distortion, relative to one near the middle."""
    plane = np.zeros((101, 101), np.float32)
    plane[90, 90] = plane[60, 60] = 1.0
    moved = distort(gaussian_filter(plane, 1.5), 0.1)
    near, far = (
        np.unravel_index(np.where(mask, moved, 0).argmax(), moved.shape)[0]
        for mask in (
            np.add.outer(np.arange(101), np.arange(101)) < 150,
            np.add.outer(np.arange(101), np.arange(101)) >= 150,
        )
    )
    assert (far - 50) / (near - 50) < 40 / 10
