import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cama.attacks.classical import classical_attack
from cama.signals.mosaic import mosaic
from cama.transfer.distortion import psnr

ATTACKS = [("identity", 0), ("jpeg", 85), ("median", 3), ("remosaic", 0)]


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    light = gaussian_filter(rng.normal(0, 200, (3, 40, 56, 1)), (0, 1.5, 1.5, 0))
    colour = gaussian_filter(rng.normal(0, 300, (3, 40, 56, 3)), (0, 6, 6, 0))
    return np.clip(128 + light + colour, 0, 255).astype(np.uint8)


def run(method, strength, images):
    count = len(images)
    return classical_attack(method, strength)(images, np.zeros(count, int), np.ones(count, int))


@pytest.mark.parametrize(("method", "strength"), ATTACKS)
def test_attacks_keep_shape_and_type_and_their_input(images, method, strength):
    before = images.copy()
    attacked = run(method, strength, images)
    assert attacked.shape == before.shape
    assert attacked.dtype == np.uint8
    assert np.array_equal(images, before)


@pytest.mark.parametrize(("method", "strength"), ATTACKS)
def test_only_identity_changes_nothing_and_none_changes_the_scene(images, method, strength):
    attacked = run(method, strength, images)
    assert np.array_equal(attacked, images) == (method == "identity")
    assert psnr(images, attacked) > 25


@pytest.mark.parametrize(("method", "strength"), ATTACKS)
def test_images_do_not_mix_and_labels_do_not_matter(images, method, strength):
    attack = classical_attack(method, strength)
    together = attack(images, np.array([0, 1, 2]), np.array([1, 2, 0]))
    for index in range(3):
        alone = attack(images[index : index + 1], np.array([2]), np.array([1]))
        assert np.array_equal(alone[0], together[index])


def test_jpeg_quality_and_median_window_are_the_strength(images):
    assert psnr(images, run("jpeg", 95, images)) > psnr(images, run("jpeg", 50, images)) + 2
    assert psnr(images, run("median", 3, images)) > psnr(images, run("median", 7, images)) + 1


def test_median_takes_out_a_speck_and_works_on_each_colour_alone():
    images = np.full((1, 16, 16, 3), 90, np.uint8)
    images[0, 8, 8, 0] = 255
    images[0, :, 10:, 2] = 200
    attacked = run("median", 3, images)[0]
    assert (attacked[..., :2] == 90).all()
    assert np.array_equal(attacked[..., 2], images[0, ..., 2])


def test_remosaic_keeps_the_samples_of_the_mosaic(images):
    for image, attacked in zip(images, run("remosaic", 0, images), strict=True):
        assert np.array_equal(mosaic(attacked), mosaic(image))


def test_an_unknown_attack_is_an_error():
    with pytest.raises(KeyError):
        classical_attack("blur", 3)
