"""The model file that the workflow ends with: networks as ONNX, profiles of the targets' files, and measured results. It is
read and run without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from cama.core.errors import CamaError
from cama.jpeg.names import label_of
from cama.jpeg.profile import Profile
from cama.models.sessions import Network
from cama.settings.attacks import Level
from cama.settings.networks import BodySpec, ClassifierNetSpec, GeneratorSpec
from cama.settings.spec import Spec, parse
from cama.storage.model_files import read_model, save_tensors

KIND = "anonymizer"
SMALLEST = 64  # pixels a side of a picture that a classifier can judge: a training patch
GENERATOR, GRADIENTS, JUDGES = "generator", "gradients.", "judges."  # names of networks


class Stream(Spec):
    """One of E's classifiers, or a judge, and the estimator of its front-end."""

    net: ClassifierNetSpec
    estimator: BodySpec | None = None


class Scores(Spec):
    """Measured results: rows of the tables of these names, for this method alone."""

    summary: list[dict[str, Any]] = Field([])
    transfer: list[dict[str, Any]] = Field([])
    per_label: list[dict[str, Any]] = Field([])

    @model_validator(mode="after")
    def _rates(self) -> "Scores":
        for row in self.summary:
            found = row.get("targeted")
            if found is not None and not (isinstance(found, int | float) and 0 <= found <= 1):
                raise ValueError(f"summary: found the targeted success {found!r}, expected 0 to 1")
        return self


class Header(Spec):
    """The header of a model file."""

    kind: Literal["anonymizer"] = KIND
    version: Literal[2] = 2
    name: str
    labels: list[str] = Field(min_length=2, description="the camera models that are its targets")
    generator: GeneratorSpec
    reach: int = Field(ge=0, le=4096, description="how far, in pixels, a change of a picture can change G's")
    psnr: Level = Field(
        0, description="PSNR in dB to which the change of each picture is scaled; 0 leaves it as G makes it"
    )
    refine: int = Field(0, ge=0, le=1000, description="gradient steps on E that go on from G's picture at that PSNR")
    refine_by: list[str] = Field([], description="the classifiers of E by which they go, in turn")
    headroom: float = Field(
        0,
        ge=0,
        le=20,
        description="as in `attack.methods`: dB that any region may have more; 0 leaves G's change where it is",
    )
    evaluators: dict[str, Stream] = Field(min_length=1)
    judges: dict[str, Stream] = Field(
        min_length=1,
        description="classifiers that are asked about a picture, and choose a target where they are held out",
    )
    held_out: bool = Field(description="whether G was not trained with the judges; else they are E's classifiers")
    dataset: str = Field(description="the convention of the photographs: `simulated`, or a data set's")
    photographs: dict[str, int] = Field(description="of each camera model, that it was trained on")
    runs: int = Field(1, description="trainings, over which the scores are means; the first is in the file")
    training: dict[str, Any] = Field({}, description="the spec of G's training")
    profiles: dict[str, Profile] = Field({}, description="how the files of the camera models are built")
    scores: Scores = Scores()
    credits: str = Field("", description="who took the photographs that it was trained on, and under which licences")
    licence: str = Field("", description="under which the file is given away")
    names: dict[str, list[str]] = Field({}, description="other models, in EXIF, that the camera of a label is sold as")
    versions: dict[str, str] = Field({}, description="of the packages that it was made with")
    inputs: dict[str, str] = Field({}, description="SHA-256 of what it was made of")
    card: str = ""

    @model_validator(mode="after")
    def _distinct(self) -> "Header":
        repeated = next((label for label in self.labels if self.labels.count(label) > 1), "")
        if repeated:
            raise ValueError(f"labels: found {repeated!r} more than once, expected each camera once")
        return self

    @model_validator(mode="after")
    def _refined_at_a_level(self) -> "Header":
        for name in ("refine", "headroom"):
            if getattr(self, name) and not self.psnr:
                raise ValueError(f"{name}: found {getattr(self, name):g} and no psnr, expected both")
        if bool(self.refine) != bool(self.refine_by) or not set(self.refine_by) <= set(self.evaluators):
            named = ", ".join(self.refine_by) or "none"
            raise ValueError(
                f"refine_by: found {named} for {self.refine} steps, expected some of {', '.join(self.evaluators)}"
            )
        return self

    def target_of(self, make: str, model: str) -> str:
        """The target that is this camera, by any name that it is known by and however that is spelt; empty where none is."""
        known = {}
        for label in self.labels:
            maker, _, name = label.partition("_")
            known[label] = [(maker, name), *((maker, other) for other in self.names.get(label, []))]
            if label in self.profiles:
                camera = self.profiles[label].camera
                known[label].append((camera.make, camera.model))
        return label_of(known, make, model)

    @property
    def simulated(self) -> bool:
        """Whether its camera models are simulated."""
        return self.dataset == "simulated"


@dataclass(frozen=True)
class Anonymizer:
    """A model file: its networks, by the names of the header's classifiers, and the header. There are `gradients` where its
    pictures are refined.
    """

    generator: Network
    gradients: dict[str, Network]
    judges: dict[str, Network]
    header: Header


def save_anonymizer(path: Path, networks: Mapping[str, bytes], header: Header) -> None:
    """Write a model file, once it is certain that it can be read again. `networks`: ONNX, G as `generator`, the gradients of
    E's classifiers as `gradients.NAME`, and judges as `judges.NAME`.
    """
    tensors = {name: np.frombuffer(data, np.uint8) for name, data in networks.items()}
    _try(_opened(tensors, header, path))
    save_tensors(path, tensors, header.model_dump(mode="json"))


def load_anonymizer(path: Path) -> Anonymizer:
    """Read a model file."""
    tensors, header = read_model(path, KIND)
    return _opened(tensors, parse(Header, header, str(path)), path)


def read_network(path: Path, name: str) -> tuple[bytes, Header]:
    """The ONNX of one of a model file's networks, and the file's header."""
    tensors, header = read_model(path, KIND)
    if name not in tensors:
        raise CamaError(f"{path}: found no network {name}, expected one of {', '.join(tensors)}")
    return tensors[name].tobytes(), parse(Header, header, str(path))


def load_header(path: Path) -> Header:
    """The header of a model file, without its networks."""
    return parse(Header, read_model(path, KIND)[1], str(path))


def _try(anonymizer: Anonymizer) -> None:
    """Run each network on a small picture."""
    picture, label = np.zeros((1, 3, SMALLEST, SMALLEST), np.float32), np.zeros(1, np.int64)
    for network in (anonymizer.generator, *anonymizer.gradients.values()):
        network(picture, label)
    for judge in anonymizer.judges.values():
        judge(picture)


def _opened(tensors: Mapping[str, np.ndarray], header: Header, path: Path) -> Anonymizer:
    count = len(header.labels)
    names = {
        GENERATOR: (("images", "labels"), "changed", 0),
        **{GRADIENTS + name: (("images", "target"), "gradient", 0) for name in header.refine_by},
        **{JUDGES + name: (("images",), "scores", count) for name in header.judges},
    }
    if set(names) != set(tensors):
        raise CamaError(f"{path}: found the networks {', '.join(sorted(tensors))}, expected {', '.join(sorted(names))}")
    networks = {
        name: Network(tensors[name].tobytes(), inputs, output, f"{path}: {name}", columns)
        for name, (inputs, output, columns) in names.items()
    }

    def of(prefix: str) -> dict[str, Network]:
        # in the order of the header, since gradient steps go by them in turn
        return {name.removeprefix(prefix): network for name, network in networks.items() if name.startswith(prefix)}

    return Anonymizer(networks[GENERATOR], of(GRADIENTS), of(JUDGES), header)
