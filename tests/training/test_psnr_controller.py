"""The PSNR controller alone."""

import math

import pytest
import torch

from cama.training.psnr_controller import PsnrController


def test_it_finds_the_weight_that_gives_the_psnr():
    """A training that follows slowly, as G does: a unit of the logarithm is 3 dB, after some 40 of 900 steps."""
    controller, psnr = PsnrController(900), 30.0
    for _ in range(900):
        psnr += (30 + 3 * controller.log_factor.item() - psnr) / 40
        controller.update(33, torch.tensor(psnr))
    assert psnr == pytest.approx(33, abs=0.1)


def test_it_is_bounded_and_moves_the_right_way():
    controller = PsnrController(100)
    controller.update(30, torch.tensor(28.0))
    assert controller.factor.item() == pytest.approx(math.exp(2 * PsnrController.GAIN / 100))
    for level in (float("inf"), 90.0):
        controller.update(30, torch.tensor(level))
    assert 1 > controller.factor > 0.7  # not at once
    for _ in range(1000):
        controller.update(30, torch.tensor(0.0))
    assert controller.factor.item() == pytest.approx(math.exp(PsnrController.MAX_LOG))
