import numpy as np
import pytest

from cama.forensics.statistics import spectrum_slope
from cama.simulation.scenes import render_scene


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(seed, 256, 256) for seed in range(8)]


def test_spectra_fall_as_those_of_natural_scenes(scenes):
    assert -1.4 < np.mean([spectrum_slope(scene) for scene in scenes]) < -0.8


def test_the_slope_is_that_of_a_field_made_with_it():
    """The measure that the test above trusts."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None, :])
    frequency[0, 0] = 1
    for exponent in (0.0, -1.0, -1.5):
        grey = np.real(np.fft.ifft2(np.fft.fft2(rng.standard_normal((256, 256))) * frequency**exponent))
        assert spectrum_slope(np.repeat(grey[..., None], 3, axis=-1)) == pytest.approx(exponent, abs=0.12)


def test_radiance_is_finite_not_negative_and_exposed(scenes):
    for scene in scenes:
        assert scene.dtype == np.float32
        assert np.isfinite(scene).all()
        assert scene.min() >= 0
        assert 0.3 < np.percentile(scene, 90) < 0.8
        assert scene.std() > 0.05


@pytest.mark.parametrize("shape", [(96, 128), (130, 71)])
def test_the_size_is_as_asked(shape):
    assert render_scene(1, *shape).shape == (*shape, 3)


def test_the_seed_decides_the_scene(scenes):
    assert np.array_equal(render_scene(3, 256, 256), scenes[3])
    for index, scene in enumerate(scenes):
        for other in scenes[:index]:
            assert np.abs(scene - other).mean() > 0.02
