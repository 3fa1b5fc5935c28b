"""The losses, against numbers worked out by hand from the formulas of the protocol.

D: (D(x, y) - 1)^2 + 1/2 [D(x', y')^2 + D(x, y')^2], all times 1/2. G: (D(x', y') - 1)^2, |x - x'|_1, and
-1/2 log(E_H(x'_H)_y' E_L(x'_L)_y').
"""

import math

import pytest
import torch

from cama.training.losses import PIXEL, adversarial_loss, discriminator_loss, evaluator_loss


def scores(*values: float) -> torch.Tensor:
    """D's scores of one image, (1, 1, 1, n)."""
    return torch.tensor(values).view(1, 1, 1, -1)


def test_discriminator_loss_by_hand():
    real = scores(0.5, 1.0)  # (0.25 + 0) / 2 = 0.125
    fake = scores(0.2, -0.4)  # (0.04 + 0.16) / 2 = 0.1
    mismatched = scores(1.0, 3.0)  # (1 + 9) / 2 = 5
    assert discriminator_loss("least_squares", real, fake, mismatched).item() == pytest.approx(
        (0.125 + (0.1 + 5) / 2) / 2
    )


@pytest.mark.parametrize(
    ("real", "fake", "mismatched", "expected"), [(1, 0, 0, 0), (0, 0, 0, 0.5), (1, 1, 0, 0.25), (1, 0, 1, 0.25)]
)
def test_each_part_of_the_discriminator_loss_has_its_weight(real, fake, mismatched, expected):
    found = discriminator_loss("least_squares", scores(float(real)), scores(float(fake)), scores(float(mismatched)))
    assert found.item() == pytest.approx(expected)


def test_adversarial_loss_by_hand():
    # (0.2 - 1)^2 = 0.64, (-0.4 - 1)^2 = 1.96
    assert adversarial_loss("least_squares", scores(0.2, -0.4)).item() == pytest.approx(1.3)
    assert adversarial_loss("least_squares", scores(1.0)).item() == 0


def test_pixel_loss_by_hand():
    images = torch.zeros(2, 3, 2, 2)
    changed = images.clone()
    changed[0, 0, 0, 0], changed[1, 2, 1, 1] = 1.0, -0.5
    assert PIXEL["l1"](images, changed).item() == pytest.approx(1.5 / 24)
    assert PIXEL["l1"](images, images).item() == 0


def test_squared_pixel_loss_by_hand():
    images = torch.zeros(2, 3, 2, 2)
    changed = images.clone()
    changed[0, 0, 0, 0], changed[1, 2, 1, 1] = 1.0, -0.5
    assert PIXEL["l2"](images, changed).item() == pytest.approx(1.25 / 24)


def test_cross_entropy_by_hand():
    # -log sigmoid(0) = log 2; -log sigmoid(log 3) = -log 3/4, -log(1 - sigmoid(log 3)) = log 4
    zero, three = scores(0.0), scores(math.log(3))
    assert adversarial_loss("cross_entropy", three).item() == pytest.approx(math.log(4 / 3))
    found = discriminator_loss("cross_entropy", three, zero, three).item()
    assert found == pytest.approx((math.log(4 / 3) + (math.log(2) + math.log(4)) / 2) / 2)


def test_every_classifier_of_the_evaluator_counts_alike():
    streams = [torch.full((2, 4), math.log(share)) for share in (0.5, 0.25, 0.125)]
    assert evaluator_loss(streams, torch.tensor([3, 0])).item() == pytest.approx(2 * math.log(2))


def test_evaluator_loss_by_hand():
    high = torch.tensor([[0.50, 0.25, 0.25], [0.10, 0.70, 0.20]])
    low = torch.tensor([[0.20, 0.30, 0.50], [0.60, 0.30, 0.10]])
    # for the labels 2 and 0 the products are 0.25 * 0.5 and 0.1 * 0.6
    expected = -(math.log(0.25 * 0.5) + math.log(0.1 * 0.6)) / 2 / 2
    assert evaluator_loss([high.log(), low.log()], torch.tensor([2, 0])).item() == pytest.approx(expected)


def test_evaluator_loss_falls_with_the_probability_of_the_target_alone():
    logits = torch.zeros(1, 3, requires_grad=True)
    loss = evaluator_loss([logits.log_softmax(1), torch.zeros(1, 3).log_softmax(1)], torch.tensor([1]))
    assert loss.item() == pytest.approx(math.log(3))  # both streams say 1/3
    (gradient,) = torch.autograd.grad(loss, logits)
    # of -1/2 log softmax: 1/2 (p - onehot)
    assert gradient[0].tolist() == pytest.approx([1 / 6, -1 / 3, 1 / 6])


def test_the_evaluators_loss_may_look_at_the_classifier_that_is_fooled_least():
    """Two classifiers with losses 1 and 3: their mean, and then weights in the proportion of 1 to e^2 and to e^40."""
    streams = [torch.tensor([[-1.0, -9.0], [-1.0, -9.0]]), torch.tensor([[-2.0, -9.0], [-4.0, -9.0]])]
    labels = torch.tensor([0, 0])
    assert evaluator_loss(streams, labels).item() == pytest.approx(2)
    share = math.exp(2) / (1 + math.exp(2))
    assert evaluator_loss(streams, labels, 1).item() == pytest.approx(1 - share + 3 * share)
    assert evaluator_loss(streams, labels, 20).item() == pytest.approx(3)
