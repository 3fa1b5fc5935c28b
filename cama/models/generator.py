"""The generator G, and G as a file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cama.compute.tensors import single_precision
from cama.jpeg.differentiable import TO_YCC
from cama.models.body import build_body, label_maps
from cama.models.colour_filters import FROM_YCC, filter_channels, filter_each
from cama.models.padding import reflect
from cama.settings.networks import GeneratorSpec
from cama.settings.spec import parse
from cama.storage.model_files import read_model
from cama.storage.weights import load_weights, save_model

MATCHED_TAPS = 31  # a side of the matched filter, which reaches less far than the smallest picture, 16 pixels, is wide
DEMOSAICING_REACH = 16  # pixels from which Menon's demosaicing may take a pixel
FIRST_TAPS = 0.002  # standard deviation of a filter's taps before it is trained: nearly no change


class Generator(nn.Module):
    """G: an image and a target label to an image that looks the same.

    `output: direct` ends in tanh and gives the picture (the paper); `output: residual` adds its output to its input and begins
    as the identity, with `detail` without what a blur leaves of that output. `output: filters` adds what small linear filters
    of the target make of its input, mixed at each pixel in shares that its body gives (basis prediction: Xia et al. 2020); the
    filters have no mean, so that colour and brightness of areas stay. With `matched` the picture first passes a fixed filter of
    the target; the buffer `matched` is that filter less the identity. `label: maps` gives the target beside the image (the
    paper), `modulation` in every norm.
    """

    def __init__(self, classes: int, spec: GeneratorSpec) -> None:
        super().__init__()
        self.output, self.detail = spec.output, spec.detail
        modulated = spec.label == "modulation"
        self.maps = 0 if modulated else classes
        outputs = spec.filters if spec.output == "filters" else 3
        self.body = build_body(3 + self.maps, outputs, spec, classes if modulated else 0)
        if spec.output == "residual":
            nn.init.zeros_(self.body[-1].weight)
        self.matching = spec.matched
        self.filtering = spec.matched or spec.output == "filters"
        if spec.matched:
            self.register_buffer("matched", torch.zeros(classes, 3, MATCHED_TAPS, MATCHED_TAPS))  # of Y, Cb and Cr
            self.register_buffer("to_ycc", TO_YCC.clone(), persistent=False)
            self.register_buffer("from_ycc", FROM_YCC.clone(), persistent=False)
        if spec.output == "filters":
            self.filters = nn.Parameter(FIRST_TAPS * torch.randn(classes, spec.filters, 3, 3, spec.taps, spec.taps))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] and target labels (N,) to images (N, 3, H, W)."""
        if self.matching:
            images = images + filter_channels(images, self.matched[labels], self.to_ycc, self.from_ycc)
        features = self.body[1:-1](self._first(images, labels), labels)
        if self.training:
            change = self.body[-1](features)
        else:  # bfloat16 has fewer steps from -1 to 1 than a byte has: enough for a gradient, too few for a picture
            with single_precision(features):
                change = self.body[-1](features.float())
        if self.output == "filters":
            return images + self._filtered(images, change, labels)
        if self.detail:
            change = change.float() - blurred(change.float(), self.detail)
        return images + change if self.output == "residual" else torch.tanh(change)

    def _first(self, images: Tensor, labels: Tensor) -> Tensor:
        """The first convolution of images (N, 3, H, W) and the maps of labels (N,)."""
        first = self.body[0]
        if not self.maps:
            return first(images)
        if (
            torch.compiler.is_exporting()
        ):  # a map is the same everywhere, and so is what it adds, mirrored at the borders
            added = first.weight[:, 3:].sum((-2, -1)).T[labels]
            own = F.conv2d(reflect(images, first.reflected), first.weight[:, :3], first.bias)
            return own + added[..., None, None]
        return first(torch.cat([images, label_maps(labels, self.maps, *images.shape[-2:]).to(images)], dim=1))

    def _filtered(self, images: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """What the filters of the labels (N,) make of images (N, 3, H, W), mixed by the softmax of scores (N, K, H, W)."""
        with single_precision(images):
            shares = scores.float().softmax(1)
            filters = (self.filters - self.filters.mean((-2, -1), keepdim=True))[labels].flatten(1, 2)
            each = filter_each(images, filters)
            return (shares.unsqueeze(2) * each.unflatten(1, (-1, 3))).sum(1)


def blur_radius(sigma: float) -> int:
    """How far, in pixels, `blurred` reaches."""
    return math.ceil(3 * sigma)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Images (N, 3, H, W), float32, after a Gaussian blur; pixels at the border are repeated."""
    radius = blur_radius(sigma)
    weights = torch.exp(-torch.arange(-radius, radius + 1, device=images.device).square() / (2 * sigma**2))
    weights = (weights / weights.sum()).expand(3, 1, 1, -1)
    with single_precision(images):
        rows = F.conv2d(F.pad(images, (radius, radius, 0, 0), mode="replicate"), weights, groups=3)
        return F.conv2d(F.pad(rows, (0, 0, radius, radius), mode="replicate"), weights.transpose(2, 3), groups=3)


def reach(spec: GeneratorSpec) -> int:
    """How far, in pixels, a change of the input can change G's output."""
    down = sum(2**level for level in range(spec.downsamplings))
    inner = 2 * spec.blocks * 2**spec.downsamplings
    own = 2 * (spec.kernel // 2) + 2 * down + inner + 2**spec.downsamplings
    own += blur_radius(spec.detail)
    if spec.output == "filters":
        own = max(own, spec.taps // 2)
    own += MATCHED_TAPS // 2 if spec.matched else 0
    return own + (DEMOSAICING_REACH if spec.input == "remosaic" else 0)


def save_generator(
    path: Path,
    generator: nn.Module,
    spec: GeneratorSpec,
    labels: tuple[str, ...],
    extra: dict[str, Any],
) -> None:
    """Write G. `extra` goes to the header too: spec, inputs."""
    save_model(path, generator, {"kind": "generator", "net": spec.model_dump(), "labels": list(labels), **extra})


def load_generator(path: Path) -> tuple[Generator, GeneratorSpec, tuple[str, ...]]:
    """Read G, in evaluation mode, what it was built from, and its labels."""
    state, header = read_model(path, "generator")
    spec, labels = parse(GeneratorSpec, header["net"], str(path)), tuple(header["labels"])
    return restore_generator(state, spec, labels, path), spec, labels


def restore_generator(
    state: Mapping[str, np.ndarray], spec: GeneratorSpec, labels: tuple[str, ...], path: Path
) -> Generator:
    """G, in evaluation mode, with the weights `state` from the file `path`."""
    return load_weights(lambda: Generator(len(labels), spec), state, path)
