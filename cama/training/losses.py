"""The losses of G and D (paper, section 3). Scores D(.) are (N, 1, h, w); 1 is real."""

from torch import Tensor


def discriminator_loss(real: Tensor, fake: Tensor, mismatched: Tensor) -> Tensor:
    """Matching-aware least squares, halved: (D(x, y) - 1)^2 + 1/2 [D(x', y')^2 + D(x, y')^2]."""
    return 0.5 * ((real - 1).square().mean() + 0.5 * (fake.square().mean() + mismatched.square().mean()))


def adversarial_loss(fake: Tensor) -> Tensor:
    """(D(x', y') - 1)^2."""
    return (fake - 1).square().mean()


def pixel_loss(images: Tensor, changed: Tensor) -> Tensor:
    """Mean absolute difference of images (N, 3, H, W) in [-1, 1]."""
    return (images - changed).abs().mean()


def evaluator_loss(high: Tensor, low: Tensor, labels: Tensor) -> Tensor:
    """-1/2 log(E_H(x'_H)_y' E_L(x'_L)_y') from the log-probabilities (N, classes) of both streams."""
    index = labels[:, None]
    return -0.5 * (high.gather(1, index) + low.gather(1, index)).mean()
