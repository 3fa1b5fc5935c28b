"""A mixture of generators and a linear filter: their changes of a picture, weighted for each target and added. And what reads
a generator or a mixture from a file.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from cama.models.colour_filters import filter_channels
from cama.models.generator import Generator
from cama.settings.networks import GeneratorSpec, MixtureNetSpec
from cama.settings.spec import parse
from cama.storage.model_files import load_weights, read_model


class Mixture(nn.Module):
    """Fixed generators, and for each target a filter of Y, Cb and Cr, whose changes are added with weights of the target.

    It is used like a generator: images and target labels to images.
    """

    def __init__(self, classes: int, spec: MixtureNetSpec) -> None:
        super().__init__()
        self.members = nn.ModuleList(Generator(classes, member) for member in spec.members)
        self.register_buffer("kernels", torch.zeros(classes, 3, spec.taps, spec.taps))  # of Y, Cb and Cr
        self.register_buffer("weights", torch.zeros(classes, len(spec.members) + 1))  # the last is the filter's

    def changes(self, images: Tensor, labels: Tensor) -> list[Tensor]:
        """What each member and last the filter changes, unweighted: (N, 3, H, W) each."""
        changed = [member(images, labels) for member in self.members]
        return [one.float() - images for one in (*changed, filter_channels(images, self.kernels[labels]))]

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] and target labels (N,) to images (N, 3, H, W), float32."""
        weights = self.weights[labels]
        changes = zip(weights.unbind(1), self.changes(images, labels), strict=True)
        return images + sum(weight[:, None, None, None] * change for weight, change in changes)


def load_generator(path: Path) -> tuple[Generator | Mixture, GeneratorSpec | MixtureNetSpec, tuple[str, ...]]:
    """Read a generator or a mixture, in evaluation mode, what it was built from, and its labels."""
    state, header = read_model(path, "generator")
    kind = MixtureNetSpec if "members" in header["net"] else GeneratorSpec
    spec, labels = parse(kind, header["net"], str(path)), tuple(header["labels"])
    return restore_generator(state, spec, labels, path), spec, labels


def restore_generator(
    state: dict[str, Tensor], spec: GeneratorSpec | MixtureNetSpec, labels: tuple[str, ...], path: Path
) -> Generator | Mixture:
    """A generator or a mixture, in evaluation mode, with the weights `state` from the file `path`."""
    kind = Mixture if isinstance(spec, MixtureNetSpec) else Generator
    return load_weights(lambda: kind(len(labels), spec), state, path)
