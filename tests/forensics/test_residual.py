from pathlib import Path

import numpy as np
import pytest

from cama.forensics.residual import noise_residual, noise_share, wiener_dft

GOLDEN = Path(__file__).parents[2].parent / "shared" / "data" / "residual-golden.npz"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("shared/data/residual-golden.npz is not beside the repository")
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.mark.parametrize("name", ["a", "b"])
def test_residual_is_that_of_an_independent_implementation(golden, name):
    expected = golden[f"{name}_residual"]
    found = noise_residual(golden[f"{name}_image"])
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(expected).max() > 1  # the comparison above is against something


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_constant_image_has_no_residual(level):
    residual = noise_residual(np.full((128, 160, 3), level, np.uint8))
    assert np.abs(residual).max() < 1e-3


@pytest.mark.parametrize("shape", [(129, 171), (130, 255), (151, 128)])
def test_odd_sizes_keep_their_shape(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    residual = noise_residual(image)
    assert residual.shape == image.shape
    assert residual.dtype == np.float32
    assert np.isfinite(residual).all()
    assert residual.std() > 0.1


def test_residual_holds_the_noise_and_not_the_scene():
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[0:256, 0:256] / 256
    scene = 60 + 80 * rows + 40 * np.sin(5 * columns) + 50.0 * (np.hypot(rows - 0.5, columns - 0.5) < 0.25)
    noise = rng.normal(0, 2, scene.shape)
    residual = noise_residual(np.repeat((scene + noise)[..., None], 3, axis=-1))[..., 0]
    assert np.corrcoef(residual.ravel(), noise.ravel())[0, 1] > 0.85
    assert abs(np.corrcoef(residual.ravel(), scene.ravel())[0, 1]) < 0.1


def test_channels_do_not_mix():
    image = np.random.default_rng(2).integers(0, 256, (128, 128, 3), np.uint8)
    changed = image.copy()
    changed[..., 2] = 90
    assert np.array_equal(noise_residual(image)[..., :2], noise_residual(changed)[..., :2])


def test_the_noise_share_keeps_what_is_below_the_noise_and_drops_what_is_far_above():
    weak = np.random.default_rng(3).uniform(-4, 4, (40, 40))  # every local power is below 25
    assert np.allclose(weak * noise_share(weak, 25.0), weak)
    strong = np.full((40, 40), 100.0)
    # local power 10000 inside: 100 * 25 / (25 + 9975)
    assert np.allclose((strong * noise_share(strong, 25.0))[10:-10, 10:-10], 0.25)


def test_the_noise_share_takes_the_smallest_local_variance():
    """Beside an edge the small windows see the flat side only, so that noise there is not taken for signal."""
    band = np.full((41, 41), 4.0)
    band[:, 21:] = 200.0
    kept = band * noise_share(band, 25.0)
    assert np.allclose(kept[20, 19], 4.0)  # only the window of 3 stays on the flat side
    assert kept[20, 20] < 0.1


def test_wiener_filter_takes_out_a_periodic_pattern_and_leaves_noise():
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(128, 128))
    wave = 2 * np.cos(2 * np.pi * 16 * np.arange(128) / 128)[None, :]
    cleaned = wiener_dft(noise + wave)
    assert abs(np.mean(cleaned * wave)) < 0.05 * np.mean(wave**2)
    assert np.corrcoef(cleaned.ravel(), noise.ravel())[0, 1] > 0.9
