"""Settings of the adversary, of the examiner, and of the detectors."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cama.core.names import NUMBERS
from cama.settings.spec import Named, Spec, plain_names, without_null
from cama.settings.training import (
    ClassifierSpec,
    DenoiserSpec,
    EstimatorSpec,
    InformedSpec,
    RepeatedSpec,
    TargetSpec,
)


class ExaminerSpec(Spec):
    """The opponent: its own estimator and its target classifiers F."""

    phase: Literal["", "aligned", "random"] = Field(
        "",
        description="phase of the crops that F and the examiner's estimator train on, and of the test crops; empty for"
        " `patches.phase`",
    )
    estimator: EstimatorSpec = EstimatorSpec()
    classifiers: Named[TargetSpec] = Field({}, description="target classifiers F by name")
    informed: Named[InformedSpec] = Field(
        {}, description="target classifiers that have trained on attacked pictures, by name; they are in no mean"
    )
    judges: Annotated[dict[str, str], BeforeValidator(without_null), AfterValidator(plain_names)] = Field(
        {}, description="YAML files of judges, which others trained, by name; they are in no mean"
    )


class AdversarySpec(Spec):
    """The attacker: E0, the denoiser, the classifiers of E, and the generators."""

    phase: Literal["", "aligned", "random"] = Field(
        "", description="phase of the crops that E0, E, G, D and detectors train on; empty for `patches.phase`"
    )
    estimator: EstimatorSpec = EstimatorSpec()
    denoiser: DenoiserSpec = DenoiserSpec()
    evaluators: Named[ClassifierSpec] = Field({}, description="classifiers of E by name")
    generators: Named[RepeatedSpec] = Field({}, description="trained attacks by name")
    start: str = Field(
        "",
        pattern=r"^[^{}<>*?\[\]\x00-\x1f]*$",
        description="results folder of another run: the adversary's networks begin as that run's networks of the same names;"
        " empty for none",
    )
    threads: int = Field(
        1,
        ge=1,
        description="threads of each generator's training; results depend on it; more are"
        " faster where nothing else is to be done meanwhile",
    )


class DetectionSpec(Spec):
    """Detectors of attacked pictures, and the comparison of attacked pictures with device fingerprints."""

    methods: tuple[str, ...] = Field(
        (), description="methods whose pictures, as they are delivered, detectors learn to detect, each its own"
    )
    detectors: Named[ClassifierSpec] = Field(
        {}, description=f"detectors by name, beside `{NUMBERS}`: a logistic regression of 35 numbers of a picture"
    )
    photographs: int = Field(
        400,
        ge=0,
        description="most of the examiner's photographs that detectors learn from, each once untouched and once attacked;"
        " 0 for all",
    )
    devices: tuple[str, ...] = Field((), description="methods whose pictures are compared with device fingerprints")
