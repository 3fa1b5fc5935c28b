"""Purification: a denoiser's change, in each picture as strong as asked for, and without labels."""

import numpy as np
import pytest
import torch

from cama.attacks.factory import build_attack
from cama.compute.psnr import psnr
from cama.compute.tensors import to_float
from cama.core.errors import CamaError
from cama.models.estimator import save_estimator
from cama.settings.attacks import MethodSpec
from cama.settings.training import ComputeSpec
from tests.models.helpers import tiny_estimator

CPU = ComputeSpec(device="cpu", precision="float32")
METHOD = MethodSpec(kind="purify", psnr=33)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(60, 200, (3, 32, 48, 3), dtype=np.uint8)


@pytest.fixture
def purify(tmp_path):
    save_estimator(tmp_path / "denoiser.safetensors", tiny_estimator().eval(), {"spec": {}, "inputs": {}})
    return build_attack(METHOD, ("A", "B"), CPU, 1, tmp_path / "denoiser.safetensors")


def test_each_picture_loses_what_the_denoiser_takes_for_noise_at_its_psnr(purify, images):
    changed = purify(images, np.zeros(3, int), np.full(3, -1))
    assert changed.dtype == np.uint8
    assert [psnr(*pair) for pair in zip(images, changed, strict=True)] == pytest.approx([33] * 3, abs=0.05)
    with torch.no_grad():
        estimator = tiny_estimator().eval()
        noise = estimator(to_float(images)).movedim(1, -1).numpy()
    for before, after, taken in zip(images, changed, noise, strict=True):
        assert np.corrcoef((before - after.astype(float)).ravel(), taken.ravel())[0, 1] > 0.9


def test_neither_the_labels_nor_the_other_pictures_matter(purify, images):
    together = purify(images, np.array([0, 1, -1]), np.array([1, 0, 0]))
    alone = purify(images[1:2], np.array([-1]), np.array([-1]))
    assert (np.abs(together[1].astype(int) - alone[0]) <= 1).all()
    assert (together[1] == alone[0]).mean() > 0.99
    assert not METHOD.targeted
    assert METHOD.uses_networks


def test_without_a_denoiser_it_says_so():
    with pytest.raises(CamaError, match="--model: found none, expected the model file of the adversary's denoiser"):
        build_attack(METHOD, ("A", "B"), CPU, 1)
