import io

import numpy as np
import pytest
from PIL import Image

from cama.forensics.fingerprint import bent_match, device_fingerprint, pce, zero_mean
from cama.photo.warping import warped
from cama.simulation.camera import device_pattern, flat_field, jpeg_file, photograph
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.scenes import render_scene
from cama.storage.images import read_rgb
from tests.real_photographs import ABSENT, DRESDEN

REAL = ("Nikon_D200_0", "Nikon_D200_1", "Nikon_D70_0", "Nikon_D70_1", "Nikon_D70s_0", "Nikon_D70s_1")
MATCH = 60
SIDE = 1024
MODELS = ["Alcyon_A10", "Borealis_B2", "Corvus_C300", "Dorado_D5", "Eridan_E7", "Fornax_F1"]
# two devices of one model, and another model; none corrects its lens, which resamples the pattern
SIMULATED = (("Alcyon_A10", 0), ("Alcyon_A10", 1), ("Corvus_C300", 0))


def centre_crop(path):
    image = read_rgb(path)
    top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
    return image[top : top + SIDE, left : left + SIDE]


@pytest.fixture(scope="module")
def real_fingerprints():
    if not DRESDEN.is_dir():
        pytest.skip(ABSENT)
    fields = {device: sorted((DRESDEN / "flatfield").glob(f"{device}_*.JPG")) for device in REAL}
    assert all(fields.values())
    return {device: device_fingerprint(map(centre_crop, paths)) for device, paths in fields.items()}


@pytest.mark.parametrize(
    ("photo", "device", "expected"),
    [("Nikon_D70s_0_21853", "Nikon_D70s_0", 479), ("Nikon_D200_1_17226", "Nikon_D200_1", 215)],
)
def test_a_real_photograph_matches_its_own_device_alone(real_fingerprints, photo, device, expected):
    """The expected PCE is that of an independent public implementation."""
    image = centre_crop(DRESDEN / "natural" / f"{photo}.JPG")
    found = {name: pce(image, fingerprint) for name, fingerprint in real_fingerprints.items()}
    assert found.pop(device) == pytest.approx(expected, abs=5)
    assert len(found) == 5
    assert max(found.values()) < MATCH


def take(scene, model, device, pattern, seed):
    file = jpeg_file(photograph(scene, model, pattern, seed), model, device, 1)
    return np.array(Image.open(io.BytesIO(file)))


@pytest.fixture(scope="module")
def simulated():
    """Fingerprints from flat fields, and a photograph of one scene, of each simulated device."""
    catalogue = draw_catalogue(6, MODELS)
    scene = render_scene(900, 2 * SIDE, 2 * SIDE)
    fingerprints, photographs = {}, {}
    for index, (name, device) in enumerate(SIMULATED):
        model = catalogue[name]
        pattern = device_pattern(3, model, device, SIDE, SIDE)
        levels = np.linspace(0.25, 0.4, 6)
        fingerprints[name, device] = device_fingerprint(
            take(flat_field(level, SIDE, SIDE), model, device, pattern, 100 * index + i)
            for i, level in enumerate(levels)
        )
        photographs[name, device] = take(scene, model, device, pattern, 100 * index + 99)
    return fingerprints, photographs


@pytest.mark.parametrize("camera", SIMULATED, ids=lambda camera: f"{camera[0]}_{camera[1]}")
def test_a_simulated_photograph_matches_its_own_device_alone(simulated, camera):
    fingerprints, photographs = simulated
    found = {name: pce(photographs[camera], fingerprint) for name, fingerprint in fingerprints.items()}
    assert found.pop(camera) > MATCH
    assert max(found.values()) < MATCH


def synthetic(gain, level, seed):
    noise = np.random.default_rng(seed).normal(0, 1, gain.shape)
    grey = np.clip(np.rint(level * gain + noise), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.fixture(scope="module")
def siblings():
    """Gains of two devices of one model: their own noise, and columns and rows that the model shares."""
    rng = np.random.default_rng(5)
    linear = 0.02 * (rng.standard_normal((256, 1)) + rng.standard_normal((1, 256)))
    return [1 + linear + 0.01 * rng.standard_normal((256, 256)) for _ in range(2)]


def test_what_a_model_shares_makes_no_match(siblings):
    fingerprint = device_fingerprint(synthetic(siblings[0], 100 + 5 * i, i) for i in range(6))
    assert pce(synthetic(siblings[0], 120, 50), fingerprint) > 500
    assert pce(synthetic(siblings[1], 120, 51), fingerprint) < MATCH


def test_a_fingerprint_holds_the_devices_own_gain_and_not_the_models(siblings):
    model = (siblings[0] + siblings[1]) / 2 - 1
    model = model.mean(axis=1, keepdims=True) + model.mean(axis=0, keepdims=True)
    own = siblings[0] - 1 - model
    fingerprint = device_fingerprint(synthetic(siblings[0], 100 + 5 * i, i) for i in range(6))
    assert np.corrcoef(fingerprint.ravel(), own.ravel())[0, 1] > 0.6
    assert abs(np.corrcoef(fingerprint.ravel(), model.ravel())[0, 1]) < 0.01


def test_pce_has_the_sign_of_the_match_and_needs_the_right_place(siblings):
    fingerprint = device_fingerprint(synthetic(siblings[0], 100 + 5 * i, i) for i in range(6))
    image = synthetic(siblings[0], 120, 50)
    assert pce(image, -fingerprint) == pytest.approx(-pce(image, fingerprint))
    assert pce(np.roll(image, (8, 4), axis=(0, 1)), fingerprint) < MATCH


def test_zero_mean_leaves_no_row_or_column_mean_in_any_bayer_phase():
    rng = np.random.default_rng(6)
    pattern = rng.standard_normal((65, 92)) + 3
    before = pattern.copy()
    cleaned = zero_mean(pattern)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        phase = cleaned[y::2, x::2]
        assert np.abs(phase.mean(axis=0)).max() < 1e-12
        assert np.abs(phase.mean(axis=1)).max() < 1e-12
    assert np.array_equal(pattern, before)
    assert np.corrcoef(cleaned.ravel(), pattern.ravel())[0, 1] > 0.9


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_saturated_pixels_give_no_fingerprint():
    texture = np.random.default_rng(7).integers(0, 6, (128, 128, 3), np.uint8)  # a fixed pattern above 250 is clipping
    assert np.abs(device_fingerprint([250 + texture] * 3)).max() == 0
    assert np.abs(device_fingerprint([244 + texture] * 3)).max() > 1e-3


def test_a_strong_fingerprint_is_found_after_a_bend_by_who_looks_for_shifts():
    rng = np.random.default_rng(3)
    mine, other = 0.001 * rng.normal(size=(2, 768, 768))
    level = 100 + 60 * np.sin(np.arange(768) / 150)
    picture = np.clip(level * (1 + mine) + 2 * rng.normal(size=mine.shape), 0, 255)
    picture = picture.round().astype(np.uint8)[..., None].repeat(3, axis=-1)
    bent = warped(picture, rng)
    assert pce(picture, mine) > 10 * MATCH
    assert pce(bent, mine) < MATCH
    assert bent_match(bent, mine) > 8
    assert abs(bent_match(bent, other)) < 4
