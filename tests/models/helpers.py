"""Small networks that the tests of the models share."""

import torch

from cama.models.classifiers import Classifier
from cama.models.estimator import Estimator
from cama.settings.networks import WITH_ESTIMATOR, BodySpec, ClassifierNetSpec

TINY_BODY = BodySpec(features=4, downsamplings=0, blocks=1, kernel=3)


def pictures(count: int = 2, side: int = 32, seed: int = 0) -> torch.Tensor:
    """Random images (count, 3, side, side) in [-1, 1]."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def shake(module: torch.nn.Module, size: float = 0.1, seed: int = 0) -> torch.nn.Module:
    """Move every parameter a little, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return module


def tiny_estimator(seed: int = 0, scale: float = 0.25) -> Estimator:
    """An E0 whose estimates are not negligible, and whose scale is not one."""
    torch.manual_seed(seed)
    estimator = shake(Estimator(TINY_BODY), 0.2, seed)
    estimator.scale.fill_(scale)
    return estimator


def tiny_classifier(frontend: str, classes: int = 3, estimator: Estimator | None = None, **net: object) -> Classifier:
    """A small classifier; the front-ends that need an estimator get one."""
    if estimator is None and frontend in WITH_ESTIMATOR:
        estimator = tiny_estimator()
    torch.manual_seed(1)
    return Classifier(classes, net_spec(frontend, **net), estimator)


def net_spec(frontend: str, **net: object) -> ClassifierNetSpec:
    """The spec of `tiny_classifier`."""
    return ClassifierNetSpec(frontend=frontend, **{"architecture": "small", "width": 4, **net})


def on_constraint(weight: torch.Tensor) -> bool:
    """Whether in every 5x5 slice the centre is -1 and the rest sums to 1."""
    rest = weight.sum((2, 3)) - weight[:, :, 2, 2]
    return bool((weight[:, :, 2, 2] == -1).all() and torch.allclose(rest, torch.ones_like(rest), atol=1e-4))
