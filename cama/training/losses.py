"""The losses of G and D (paper, section 3). Scores D(.) are (N, 1, h, w); 1 is real."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

# How far scores are from real (1) or false (0): least squares (Mao et al. 2017), or cross-entropy on logits.
ADVERSARIAL: dict[str, Callable[[Tensor, float], Tensor]] = {
    "least_squares": lambda score, real: (score - real).square().mean(),
    "cross_entropy": lambda score, real: binary_cross_entropy_with_logits(score, torch.full_like(score, real)),
}
# Mean absolute or mean squared difference of images (N, 3, H, W) in [-1, 1].
PIXEL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": lambda images, changed: (images - changed).abs().mean(),
    "l2": lambda images, changed: (images - changed).square().mean(),
}


def discriminator_loss(kind: str, real: Tensor, fake: Tensor, mismatched: Tensor) -> Tensor:
    """Matching-aware, halved; by least squares (D(x, y) - 1)^2 + 1/2 [D(x', y')^2 + D(x, y')^2]."""
    far = ADVERSARIAL[kind]
    return 0.5 * (far(real, 1) + 0.5 * (far(fake, 0) + far(mismatched, 0)))


def adversarial_loss(kind: str, fake: Tensor) -> Tensor:
    """By least squares (D(x', y') - 1)^2."""
    return ADVERSARIAL[kind](fake, 1)


def evaluator_loss(scores: Iterable[Tensor], labels: Tensor, focus: float = 0) -> Tensor:
    """The negative mean log-probability of `labels` (N,) over E's classifiers, from theirs (N, classes) each.

    With E_H and E_L it is the paper's -1/2 log(E_H(x'_H)_y' E_L(x'_L)_y'). With `focus` those that are fooled least have more
    weight, in proportion to exp(focus x loss), which is a constant to the gradient.
    """
    picked = torch.stack([score.gather(1, labels[:, None]) for score in scores])
    if not focus:
        return -picked.sum(0).div(len(picked)).mean()
    losses = -picked.mean((1, 2))
    return losses @ (focus * losses.detach()).softmax(0)
