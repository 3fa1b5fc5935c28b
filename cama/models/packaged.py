"""The model file that the workflow ends with: G, E, profiles of the targets' files, and measured results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from cama.core.errors import CamaError
from cama.jpeg.names import same_camera
from cama.jpeg.profile import Profile
from cama.models.classifiers import Classifier, restore_classifier
from cama.models.evaluator import Evaluator
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator, restore_generator
from cama.settings.attacks import Level
from cama.settings.networks import BodySpec, ClassifierNetSpec, GeneratorSpec
from cama.settings.spec import Spec, parse
from cama.storage.model_files import read_model, save_tensors

KIND = "anonymizer"
GENERATOR, EVALUATORS, JUDGES = "generator.", "evaluators.", "judges."


class Stream(Spec):
    """One of E's classifiers, and the estimator of its front-end."""

    net: ClassifierNetSpec
    estimator: BodySpec | None = None


class Scores(Spec):
    """Measured results: rows of the tables of these names, for this method alone."""

    summary: list[dict[str, Any]] = Field([])
    transfer: list[dict[str, Any]] = Field([])
    per_label: list[dict[str, Any]] = Field([])


class Header(Spec):
    """The header of a model file."""

    kind: Literal["anonymizer"] = KIND
    version: Literal[1] = 1
    name: str
    labels: list[str] = Field(min_length=2, description="the camera models that are its targets")
    generator: GeneratorSpec
    psnr: Level = Field(
        0, description="PSNR in dB to which the change of each picture is scaled; 0 leaves it as G makes it"
    )
    refine: int = Field(0, ge=0, description="gradient steps on E that go on from G's picture at that PSNR")
    evaluators: dict[str, Stream] = Field(min_length=1)
    judges: dict[str, Stream] = Field({}, description="classifiers that G was not trained with, which choose a target")
    dataset: str = Field(description="the convention of the photographs: `simulated`, or a data set's")
    photographs: dict[str, int] = Field(description="of each camera model, that it was trained on")
    runs: int = Field(1, description="trainings, over which the scores are means; the first is in the file")
    training: dict[str, Any] = Field({}, description="the spec of G's training")
    profiles: dict[str, Profile] = Field({}, description="how the files of the camera models are built")
    scores: Scores = Scores()
    credits: str = Field("", description="who took the photographs that it was trained on, and under which licences")
    licence: str = Field("", description="under which the file is given away")
    versions: dict[str, str] = Field({}, description="of the packages that it was made with")
    inputs: dict[str, str] = Field({}, description="SHA-256 of what it was made of")
    card: str = ""

    @model_validator(mode="after")
    def _refined_at_a_level(self) -> "Header":
        if self.refine and not self.psnr:
            raise ValueError(f"refine: found {self.refine} and no psnr, expected both")
        return self

    def target_of(self, make: str, model: str) -> str:
        """The target that is this camera, however its name is spelt; empty where none is."""
        wanted = same_camera(make, model)
        for label in self.labels:
            spelt = [tuple(label.split("_", 1))]
            if label in self.profiles:
                camera = self.profiles[label].camera
                spelt.append((camera.make, camera.model))
            if wanted in [same_camera(*names) for names in spelt if len(names) == 2]:
                return label
        return ""

    @property
    def simulated(self) -> bool:
        """Whether its camera models are simulated."""
        return self.dataset == "simulated"


@dataclass(frozen=True)
class Anonymizer:
    """A model file's networks, in evaluation mode, and its header."""

    generator: Generator
    evaluator: Evaluator
    judges: tuple[Classifier, ...]
    header: Header


def read_parts(
    generator: Path, evaluators: Mapping[str, Path], judges: Mapping[str, Path] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a generator, of E's classifiers and of judges by name, and the keys `labels`, `generator`, `training`,
    `evaluators` and `judges` of a header, from their own model files.
    """
    state, own = read_model(generator, "generator")
    tensors = {GENERATOR + name: value for name, value in state.items()}
    streams: dict[str, dict[str, Any]] = {EVALUATORS: {}, JUDGES: {}}
    for prefix, name, path in (
        *((EVALUATORS, *one) for one in evaluators.items()),
        *((JUDGES, *one) for one in (judges or {}).items()),
    ):
        state, header = read_model(path, "classifier")
        if header["labels"] != own["labels"]:
            raise CamaError(f"{path}: found the labels {header['labels']}, expected {own['labels']} as in {generator}")
        tensors |= {f"{prefix}{name}.{key}": value for key, value in state.items()}
        streams[prefix][name] = {"net": header["net"], "estimator": header["estimator"]}
    keys = {"labels": own["labels"], "generator": own["net"], "training": own.get("spec", {})}
    return tensors, {**keys, "evaluators": streams[EVALUATORS], "judges": streams[JUDGES]}


def save_anonymizer(path: Path, tensors: dict[str, Tensor], header: Header) -> None:
    """Write the model file from the tensors of `read_parts`, once it is certain that it can be read again."""
    _restore(tensors, header, path)
    save_tensors(path, tensors, header.model_dump(mode="json"))


def load_anonymizer(path: Path) -> Anonymizer:
    """Read a model file."""
    state, header = read_model(path, KIND)
    return _restore(state, parse(Header, header, str(path)), path)


def load_header(path: Path) -> Header:
    """The header of a model file, without its networks."""
    return parse(Header, read_model(path, KIND)[1], str(path))


def _restore(tensors: dict[str, Tensor], header: Header, path: Path) -> Anonymizer:
    labels = tuple(header.labels)

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    generator = restore_generator(part(GENERATOR), header.generator, labels, path)
    streams, judges = (
        {
            name: restore_classifier(part(f"{prefix}{name}."), stream.net, stream.estimator, labels, path)
            for name, stream in of.items()
        }
        for prefix, of in ((EVALUATORS, header.evaluators), (JUDGES, header.judges))
    )
    return Anonymizer(generator, Evaluator(streams), tuple(map(fuse_batch_norms_, judges.values())), header)
