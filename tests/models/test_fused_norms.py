"""Tests of cama.models.fused_norms."""

import pytest
import torch
from torch import nn

from cama.models.classifiers import ARCHITECTURES
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator
from cama.settings.networks import GeneratorSpec
from tests.models.helpers import pictures, shake, tiny_classifier


def trained(module: nn.Module) -> nn.Module:
    """With running statistics and weights that folding cannot get right by doing nothing."""
    shake(module, 0.1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.5, 2.0)
    return module.eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_folding_changes_nothing_but_rounding(architecture: str) -> None:
    torch.manual_seed(0)
    # in double precision, or the kinks of a deep random network would fall elsewhere
    classifier = trained(tiny_classifier("prnu_lp", architecture=architecture)).double()
    images = pictures(2, 64).double().requires_grad_()
    before = classifier(images)
    (slope,) = torch.autograd.grad(before[:, 0].sum(), images)
    after = fuse_batch_norms_(classifier)(images)
    (folded,) = torch.autograd.grad(after[:, 0].sum(), images)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(folded, slope, rtol=1e-9, atol=1e-9 * float(slope.abs().max()))


def test_no_norm_is_left_in_the_small_network_and_the_estimator() -> None:
    classifier = fuse_batch_norms_(trained(tiny_classifier("prnu_lp")))
    assert not [part for part in classifier.modules() if isinstance(part, nn.BatchNorm2d)]


def test_norms_that_a_label_modulates_stay() -> None:
    torch.manual_seed(0)
    generator = trained(
        Generator(3, GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, label="modulation"))
    )
    images, labels = pictures(2), torch.tensor([0, 2])
    before = generator(images, labels)
    assert torch.equal(fuse_batch_norms_(generator)(images, labels), before)


def test_a_network_that_trains_is_refused() -> None:
    with pytest.raises(AssertionError):
        fuse_batch_norms_(tiny_classifier("rgb").train())
