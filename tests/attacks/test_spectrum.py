"""The linear attack: what its filter does to pictures, whose spectrum it gives them, and how its strength is found."""

import numpy as np
import pytest

from cama.attacks.factory import build_attack
from cama.attacks.spectrum import MOST_ALPHA, TO_YCBCR, filtered, power_spectrum, spectrum_attack
from cama.commands.main import main
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.data.attacked import open_attacked
from cama.settings.attacks import MethodSpec
from cama.settings.stages import AttackStageSpec
from cama.settings.training import ComputeSpec
from cama.storage.hdf5 import write_hdf5

LABELS = ("A", "B", "C")
SLOPES = (0.0, 1.0, -0.6)  # of the exponents of their gains over frequency
SIDE = 32


def coloured(slope, count, height, width, seed=0):
    """Noise pictures (count, height, width, 3), uint8, whose amplitude changes with frequency by exp(slope * f / 0.5)."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    waves = np.fft.rfft2(rng.normal(0, 6, (count, height, width, 3)), axes=(1, 2))
    noise = np.fft.irfft2(waves * np.exp(slope * frequency / 0.5)[..., None], (height, width), axes=(1, 2))
    return np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8)


def patch_file(path, labels=LABELS, training=range(3), validation=range(3), pictures=None):
    """The adversary's patches: 48 for training and 2 photographs of 4 for validation of each of these labels."""
    images, label, held, photograph = [], [], [], []
    for index in range(len(labels)):
        for part, wanted, count in ((False, training, 48), (True, validation, 8)):
            if index in wanted:
                images.append(coloured(SLOPES[index], count, SIDE, SIDE, seed=2 * index + part))
                label += [index] * count
                held += [part] * count
                photograph += [f"{index}-{part}-{number // 4}.jpg" for number in range(count)]
    with write_hdf5(path) as file:
        stored = np.concatenate(images)
        file.create_images("rgb", 0, stored.shape[1:], np.uint8)
        file.put_images("rgb", 0, stored)
        file.write_values("label", np.array(label))
        file.write_values("validation", np.array(held))
        file.write_texts("photograph", photograph)
        file.write_texts("scene", photograph)
        file.write_values("origin", np.zeros((len(label), 2), int))
        file.write_values("device", np.zeros(len(label), int))
        file.write_attribute("labels", list(labels))
    return path


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return patch_file(tmp_path_factory.mktemp("spectrum") / "adversary.h5")


def method(level=30.0, source="known"):
    return MethodSpec(kind="spectrum", psnr=level, source=source)


def even_gain(strength, size=SIDE // 2 + 1):
    """The logarithm of a gain that grows with frequency, (size, size, 3)."""
    frequency = np.linspace(0, 0.5, size)
    return np.repeat(strength * np.hypot(frequency[:, None], frequency)[..., None], 3, axis=-1)


# ---- the filter


def test_a_gain_of_one_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)
    before = images.copy()
    assert filtered(images, 0 * even_gain(1)) == pytest.approx(images, abs=1e-3)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("shape", [(64, 64), (41, 70)])
@pytest.mark.parametrize("strength", [-2.0, 2.0])
def test_mean_brightness_stays_and_pictures_do_not_mix(shape, strength):
    rng = np.random.default_rng(1)
    images = np.stack([level + rng.normal(0, 6, (*shape, 3)) for level in (60, 128, 190)]).round().astype(np.uint8)
    gain = even_gain(strength)
    changed = filtered(images, gain)
    assert np.abs(changed.astype(float) - images).max() > 5
    assert np.abs(changed.mean((1, 2)) - images.mean((1, 2))).max() < 0.1
    assert np.array_equal(filtered(images[1:2], gain)[0], changed[1])


def test_nothing_leaks_from_one_border_to_the_opposite_one():
    """A ramp from dark to bright has the highest frequencies only where it is taken to repeat."""
    ramp = np.broadcast_to(np.linspace(30, 220, 96)[None, :, None], (1, 80, 96, 3)).round().astype(np.uint8)
    assert np.abs(filtered(ramp, even_gain(2.0)) - ramp).max() < 6.5
    assert np.abs(filtered(ramp.swapaxes(1, 2), even_gain(2.0)) - ramp.swapaxes(1, 2)).max() < 6.5


@pytest.mark.parametrize("shape", [(64, 64), (88, 120)])
def test_a_grid_of_blocks_stays_where_it_is_and_only_becomes_stronger(shape):
    grid = np.zeros(shape)
    grid[7::8], grid[::8] = 4, -4
    images = np.repeat((128 + grid).astype(np.uint8)[None, ..., None], 3, axis=-1)
    changed = filtered(images, even_gain(1.0))[0, ..., 0] - 128
    assert changed == pytest.approx(np.broadcast_to(changed[:, :1], shape), abs=0.1)
    assert changed[8:24] == pytest.approx(changed[16:32], abs=0.1)
    steps = np.abs(np.diff(changed[:, 0]))
    assert (steps[7:-1:8] > 10).all()
    assert np.delete(steps, np.arange(7, len(steps), 8)).max() < 8


@pytest.mark.parametrize("channel", range(3))
def test_each_channel_of_ycbcr_is_filtered_alone(channel):
    images = coloured(0, 1, 64, 64)
    gain = np.zeros((9, 9, 3))
    gain[..., channel] = 0.5
    change = (filtered(images, gain).astype(float) - images) @ TO_YCBCR.T
    spread = change.std((0, 1, 2))
    assert spread[channel] > 5 * np.delete(spread, channel).max()


# ---- spectra


def test_the_power_of_white_noise_is_its_variance():
    """At every frequency, but for what the window mixes with the mean."""
    noise = 128 + np.random.default_rng(0).normal(0, 5, (400, 32, 32, 3))
    power = power_spectrum(noise)
    assert power.shape == (17, 17, 3)
    expected = 25 * np.square(TO_YCBCR).sum(1)
    assert power[2:, 2:].mean((0, 1)) == pytest.approx(expected, rel=0.02)
    assert (power[2:, 2:] / expected).std() < 0.08


def test_the_power_of_a_wave_stands_at_its_frequency_however_it_lies():
    y, x = np.mgrid[:64, :64]
    waves = [128 + 20 * np.cos(2 * np.pi * (8 * y + sign * 16 * x) / 64 + 1) for sign in (1, -1)]
    powers = [power_spectrum(np.repeat(wave[None, ..., None], 3, axis=-1))[..., 0] for wave in waves]
    assert np.unravel_index(powers[0].argmax(), powers[0].shape) == (8, 16)
    assert powers[0] == pytest.approx(powers[1], rel=1e-6, abs=1e-6)
    assert power_spectrum(np.zeros((1, 33, 33, 3))).shape == (17, 17, 3)


# ---- the attack


def test_the_spectrum_of_the_target_is_approached_in_pictures_of_any_size(patches):
    attack, strengths = spectrum_attack(patches, method(36), LABELS)
    assert 0.5 < strengths["known"].alpha < 1.0
    for source, target in ((0, 1), (1, 2), (2, 0)):
        images, aimed = (coloured(SLOPES[label], 8, 96, 96, seed=50 + label) for label in (source, target))
        attacked = attack(images, np.full(8, source), np.full(8, target))
        given, made, wanted = (np.log(power_spectrum(x))[2:, 2:] for x in (images, attacked, aimed))
        before, after = np.abs(given - wanted).mean(), np.abs(made - wanted).mean()
        assert after < 0.8 * before


@pytest.mark.parametrize("source", ["known", "unknown"])
@pytest.mark.parametrize("level", [32.0, 38.0])
def test_its_alpha_is_that_at_which_validation_photographs_have_the_psnr(level, source, patches):
    """In the attack of a known source, that of an unknown one has its own."""
    _, strengths = spectrum_attack(patches, method(level), LABELS)
    alpha, found = strengths[source]
    assert found == pytest.approx(level, abs=0.1)
    assert 0 < alpha < MOST_ALPHA
    assert strengths["unknown"].alpha > strengths["known"].alpha


@pytest.mark.parametrize("source", [0, -1])
def test_each_picture_has_the_psnr_whatever_its_scene(source, patches):
    attack, _ = spectrum_attack(patches, method(34), LABELS)
    smooth, busy = (np.clip(128 + share * (coloured(0, 1, 64, 64)[0] - 128.0), 0, 255) for share in (0.5, 3))
    images = np.stack([smooth, busy]).astype(np.uint8)
    changed = attack(images, np.full(2, source), np.full(2, 1))
    assert [psnr(*pair) for pair in zip(images, changed, strict=True)] == pytest.approx([34, 34], abs=0.021)


def test_it_is_no_stronger_than_alpha_may_be(patches):
    _, strengths = spectrum_attack(patches, method(20, "unknown"), LABELS)
    assert strengths.keys() == {"unknown"}
    assert strengths["unknown"].alpha == MOST_ALPHA
    assert strengths["unknown"].psnr > 25


def test_mean_brightness_stays_at_any_strength(patches):
    attack, _ = spectrum_attack(patches, method(25), LABELS)
    images = coloured(0, 3, 90, 70)
    changed = attack(images, np.array([0, 0, -1]), np.array([1, 2, 1]))
    assert psnr(images, changed) < 30
    assert np.abs(changed.mean((1, 2)) - images.mean((1, 2))).max() < 0.1


def test_an_unknown_source_is_the_mean_of_all(patches):
    known, _ = spectrum_attack(patches, method(30), LABELS)
    unknown, _ = spectrum_attack(patches, method(30, "unknown"), LABELS)
    images, target = coloured(0, 1, 48, 64), np.array([1])
    made = [[attack(images, np.array([source]), target) for source in (-1, 0, 2)] for attack in (known, unknown)]
    assert np.array_equal(made[0][0], made[1][0])
    assert np.array_equal(made[1][1], made[1][0])  # whatever it is said to be
    assert np.array_equal(made[1][2], made[1][0])
    assert not np.array_equal(made[0][1], made[0][0])
    assert not np.array_equal(made[0][1], made[0][2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"training": (0, 2)}, "found no training patch of B, expected at least one for each label"),
        ({"validation": (0, 1)}, "found no validation patch of C, expected at least one for each label"),
        ({"labels": ("A", "C", "B")}, "found the labels ['A', 'C', 'B'], expected ['A', 'B', 'C']"),
    ],
)
def test_patches_that_lack_something_are_an_error_that_names_the_file(options, words, tmp_path):
    path = patch_file(tmp_path / "adversary.h5", **options)
    with pytest.raises(CamaError) as raised:
        spectrum_attack(path, method(), LABELS)
    assert str(raised.value) == f"{path}: {words}"


def test_without_patches_it_is_an_error_that_names_the_option():
    with pytest.raises(CamaError, match=r"^--patches: found none, expected the adversary's patch file$"):
        build_attack(method(), LABELS, ComputeSpec(), 1)


def test_the_stage_tells_alpha_and_takes_unknown_cameras_for_unknown(patches, tmp_path, capsys):
    """The unknown camera's label has the number of a known one in its own file."""
    inside, outside = patch_file(tmp_path / "in.h5"), patch_file(tmp_path / "out.h5", ("X",), (0,), ())
    spec = AttackStageSpec(name="linear", method=method(), targets=LABELS, photographs=1)
    paths = {"inside": inside, "outside": outside, "patches": patches, "out": tmp_path / "a.h5"}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert main(["stage", "attack", "--spec", spec.to_json(), *options]) == 0
    attack, strengths = spectrum_attack(patches, method(), LABELS)
    said = capsys.readouterr().out
    for source in ("known", "unknown"):
        alpha, level = strengths[source]
        assert f"spectrum, {source} source: alpha {alpha:.2f}, {level:.1f} dB on the" in said
    images = coloured(SLOPES[0], 48, SIDE, SIDE)[:1]
    with open_attacked(tmp_path / "a.h5") as file:
        assert set(file.aims[file.sets == "out"].tolist()) == {0, 1, 2}
        for kind, source in (("in", 0), ("out", -1)):
            place = int(np.flatnonzero((file.sets == kind) & (file.rows == 0) & (file.aims == 1))[0])
            assert np.array_equal(file.images(place), attack(images, np.array([source]), np.array([1]))[0])
