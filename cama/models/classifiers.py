"""Camera model classifiers: a front-end and an architecture, each from a registry. F, E_H and E_L are all of this kind; an F
may also be no network, and is used like one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from cama import plugins
from cama.compute.device import Compute
from cama.models.estimator import Estimator
from cama.models.frontends import build_frontend
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.linear import LinearModel
from cama.models.padding import is_traced
from cama.settings.networks import BodySpec, ClassifierNetSpec
from cama.settings.spec import parse
from cama.storage.model_files import read_model
from cama.storage.weights import load_weights, save_model


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a projected shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.stride = stride
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        # not by the stride of the 1 x 1 convolution: on processors with AVX2 alone the gradients of oneDNN 3.13 then write
        # beyond their memory where `inputs` is no multiple of 8
        projection, norm = self.shortcut
        if is_traced():
            projected = F.conv2d(x, projection.weight, projection.bias, self.stride)  # quicker in other programs
        else:
            projected = projection(x[..., :: self.stride, :: self.stride])
        return (self.body(x) + norm(projected)).relu()


def small(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
    """A ResNet of three blocks for two CPU cores: (N, channels, H, W) to logits (N, classes)."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, 1, 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        BasicBlock(width, 2 * width, 2),
        BasicBlock(2 * width, 4 * width, 2),
        BasicBlock(4 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, classes),
    )


def _torchvision(name: str, classes: int) -> nn.Module:
    import torchvision  # takes seconds to import, and the small net does not need it

    return getattr(torchvision.models, name)(num_classes=classes)


def _resnet(name: str) -> Callable[..., nn.Module]:
    def adapted(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
        net = _torchvision(name, classes)
        # for 64x64 inputs: keep the resolution that the ImageNet stem would throw away
        net.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
        net.fc = nn.Sequential(nn.Dropout(dropout), net.fc)
        return net

    return adapted


def _vgg(name: str) -> Callable[..., nn.Module]:
    def adapted(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
        net = _torchvision(name, classes)
        net.features[0] = nn.Conv2d(channels, 64, 3, 1, 1)
        net.avgpool = nn.AdaptiveAvgPool2d(1)
        net.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(512, classes))
        return net

    return adapted


def _densenet(layers: int) -> Callable[..., nn.Module]:
    """DenseNet-BC with growth 12 in three blocks of `layers` bottlenecks (Huang et al. 2017)."""

    def adapted(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
        import torchvision

        net = torchvision.models.DenseNet(12, (layers,) * 3, 24, num_classes=classes)
        net.features.conv0 = nn.Conv2d(channels, 24, 3, 1, 1, bias=False)
        net.features.norm0 = net.features.relu0 = net.features.pool0 = nn.Identity()
        net.classifier = nn.Sequential(nn.Dropout(dropout), net.classifier)
        return net

    return adapted


def mislnet(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
    """The network behind the constrained layer of MISLnet (Bayar and Stamm 2018), globally pooled before its dense layers.

    Edges are repeated, not filled with zeros: a patch has a larger share of edges than a crop has, and what is trained on
    patches with zeros around them is wrong about crops. The highest of a window is found before the tanh, which keeps it the
    highest and then has a quarter of the values to compute.
    """

    def stage(inputs: int, outputs: int, kernel: int, stride: int, *last: nn.Module) -> list[nn.Module]:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="replicate")
        return [conv, nn.BatchNorm2d(outputs), *last]

    return nn.Sequential(
        *stage(channels, 96, 7, 2, nn.MaxPool2d(3, 2, 1), nn.Tanh()),
        *stage(96, 64, 5, 1, nn.MaxPool2d(3, 2, 1), nn.Tanh()),
        *stage(64, 64, 5, 1, nn.MaxPool2d(3, 2, 1), nn.Tanh()),
        *stage(64, 128, 1, 1, nn.Tanh(), nn.AdaptiveAvgPool2d(1)),
        nn.Flatten(),
        nn.Linear(128, 200),
        nn.Tanh(),
        nn.Dropout(dropout),
        nn.Linear(200, 200),
        nn.Tanh(),
        nn.Linear(200, classes),
    )


def convnext(channels: int, classes: int, dropout: float, width: int) -> nn.Module:
    """A small ConvNeXt (Liu et al. 2022) of three stages for 64x64 inputs."""
    from torchvision.models import ConvNeXt
    from torchvision.models.convnext import CNBlockConfig

    stages = [CNBlockConfig(32, 64, 1), CNBlockConfig(64, 128, 1), CNBlockConfig(128, None, 2)]
    net = ConvNeXt(stages, stochastic_depth_prob=0.0, num_classes=classes)
    net.features[0][0] = nn.Conv2d(channels, 32, 2, 2)  # the ImageNet stem would keep a quarter of each side
    net.classifier[2] = nn.Sequential(nn.Dropout(dropout), net.classifier[2])
    return net


_BUILTIN: dict[str, Callable[..., nn.Module]] = {
    "small": small,
    "resnet18": _resnet("resnet18"),
    "resnet34": _resnet("resnet34"),
    "resnet50": _resnet("resnet50"),
    "vgg11": _vgg("vgg11_bn"),
    "vgg13": _vgg("vgg13_bn"),
    "vgg16": _vgg("vgg16_bn"),
    "vgg19": _vgg("vgg19_bn"),
    "densenet40": _densenet(6),  # (40 - 4) / 3 / 2 layers a block
    "densenet100": _densenet(16),
    "mislnet": mislnet,
    "convnext": convnext,
}
ARCHITECTURES = plugins.Registry(plugins.ARCHITECTURES, _BUILTIN)


class Classifier(nn.Module):
    """Logits over camera models. Convolutional and globally pooled: takes patches and whole crops alike."""

    def __init__(self, classes: int, spec: ClassifierNetSpec, estimator: Estimator | None = None) -> None:
        super().__init__()
        self.frontend = build_frontend(spec.frontend, estimator)
        if spec.non_neural:
            self.net: nn.Module = LinearModel(classes, spec.architecture)
            return
        build = ARCHITECTURES[spec.architecture]
        self.net = build(self.frontend.channels, classes, spec.dropout, spec.width)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to logits (N, classes)."""
        return self.net(self.frontend(images))


def save_classifier(
    path: Path, classifier: Classifier, net: ClassifierNetSpec, labels: tuple[str, ...], extra: dict[str, Any]
) -> None:
    """Write F, E_H or E_L, with the estimator that its front-end holds, if any."""
    estimator = getattr(classifier.frontend, "estimator", None)
    header = {
        "kind": "classifier",
        "net": net.model_dump(),
        "labels": list(labels),
        "estimator": estimator.spec.model_dump() if estimator is not None else None,
    }
    save_model(path, classifier, {**header, **extra})


def load_classifier(path: Path) -> tuple[Classifier, tuple[str, ...]]:
    """Read a classifier, in evaluation mode, and its labels."""
    state, header = read_model(path, "classifier")
    estimator = parse(BodySpec, header["estimator"], str(path)) if header["estimator"] else None
    labels, net = tuple(header["labels"]), parse(ClassifierNetSpec, header["net"], str(path))
    return restore_classifier(state, net, estimator, labels, path), labels


def load_predictor(path: Path, compute: Compute) -> tuple[Classifier, tuple[str, ...]]:
    """As `load_classifier`, of one that is only asked: on the device of `compute`, with its batch norms folded."""
    classifier, labels = load_classifier(path)
    return compute.to_device(fuse_batch_norms_(classifier)), labels


def restore_classifier(
    state: Mapping[str, np.ndarray],
    net: ClassifierNetSpec,
    estimator: BodySpec | None,
    labels: tuple[str, ...],
    path: Path,
) -> Classifier:
    """A classifier, in evaluation mode, with the weights `state` from the file `path`; `estimator` is that of its front-end."""
    return load_weights(lambda: Classifier(len(labels), net, Estimator(estimator) if estimator else None), state, path)
