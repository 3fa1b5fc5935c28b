import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cama.attacks.classical import ATTACKS
from cama.compute.psnr import psnr
from cama.forensics.mosaic import mosaic
from cama.settings.attacks import STRENGTHS, MethodSpec

MIDDLE = {"jpeg": 85, "median": 3, "noise": 4, "denoise": 4, "resample": 0.7}
KINDS = [("identity", 0), *MIDDLE.items(), ("remosaic", 0)]


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    light = gaussian_filter(rng.normal(0, 200, (3, 40, 56, 1)), (0, 1.5, 1.5, 0))
    colour = gaussian_filter(rng.normal(0, 300, (3, 40, 56, 3)), (0, 6, 6, 0))
    return np.clip(128 + light + colour, 0, 255).astype(np.uint8)


def attack_of(kind, strength=0, seed=1):
    return ATTACKS[kind](MethodSpec(kind=kind, strength=strength), (), seed)


def run(kind, strength, images, seed=1):
    count = len(images)
    return attack_of(kind, strength, seed)(images, np.zeros(count, int), np.ones(count, int))


def smooth(count=2, side=64, contrast=1.0, seed=0):
    """Pictures without high frequencies (count, side, side, 3), as floats: all far from both ends of the range."""
    rng = np.random.default_rng(seed)
    scene = gaussian_filter(rng.normal(0, 1, (count, side, side, 3)), (0, 8, 8, 0))
    return 128 + 50 * contrast * scene / np.abs(scene).max()


def as_bytes(images):
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def rms(images, others):
    return np.sqrt(np.mean((images.astype(float) - others.astype(float)) ** 2))


def test_every_kind_with_a_strength_is_tested():
    assert set(MIDDLE) == set(STRENGTHS)


@pytest.mark.parametrize(("method", "strength"), KINDS)
def test_attacks_keep_shape_and_type_and_their_input(images, method, strength):
    before = images.copy()
    attacked = run(method, strength, images)
    assert attacked.shape == before.shape
    assert attacked.dtype == np.uint8
    assert np.array_equal(images, before)


@pytest.mark.parametrize(("method", "strength"), KINDS)
def test_only_identity_changes_nothing_and_none_changes_the_scene(images, method, strength):
    attacked = run(method, strength, images)
    assert np.array_equal(attacked, images) == (method == "identity")
    assert psnr(images, attacked) > 25


@pytest.mark.parametrize(("method", "strength"), KINDS)
def test_images_do_not_mix_and_labels_do_not_matter(images, method, strength):
    attack = attack_of(method, strength)
    together = attack(images, np.array([0, 1, 2]), np.array([1, 2, 0]))
    for index in range(3):
        alone = attack(images[index : index + 1], np.array([2]), np.array([1]))
        assert np.array_equal(alone[0], together[index])


@pytest.mark.parametrize(
    ("kind", "rising"),
    [
        ("jpeg", (95, 80, 50)),
        ("median", (3, 5, 9)),
        ("noise", (1, 4, 16)),
        ("denoise", (1, 4, 16)),
        ("resample", (0.9, 0.6, 0.3)),
    ],
)
def test_more_strength_is_more_distortion(kind, rising, images):
    weak, middle, strong = (psnr(images, run(kind, strength, images)) for strength in rising)
    assert weak > middle + 0.5
    assert middle > strong + 0.5


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


@pytest.mark.parametrize("sigma", [0.5, 4, 16])
def test_noise_has_the_asked_standard_deviation_and_is_white(sigma):
    """Rounding adds a twelfth of a squared level."""
    images = np.full((1, 64, 64, 3), 120, np.uint8)
    noise = run("noise", sigma, images)[0].astype(float) - 120
    assert noise.std() == pytest.approx(np.hypot(sigma, np.sqrt(1 / 12)), rel=0.03)
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size)
    for one, other in ((noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1]), (noise[..., :1], noise[..., 1:2])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.06


def test_noise_is_cut_off_at_the_ends_of_the_range():
    images = np.stack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)])
    dark, bright = run("noise", 10, images)
    assert dark.max() < 80
    assert bright.min() > 175
    assert (dark == 0).mean() == pytest.approx(0.5, abs=0.07)
    assert (bright == 255).mean() == pytest.approx(0.5, abs=0.07)


def test_noise_is_the_same_for_one_image_and_another_for_another_image_and_seed():
    images = np.stack([np.full((32, 32, 3), 120, np.uint8), np.full((32, 32, 3), 121, np.uint8)])
    first, again, other = run("noise", 5, images), run("noise", 5, images), run("noise", 5, images, seed=2)
    assert np.array_equal(first, again)
    noise = first.astype(float) - images
    for one, two in ((noise[0], noise[1]), (noise[0], other[0].astype(float) - images[0])):
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("contrast", [0.1, 1.0])
def test_denoising_takes_most_of_the_noise_out_of_a_smooth_picture(contrast):
    clean = smooth(contrast=contrast)
    noisy = as_bytes(clean + np.random.default_rng(1).normal(0, 6, clean.shape))
    assert rms(run("denoise", 6, noisy), clean) < 0.5 * rms(noisy, clean)


def test_denoising_of_less_noise_than_there_is_takes_less_of_it():
    clean = smooth()
    noisy = as_bytes(clean + np.random.default_rng(1).normal(0, 8, clean.shape))
    left = [rms(run("denoise", sigma, noisy), clean) for sigma in (1, 3, 8)]
    assert left[0] > left[1] > left[2]
    assert left[0] > 0.8 * rms(noisy, clean)


def test_denoising_leaves_a_smooth_picture_as_it_is():
    clean = as_bytes(smooth())
    assert psnr(clean, run("denoise", 2, clean)) > 42


def test_resampling_takes_out_the_highest_frequencies_and_keeps_a_smooth_picture():
    y, x = np.mgrid[:64, :64]
    checks = as_bytes(128 + 60 * np.repeat((-1.0) ** (x + y)[..., None], 3, axis=2)[None])
    assert rms(run("resample", 0.7, checks)[:, 8:-8, 8:-8], np.full(1, 128)) < 6
    clean = as_bytes(smooth())
    assert psnr(clean, run("resample", 0.5, clean)) > 42


@pytest.mark.parametrize("axis", [1, 2])
def test_resampling_to_half_keeps_what_half_the_samples_can_show(axis):
    """Waves of 8 pixels, not those of 3, along the short and along the long side."""
    for period, low, high in ((8, 0.8, 1.1), (3, 0.0, 0.25)):
        wave = 50 * np.cos(2 * np.pi * np.indices((1, 48, 144, 3))[axis] / period)
        attacked = run("resample", 0.5, as_bytes(128 + wave)).astype(float) - 128
        inner = (slice(None), slice(8, -8), slice(8, -8))
        assert low < attacked[inner].std() / wave[inner].std() < high


def test_resampling_keeps_sides_that_its_scale_does_not_divide():
    images = as_bytes(smooth(1))[:, :37, :53]
    attacked = run("resample", 0.6, images)
    assert attacked.shape == images.shape
    assert psnr(images, attacked) > 35


def test_an_attack_that_is_not_classical_is_an_error():
    with pytest.raises(KeyError):
        ATTACKS["oracle"]
