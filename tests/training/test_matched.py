"""Tests of cama.training.matched: a filter that takes the spectrum of other cameras' photographs to the target's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cama.attacks.spectrum import TO_YCBCR, power_spectrum
from cama.compute.tensors import to_bytes, to_float
from cama.core.seeds import derive_seed
from cama.data.patches import Patches
from cama.models.colour_filters import filter_channels
from cama.models.generator import Generator
from cama.settings.networks import GeneratorSpec
from cama.training.encoding import TargetEncoders
from cama.training.generator import GeneratorTraining
from cama.training.matched import block_log_powers, matched_filters
from tests.training.conftest import CPU
from tests.training.test_encoding import LABELS, imitations  # noqa: F401
from tests.training.test_training import cama_spec, tiny_evaluator

# pixels of blur of Y, Cb and Cr, vertical and horizontal: each camera has its own
BLURS = (((0.35, 0.6), (0.7, 0.5), (0.6, 0.75)), ((0.6, 0.4), (0.5, 0.8), (0.8, 0.55)), ((0.5, 0.5),) * 3)


def blurry_patches(cameras: int, count: int = 48) -> Patches:
    """Photographs of noise by cameras that differ in how much they blur. The validation ones, a quarter, are of other noise."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(cameras), count)
    validation = np.arange(len(label)) % 4 == 0
    stored = []
    for camera, held in zip(label, validation, strict=True):
        noise = [gaussian_filter(rng.normal(0, 20, (64, 64)), blur) for blur in BLURS[camera]]
        channels = np.stack(noise if not held else [(1 + camera) * rng.normal(0, 5, (64, 64))] * 3, axis=-1)
        stored.append(np.clip(128 + channels @ np.linalg.inv(TO_YCBCR).T, 0, 255).round().astype(np.uint8))
    rgb = torch.from_numpy(np.stack(stored))
    return Patches(
        {"rgb": rgb, "remosaic": rgb // 2 + 64},
        label,
        validation,
        np.array([f"{number}.JPG" for number in range(len(label))]),
        np.arange(len(label)).astype(str),
        rng.integers(0, 200, (len(label), 2)),
        np.zeros(len(label), int),
        LABELS[:cameras],
    )


def photographs(patches: Patches, label: int, array: str = "rgb") -> np.ndarray:
    """The training photographs of a label."""
    return patches.arrays[array].numpy()[(patches.label == label) & ~patches.validation]


def through(filters: torch.Tensor, pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, 3) after a filter less the identity."""
    images = to_float(pictures)
    return to_bytes(images + filter_channels(images, filters.expand(len(images), -1, -1, -1)))


def nepers(pictures: np.ndarray, like: np.ndarray) -> float:
    """The mean difference of the logarithms of the power spectra, by another measurement than that of the filters."""
    difference = np.log(power_spectrum(pictures.astype(float)) / power_spectrum(like.astype(float)))
    counted = np.ones(difference.shape[:2], bool)
    counted[:10, :10] = False  # beside what stays as it is
    return float(np.abs(difference[counted]).mean())


def test_white_noise_has_its_variance_at_every_frequency():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 4, (64, 3, 64, 64))).float() / 127.5
    found = block_log_powers(noise)
    assert found.shape == (64, 3, 17, 17)
    luma = found.mean(0)[0, 1:, 1:].exp()
    expected = 16 * (0.299**2 + 0.587**2 + 0.114**2)
    # the mean of a logarithm is below the logarithm of the mean
    assert luma.std() / luma.mean() < 0.15
    assert 0.8 * expected < luma.mean() < expected


@pytest.mark.parametrize(("row", "column"), [(8, 0), (0, 5), (11, 4)])
@pytest.mark.parametrize("channel", range(3))
def test_a_wave_shows_at_its_frequency_in_its_channel(row, column, channel):
    y, x = np.mgrid[:64, :64]
    channels = np.zeros((64, 64, 3))
    channels[..., channel] = 20 * np.cos(2 * np.pi * (row * y - column * x) / 32)
    picture = torch.from_numpy(channels @ np.linalg.inv(TO_YCBCR).T).movedim(-1, 0)[None].float() / 127.5
    found = block_log_powers(picture)[0]
    assert np.unravel_index(int(found.argmax()), found.shape) == (channel, row, column)


def test_filtered_photographs_have_the_targets_spectrum_and_their_own_mean():
    patches = blurry_patches(2)
    filters = matched_filters(patches, "rgb", None, 1.0, 1, CPU)
    assert filters.shape == (2, 3, 31, 31)
    assert filters.sum((-2, -1)).abs().max() < 1e-5  # nothing is added to a flat picture
    half = matched_filters(patches, "rgb", None, 0.5, 1, CPU)
    for target in range(2):
        own, like = photographs(patches, 1 - target), photographs(patches, target)
        before = nepers(own, like)
        assert before > 0.8
        assert nepers(through(filters[target], own), like) < 0.15 * before
        assert nepers(through(half[target], own), like) == pytest.approx(before / 2, rel=0.15)


def test_low_frequencies_stay():
    patches = blurry_patches(2)
    y, x = np.mgrid[:64, :64]
    wave = np.repeat(128 + 60 * np.cos(2 * np.pi * (y + x) / 64)[None, ..., None], 3, axis=3).round().astype(np.uint8)
    for filters in matched_filters(patches, "rgb", None, 2.0, 1, CPU):
        inner = (slice(None), *(slice(16, -16),) * 2)  # borders are mirrored
        assert np.abs(through(filters, wave)[inner].astype(int) - wave[inner]).mean() < 1.5


def test_no_strength_is_no_change():
    assert matched_filters(blurry_patches(3), "rgb", None, 0.0, 1, CPU).abs().max() < 1e-6


def test_sources_are_measured_as_the_generator_takes_them():
    """Here its input has half of the contrast, so that all gains are twice as high."""
    patches = blurry_patches(2)
    filters = matched_filters(patches, "remosaic", None, 1.0, 1, CPU)
    for target in range(2):
        own, like = photographs(patches, 1 - target, "remosaic"), photographs(patches, target)
        assert nepers(through(filters[target], own), like) < 0.25 * nepers(own, like)


def test_what_the_save_adds_is_taken_into_account(imitations):  # noqa: F811
    """Of photographs that their cameras saved, the corrected filter leaves less of a difference after the target's save."""
    patches, encode = blurry_patches(3), TargetEncoders(imitations, LABELS)
    places = torch.from_numpy(patches.origin)
    saved = encode(to_float(patches.arrays["rgb"]), torch.from_numpy(patches.label), places)
    patches = replace(patches, arrays={"rgb": torch.from_numpy(to_bytes(saved))})
    left = {}
    for name, given in (("corrected", encode), ("uncorrected", None)):
        found = []
        for target, filters in enumerate(matched_filters(patches, "rgb", given, 1.0, 1, CPU)):
            others = (patches.label != target) & ~patches.validation
            filtered = to_float(through(filters, patches.arrays["rgb"].numpy()[others]))
            delivered = encode(filtered, torch.full((len(filtered),), target), places[torch.from_numpy(others)])
            like = to_float(photographs(patches, target))
            left_over = block_log_powers(delivered).mean(0) - block_log_powers(like).mean(0)
            found.append(left_over[0, 3:, 3:].abs().mean())  # of Y: subsampling leaves a part of Cb and Cr alone
        left[name] = float(np.mean(found))
    assert left["corrected"] < 0.5 * left["uncorrected"]


def test_torchs_random_state_stays_and_has_no_part(imitations):  # noqa: F811
    patches, encode = blurry_patches(3, 16), TargetEncoders(imitations, LABELS)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = matched_filters(patches, "rgb", encode, 1.5, 1, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(matched_filters(patches, "rgb", encode, 1.5, 1, CPU), first)


@pytest.mark.parametrize(("output", "ema_decay"), [("residual", 0), ("residual", 0.9), ("filters", 0)])
def test_a_generator_begins_as_its_matched_filter_and_keeps_it(output, ema_decay):
    patches = blurry_patches(3, 16)
    net = GeneratorSpec(features=8, downsamplings=0, blocks=1, kernel=3, output=output, input="rgb", matched=True)
    training = GeneratorTraining(patches, tiny_evaluator(), cama_spec(3, generator=net, ema_decay=ema_decay), CPU, 1)
    expected = matched_filters(patches, "rgb", None, 1.5, derive_seed(1, "matched"), CPU)
    pictures, labels = patches.arrays["rgb"][:2], torch.tensor([1, 2])
    images = to_float(pictures)
    plain = to_bytes(images + filter_channels(images, expected[labels])).astype(int)
    with torch.no_grad():
        found = to_bytes(training.generator.eval()(images, labels)).astype(int)
    training.generator.train()
    assert np.abs(found - plain).mean() < 0.2 * np.abs(plain - pictures.numpy()).mean()
    training.step(0)
    assert torch.equal(training.trained_generator().matched, expected)
    assert "matched" in training.generator.state_dict()


def test_one_that_has_no_matched_filter_has_no_buffer():
    net = GeneratorSpec(features=8, downsamplings=0, blocks=1, kernel=3, output="residual")
    assert "matched" not in Generator(3, net).state_dict()
