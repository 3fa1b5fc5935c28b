"""The spectrum that a target's camera would give, on cameras whose spectra are known."""

import dataclasses

import numpy as np
import pytest
import torch

from cama.compute.tensors import to_float
from cama.training.spectra import FLOOR, SpectrumLoss, log_powers
from tests.training.conftest import CPU, camera_patches

GAINS = (1.0, 0.5, 2.0)  # of the noise of three cameras


def noisy(seed: int, scenes: int = 24) -> np.ndarray:
    """The same smooth scenes by each camera (3, scenes, 64, 64, 3), with white noise of standard deviation 3 times its gain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 64
    slope = rng.uniform(-60, 60, (scenes, 2, 1, 1, 3))
    scene = rng.uniform(90, 160, (scenes, 1, 1, 3)) + slope[:, 0] * x[..., None] + slope[:, 1] * y[..., None]
    noise = rng.normal(0, 3, scene.shape)
    return np.stack([np.clip(np.rint(scene + gain * noise), 0, 255) for gain in GAINS]).astype(np.uint8)


@pytest.fixture(scope="module")
def loss() -> SpectrumLoss:
    pictures = noisy(1)
    held = np.tile(np.arange(pictures.shape[1]) == 0, 3)
    patches = camera_patches(pictures.shape[1])
    garbage = pictures.copy()
    garbage[:, 0] = 0  # validation photographs have no part in it
    return SpectrumLoss(
        dataclasses.replace(patches, arrays={"rgb": torch.from_numpy(garbage.reshape(-1, 64, 64, 3))}, validation=held),
        CPU,
    )


def test_white_noise_has_its_variance_at_every_frequency_and_colours_mix_as_variances_do():
    noise = np.random.default_rng(0).normal(128, 5, (40, 64, 64, 3))
    found = log_powers(to_float(np.rint(noise).astype(np.uint8))).mean(0)[:, 1:].exp() - FLOOR
    variance = 25 + 1 / 12
    weights = (
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0.299, 0.587, 0.114),
        (-0.168736, -0.331264, 0.5),
        (0.5, -0.418688, -0.081312),
    )
    for channel, weight in zip(found, weights, strict=True):
        assert channel.mean().item() == pytest.approx(variance * np.square(weight).sum(), rel=0.02)


def test_the_same_scene_by_the_target_is_nearer_than_the_photograph_or_another_camera(loss):
    by_camera = [to_float(part) for part in noisy(2)]
    for source in range(3):
        for target in set(range(3)) - {source}:
            labels = [torch.full((24,), label) for label in (source, target)]
            distances = [loss(by_camera[source], changed, *labels).item() for changed in by_camera]
            assert np.argmin(distances) == target
            # of power; what remains is the sampling of one patch
            assert distances[source] - distances[target] > 0.7 * 2 * abs(np.log(GAINS[target] / GAINS[source]))


def test_a_photograph_is_at_its_own_camera_already_and_the_gradient_leads_to_more_noise(loss):
    weak, strong = (to_float(noisy(3)[camera]).requires_grad_() for camera in (1, 2))
    own, other = torch.full((24,), 1), torch.full((24,), 2)
    assert loss(weak, weak, own, own).item() == pytest.approx(0, abs=1e-6)
    loss(weak, weak, own, other).backward()
    towards = (weak.grad * (strong - weak)).sum()  # the strong noise is four times the weak
    assert towards < 0
