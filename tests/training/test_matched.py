"""Tests of cama.training.matched: a filter that takes the spectrum of other cameras' photographs to the target's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cama.compute.tensors import to_bytes, to_float
from cama.core.seeds import derive_seed
from cama.data.patches import Patches
from cama.models.colour_filters import filter_channels
from cama.models.generator import Generator
from cama.settings.networks import GeneratorSpec
from cama.training.encoding import TargetEncoders
from cama.training.generator import GeneratorTraining
from cama.training.matched import log_powers, matched_filters
from tests.training.conftest import CPU
from tests.training.test_encoding import LABELS, imitations  # noqa: F401
from tests.training.test_training import cama_spec, tiny_evaluator

SHARPNESS = (0.4, 0.9, 1.6)  # pixels of blur of each camera


def blurry_patches(count: int = 24) -> Patches:
    """Photographs of noise by three cameras that differ in how much they blur; the validation ones, a quarter, are black."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(3), count)
    stored = [
        np.clip(
            128 + 200 * SHARPNESS[k] * gaussian_filter(rng.normal(0, 0.2, (64, 64, 3)), (SHARPNESS[k],) * 2 + (0,)),
            0,
            255,
        )
        for k in label
    ]
    validation = np.arange(3 * count) % 4 == 0
    rgb = np.stack(stored).round().astype(np.uint8) * ~validation[:, None, None, None]
    names = np.array([f"{number}.JPG" for number in range(3 * count)])
    return Patches(
        {"rgb": torch.from_numpy(rgb.astype(np.uint8))},
        label,
        validation,
        names,
        np.arange(3 * count).astype(str),
        np.zeros((3 * count, 2), int),
        np.zeros(3 * count, int),
        LABELS,
    )


def powers_of(patches: Patches, label: int) -> torch.Tensor:
    rows = (patches.label == label) & ~patches.validation
    return log_powers(to_float(patches.arrays["rgb"][torch.from_numpy(rows)])).mean(0)


def test_white_noise_has_its_variance_at_every_frequency():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 4, (64, 3, 64, 64))).float() / 127.5
    found = log_powers(noise)
    assert found.shape == (64, 3, 17, 17)
    luma = found.mean(0)[0, 1:, 1:].exp()
    expected = 16 * (0.299**2 + 0.587**2 + 0.114**2)
    # the mean of a logarithm is below the logarithm of the mean
    assert luma.std() / luma.mean() < 0.15
    assert 0.8 * expected < luma.mean() < expected


def test_filtered_photographs_have_the_targets_spectrum_and_their_own_mean():
    patches = blurry_patches()
    filters = matched_filters(patches, None, 31, 1.0, 1, CPU)
    assert filters.shape == (3, 3, 31, 31)
    assert filters.sum((-2, -1)).abs().max() < 1e-5  # nothing is added to a flat picture
    counted = torch.ones(17, 17, dtype=torch.bool)
    counted[:3, :3] = False
    for target in range(3):
        for source in {0, 1, 2} - {target}:
            images = to_float(patches.arrays["rgb"][torch.from_numpy((patches.label == source) & ~patches.validation)])
            changed = images + filter_channels(images, filters[target].expand(len(images), -1, -1, -1))
            want = powers_of(patches, target)
            before, after = (
                (powers - want)[:, counted].abs().mean()
                for powers in (powers_of(patches, source), log_powers(changed).mean(0))
            )
            assert after < before


def test_strength_is_how_much_of_the_difference_is_made():
    patches = blurry_patches()
    none, one, two = (matched_filters(patches, None, 31, strength, 1, CPU) for strength in (0, 1, 2))
    assert none.abs().max() < 1e-6
    assert all(two[target].square().sum() > one[target].square().sum() > 0.01 for target in range(3))


def test_what_the_save_adds_is_taken_into_account(imitations):  # noqa: F811
    """Of photographs that their cameras saved, the corrected filter leaves less of a difference after the target's save."""
    patches, encode = blurry_patches(48), TargetEncoders(imitations, LABELS)
    saved = encode(to_float(patches.arrays["rgb"]), torch.from_numpy(patches.label))
    patches = replace(patches, arrays={"rgb": torch.from_numpy(to_bytes(saved))})
    left = {}
    for name, given in (("corrected", encode), ("uncorrected", None)):
        filters = matched_filters(patches, given, 31, 1.0, 1, CPU)
        found = []
        for target in range(3):
            others = torch.from_numpy((patches.label != target) & ~patches.validation)
            images = to_float(patches.arrays["rgb"][others])
            changed = images + filter_channels(images, filters[target].expand(len(images), -1, -1, -1))
            torch.manual_seed(0)
            delivered = encode(changed, torch.full((len(images),), target))
            found.append((log_powers(delivered).mean(0) - powers_of(patches, target))[:, 3:, 3:].mean().abs())
        left[name] = float(torch.stack(found).mean())
    assert left["corrected"] < 0.8 * left["uncorrected"]


def test_torchs_random_state_stays_and_the_seed_decides(imitations):  # noqa: F811
    patches, encode = blurry_patches(), TargetEncoders(imitations, LABELS)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = matched_filters(patches, encode, 15, 1.5, 1, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(matched_filters(patches, encode, 15, 1.5, 1, CPU), first)
    assert not torch.equal(matched_filters(patches, encode, 15, 1.5, 2, CPU), first)


@pytest.mark.parametrize("output", ["residual", "filters"])
def test_a_generator_begins_as_its_matched_filter(output):
    patches = blurry_patches()
    net = GeneratorSpec(features=8, downsamplings=0, blocks=1, kernel=3, output=output, input="rgb", matched_taps=15)
    training = GeneratorTraining(patches, tiny_evaluator(), cama_spec(3, generator=net), CPU, 1)
    generator = training.generator.eval()
    expected = matched_filters(patches, None, 15, 1.5, derive_seed(1, "matched"), CPU)
    assert torch.equal(generator.matched, expected)
    images, labels = to_float(patches.arrays["rgb"][:2]), torch.tensor([1, 2])
    plain = to_bytes(images + filter_channels(images, expected[labels])).astype(int)
    with torch.no_grad():
        found = to_bytes(generator(images, labels)).astype(int)
    assert np.abs(found - plain).mean() < 2
    assert np.abs(plain - to_bytes(images).astype(int)).mean() > 2
    assert "matched" not in dict(generator.named_parameters())  # it stays


def test_one_that_has_no_matched_filter_has_no_buffer():
    net = GeneratorSpec(features=8, downsamplings=0, blocks=1, kernel=3, output="residual")
    assert "matched" not in Generator(3, net).state_dict()
