"""How many operations networks take, by their settings.

They are torch's own count (`torch.utils.flop_counter`) of convolutions and matrix products, on tensors without memory. A
multiplication and an addition are two operations. All counts are of one patch or picture of `side` x `side` pixels; networks
of the same settings are counted once.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, conv_backward_flop

from cama.models.classifiers import Classifier
from cama.models.discriminator import Discriminator
from cama.models.estimator import Estimator
from cama.models.frontends import Residual
from cama.models.generator import Generator
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec

BATCH = 2  # images of a counted call: batch norms need more than one


@cache
def estimator_training(body: BodySpec, side: int) -> float:
    """Forward and backward through an estimator."""
    return _training(Estimator(body), side)


@cache
def estimator_forward(body: BodySpec, side: int) -> float:
    """An image through an estimator."""
    return _forward(Estimator(body), side)


@cache
def classifier_training(
    labels: int, net: ClassifierNetSpec, estimator: BodySpec, side: int, adversarial: bool = False
) -> float:
    """Forward and backward through a classifier, and before that to the picture where the training is adversarial; `estimator`
    is its owner's, which some front-ends use.
    """
    if net.non_neural:  # no product of a network, and no way back
        return 0.0
    moved = gradient_step(labels, (net,), estimator, side) if adversarial else 0.0
    return moved + _training(_classifier(labels, net, estimator), side)


@cache
def classifier_forward(labels: int, net: ClassifierNetSpec, estimator: BodySpec, side: int) -> float:
    """Forward through a classifier."""
    return _forward(_classifier(labels, net, estimator), side)


@cache
@torch.no_grad()
def generator_forward(labels: int, spec: GeneratorSpec, side: int) -> float:
    """Forward through a generator."""
    generator = Generator(labels, spec).to("meta").eval()
    return _count(lambda: generator(_images(side), _targets()))


@cache
def generator_training(
    labels: int,
    generator: GeneratorSpec,
    discriminators: tuple[DiscriminatorSpec, ...],
    evaluators: tuple[ClassifierNetSpec, ...],
    estimator: BodySpec,
    side: int,
    opponents: tuple[ClassifierNetSpec, ...] = (),
) -> float:
    """One step of D, of the opponents and of G, as in `cama.training.generator`."""
    g = Generator(labels, generator).to("meta")
    ds = [Discriminator(labels, spec).to("meta") for spec in discriminators]
    fixed = _fixed(labels, evaluators, estimator)
    opposed = [_classifier(labels, net, estimator).eval() for net in opponents]
    y = _targets()

    def step() -> None:
        x = _images(side)
        fake = g(x, y)
        for images in (x, fake.detach()) if opposed else ():
            torch.stack([score.sum() for score in _scores(opposed, images)]).sum().backward()
        for d in ds:
            (d(x, y) + d(fake.detach(), y) + d(x, y)).sum().backward()
        scores = [d(fake, y).sum() for d in ds] + [
            score.sum() for score in _scores(fixed, fake) + _scores(opposed, fake)
        ]
        torch.stack(scores).sum().backward(inputs=list(g.parameters()))

    return _count(step)


@cache
def gradient_step(labels: int, evaluators: tuple[ClassifierNetSpec, ...], estimator: BodySpec, side: int) -> float:
    """Forward through the classifiers of E and back to the picture: one step of a gradient attack."""
    fixed = _fixed(labels, evaluators, estimator)

    def step() -> None:
        scores = _scores(fixed, _images(side).requires_grad_())
        torch.stack([score.sum() for score in scores]).sum().backward()

    return _count(step)


def _backward(*shapes: Any, out_shape: Any) -> int:
    """The operations of a convolution's gradients. torch's count of those of the weights is as if there were no groups."""
    *before, groups, (of_input, of_weights, _) = shapes
    inputs, weights = (
        conv_backward_flop(*before, groups, asked, out_val=out_shape)
        for asked in ([of_input, False, False], [False, of_weights, False])
    )
    return inputs + weights // groups


def _count(call: Callable[[], object]) -> float:
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: _backward}) as counter:
        call()
    return counter.get_total_flops() / BATCH


def _images(side: int) -> Tensor:
    return torch.empty(BATCH, 3, side, side, device="meta")


def _targets() -> Tensor:
    return torch.zeros(BATCH, dtype=torch.long, device="meta")


def _training(net: nn.Module, side: int) -> float:
    return _count(lambda: net.to("meta").train()(_images(side)).sum().backward())


@torch.no_grad()
def _forward(net: nn.Module, side: int) -> float:
    return _count(lambda: net.to("meta").eval()(_images(side)))


def _classifier(labels: int, net: ClassifierNetSpec, estimator: BodySpec) -> Classifier:
    with torch.device("meta"):
        return Classifier(labels, net, Estimator(estimator) if net.needs_estimator else None)


def _fixed(labels: int, nets: tuple[ClassifierNetSpec, ...], estimator: BodySpec) -> list[Classifier]:
    """Classifiers that are no longer trained."""
    return [_classifier(labels, net, estimator).eval().requires_grad_(False) for net in nets]


def _scores(classifiers: list[Classifier], images: Tensor) -> list[Tensor]:
    """The output of each classifier of E; the estimator that some share is computed once, as E does."""
    split: tuple[Tensor, Tensor] | None = None
    scores = []
    for classifier in classifiers:
        if isinstance(classifier.frontend, Residual):
            split = split or classifier.frontend.estimator.split(images)
            scores.append(classifier.net(split[classifier.frontend.low]))
        else:
            scores.append(classifier(images))
    return scores
