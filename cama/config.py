"""Strict, frozen specs: what a person may set, with defaults and meaning. Unknown keys name the nearest known one.

`Config` is `config.yaml`. Each stage takes one spec, cut from the config by `stage_spec`, and nothing else, so that a
change reruns exactly the stages that it concerns. This module counts as no stage's code: all that it decides reaches a
stage through the values of its spec.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cama.errors import CamaError
from cama.grid import PHASES
from cama.seeds import derive_seed

FRONTEND_NAMES = ("rgb", "con_conv", "finite_difference", "fixed_hpf", "prnu_lp", "prnu_lp_low")
ARCHITECTURE_NAMES = ("small", "resnet18", "resnet34", "resnet50", "vgg11", "vgg13", "vgg16", "vgg19")
METHODS = ("identity", "jpeg", "median", "remosaic", "cama", "oracle")
Role = Literal["adversary", "examiner", "test", "examiner_outdist", "test_outdist"]


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"found {value}, expected an odd number")
    return value


Odd = Annotated[int, AfterValidator(_odd)]


class Spec(BaseModel):
    """A frozen block of settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> str:
        """One string with sorted keys: what a rule passes, and what Snakemake compares."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


# ---- networks -------------------------------------------------------------------------------------------------------


class BodySpec(Spec):
    """An image-to-image network."""

    features: int = Field(64, ge=1, description="features after the first convolution")
    downsamplings: int = Field(2, ge=0, description="stride-2 convolutions, each doubling the features")
    blocks: int = Field(2, ge=0, description="residual blocks")
    kernel: Odd = Field(7, ge=1, description="size of the first and last convolution, odd")


class GeneratorSpec(BodySpec):
    """G."""

    output: Literal["direct", "residual"] = Field("direct", description="give the picture (tanh), or add to the input")
    input: Literal["rgb", "remosaic"] = Field("remosaic", description="what G sees of the photograph")


class DiscriminatorSpec(Spec):
    """D."""

    frontend: Literal["rgb", "con_conv", "finite_difference", "fixed_hpf"] = Field("con_conv", description="its signal")
    kind: Literal["patch", "pixel"] = Field("patch", description="4x4 kernels, or 1x1")
    features: int = Field(64, ge=1, description="features after the first convolution")
    layers: int = Field(2, ge=1, description="further layers")


class ClassifierNetSpec(Spec):
    """A classifier's network."""

    frontend: Literal[FRONTEND_NAMES] = Field("rgb", description="the signal it sees")
    architecture: Literal[ARCHITECTURE_NAMES] = Field("resnet18", description=f"one of {', '.join(ARCHITECTURE_NAMES)}")
    dropout: float = Field(0.5, ge=0, lt=1, description="before the last layer")
    width: int = Field(16, ge=1, description="features at the first layer (`small` only)")


# ---- training -------------------------------------------------------------------------------------------------------


class OptimiserSpec(Spec):
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw"] = Field("adam", description="SGD has Nesterov momentum `beta1`")
    rate: float = Field(2e-4, gt=0, allow_inf_nan=False, description="learning rate; with `one_cycle` its peak")
    beta1: float = Field(0.9, ge=0, lt=1, description="first moment, or momentum")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty (decoupled with adamw)")
    schedule: Literal["constant", "steps", "one_cycle"] = Field(
        "constant", description="`steps` divides by 10 at half and at three quarters of the training"
    )


class TrainingSpec(Spec):
    """A training's length."""

    steps: int = Field(105_469, ge=1, description="updates")
    batch: int = Field(128, ge=2, description="patches an update")


class ComputeSpec(Spec):
    """Where and how precisely networks compute."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes the GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` takes bfloat16 where the processor has it"
    )


class EstimatorSpec(Spec):
    """Training of E0."""

    net: BodySpec = BodySpec()
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(rate=1e-3, weight_decay=5e-4)


class ClassifierSpec(Spec):
    """Training of a classifier: of F, E_H or E_L."""

    net: ClassifierNetSpec = ClassifierNetSpec()
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(name="sgd", rate=0.1, weight_decay=5e-4, schedule="steps")


class CamaWeights(Spec):
    """Weights of G's losses."""

    adversarial: float = Field(1.0, ge=0, description="of D")
    pixel: float = Field(10.0, ge=0, description="of the L1 distance")
    evaluator: float = Field(0.01, ge=0, description="of E, half for each stream")


class CamaSpec(Spec):
    """Training of G and D."""

    generator: GeneratorSpec = GeneratorSpec()
    discriminator: DiscriminatorSpec = DiscriminatorSpec()
    weights: CamaWeights = CamaWeights()
    training: TrainingSpec = TrainingSpec(steps=234_375)
    generator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)
    discriminator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)


# ---- data -----------------------------------------------------------------------------------------------------------


class DatasetSpec(Spec):
    """Which photographs."""

    kind: Literal["simulated", "dresden"] = Field("simulated", description="simulated cameras, or a folder of JPEGs")
    root: str = Field("", description="the folder, searched with its subfolders (`dresden`)")
    broken: Literal["error", "skip"] = Field("error", description="what to do with a photograph that cannot be read")


class ModelsSpec(Spec):
    """Camera models, by name (`Make_Model`), in the order of their labels."""

    in_distribution: tuple[str, ...] = Field((), description="models that G knows and aims at")
    out_of_distribution: tuple[str, ...] = Field((), description="models that G does not know")

    @model_validator(mode="after")
    def _distinct(self) -> "ModelsSpec":
        names = self.in_distribution + self.out_of_distribution
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"found {repeated[0]!r} more than once, expected each camera model once")
        for name in names:
            if not all(name.partition("_")[::2]) or "/" in name:
                raise ValueError(f"found the name {name!r}, expected Make_Model as in file names")
        if len(self.in_distribution) < 2:
            raise ValueError(f"found {len(self.in_distribution)} models in_distribution, expected at least 2")
        return self


class SimulationSpec(Spec):
    """The simulated cameras."""

    catalogue_seed: int = Field(1, ge=0, description="draws the camera models")
    width: int = Field(640, ge=64, multiple_of=16, description="pixels")
    height: int = Field(640, ge=64, multiple_of=16, description="pixels")
    devices_in: int = Field(5, ge=1, description="devices of each in-distribution model")
    devices_out: int = Field(3, ge=1, description="devices of each out-of-distribution model")
    photographs: int = Field(40, ge=1, description="of each in-distribution device, tests included")
    photographs_outdist: int = Field(12, ge=1, description="of each out-of-distribution device that trains")


class DevicesIn(Spec):
    """Devices of in-distribution models."""

    adversary: tuple[int, ...] = Field((0, 1), min_length=1, description="devices whose photographs the adversary owns")
    examiner: tuple[int, ...] = Field((2, 3), min_length=1, description="devices whose photographs the examiner owns")
    test: tuple[int, ...] = Field((4,), min_length=1, description="devices whose photographs are attacked")


class DevicesOut(Spec):
    """Devices of out-of-distribution models."""

    examiner: tuple[int, ...] = Field((0, 1), description="for the examiner's expanded label set")
    test: tuple[int, ...] = Field((2,), min_length=1, description="devices whose photographs are attacked")


class SplitSpec(Spec):
    """Who owns which photographs."""

    policy: Literal["device", "device+scene", "image"] = Field(
        "device", description="what no two roles may share; `image` lets a device named twice divide its photographs"
    )
    in_distribution: DevicesIn = DevicesIn()
    out_of_distribution: DevicesOut = DevicesOut()
    validation: float = Field(0.1, ge=0, lt=1, description="share of a training role's photographs held out")


class PatchesSpec(Spec):
    """What is cut from a photograph."""

    size: int = Field(64, ge=16, description="side of a training patch")
    crop: int = Field(
        512,
        multiple_of=PHASES,
        gt=0,
        description="side of a crop; patches lie on its grid, tests are scored on it whole",
    )
    crops: int = Field(1, ge=1, description="crops a photograph, at most, on a centred grid")
    phase: Literal["aligned", "random"] = Field(
        "aligned", description="crop origins on multiples of 16 pixels, or anywhere"
    )


# ---- attack, evaluation, report -------------------------------------------------------------------------------------


class AttackSpec(Spec):
    """What is attacked, and the strengths of the classical attacks."""

    methods: tuple[Literal[METHODS], ...] = Field(METHODS, description="`oracle` needs simulated cameras")
    jpeg_quality: int = Field(85, ge=1, le=100, description="of the re-saving attack `jpeg`")
    median_size: Odd = Field(3, ge=3, description="window of the attack `median`, odd")


class EvaluationSpec(Spec):
    """How attacks are scored."""

    save: Literal["png"] = Field("png", description="how the attacked photograph is saved before it is scored")


class TablesSpec(Spec):
    """Statistics of the tables."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples of the source photographs")


class PlotsSpec(Spec):
    """Looks of the plots."""

    dpi: int = Field(110, ge=50, description="dots an inch")
    samples: int = Field(3, ge=1, description="photographs in a sample grid")
    amplify: float = Field(8.0, gt=0, description="how much a sample grid amplifies differences")


class ControlSpec(Spec):
    """Controls against misleading oneself."""

    random_phase: str = Field("", description="name of the classifier that is trained again on random crop phases")


class ExaminerSpec(Spec):
    """The opponent: its own estimator and its target classifiers F."""

    estimator: EstimatorSpec = EstimatorSpec()
    classifiers: dict[str, ClassifierSpec] = Field({}, description="target classifiers F by name")

    @field_validator("classifiers", mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """An overlay takes a classifier out by setting it to null."""
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value

    @field_validator("classifiers")
    @classmethod
    def _plain_names(cls, value: dict[str, ClassifierSpec]) -> dict[str, ClassifierSpec]:
        for name in value:
            if not name.replace("_", "").replace("+", "").isalnum():
                raise ValueError(f"found the name {name!r}, expected letters, digits, _ and +")
        return value


class AdversarySpec(Spec):
    """The attacker: E0, E_H, E_L, G and D."""

    estimator: EstimatorSpec = EstimatorSpec()
    evaluator_high: ClassifierSpec = ClassifierSpec(net=ClassifierNetSpec(frontend="prnu_lp"))
    evaluator_low: ClassifierSpec = ClassifierSpec(net=ClassifierNetSpec(frontend="prnu_lp_low"))
    cama: CamaSpec = CamaSpec()


class Config(Spec):
    """The whole of `config.yaml`."""

    seed: int = Field(1, ge=0, description="every stage derives its own from it")
    results: str = Field("results", min_length=1, description="folder of all that the workflow writes")
    dataset: DatasetSpec = DatasetSpec()
    models: ModelsSpec
    simulation: SimulationSpec = SimulationSpec()
    split: SplitSpec = SplitSpec()
    patches: PatchesSpec = PatchesSpec()
    adversary: AdversarySpec = AdversarySpec()
    examiner: ExaminerSpec = ExaminerSpec()
    attack: AttackSpec = AttackSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    tables: TablesSpec = TablesSpec()
    plots: PlotsSpec = PlotsSpec()
    controls: ControlSpec = ControlSpec()
    compute: ComputeSpec = ComputeSpec()

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        if self.patches.crop % self.patches.size:
            raise ValueError(
                f"patches.crop: found {self.patches.crop}, expected a multiple of patches.size ({self.patches.size})"
            )
        for body in (self.adversary.estimator.net, self.examiner.estimator.net, self.adversary.cama.generator):
            if self.patches.size % 2**body.downsamplings:
                raise ValueError(
                    f"patches.size: found {self.patches.size}, expected a multiple of {2**body.downsamplings}"
                    f" for a network with {body.downsamplings} downsamplings"
                )
        simulated = self.dataset.kind == "simulated"
        if not simulated and not self.dataset.root:
            raise ValueError("dataset.root: found nothing, expected the folder of the photographs")
        if not simulated and "oracle" in self.attack.methods:
            raise ValueError("attack.methods: found 'oracle', which only simulated cameras can answer")
        if not simulated and self.split.policy == "device+scene":
            raise ValueError("split.policy: found 'device+scene', but only simulated photographs name their scene")
        repeated = sorted({m for m in self.attack.methods if self.attack.methods.count(m) > 1})
        if repeated:
            raise ValueError(f"attack.methods: found {repeated[0]!r} more than once, expected each method once")
        if not self.examiner.classifiers:
            raise ValueError("examiner.classifiers: found none, expected at least one target classifier")
        if simulated:
            self._devices_exist()
        if "identity" not in self.attack.methods:
            raise ValueError("attack.methods: found no 'identity', which every table needs for the clean accuracy")
        jittered = self.patches.phase == "random" or self.controls.random_phase
        needed = self.patches.crop + (PHASES if jittered else 0)
        if simulated and min(self.simulation.width, self.simulation.height) < needed:
            raise ValueError(f"simulation: found a side below the crop, expected at least {needed} pixels")
        for stream, frontend in (("high", "prnu_lp"), ("low", "prnu_lp_low")):
            found = getattr(self.adversary, f"evaluator_{stream}").net.frontend
            if found != frontend:
                raise ValueError(f"adversary.evaluator_{stream}.net.frontend: found {found!r}, expected {frontend!r}")
        name = self.controls.random_phase
        if name and name not in self.examiner.classifiers:
            raise ValueError(
                f"controls.random_phase: found {name!r}, expected one of {list(self.examiner.classifiers)}"
            )
        return self

    def _devices_exist(self) -> None:
        """Every device that the split names is simulated, and some are tests."""
        for block, roles, count in (
            ("in_distribution", self.split.in_distribution, self.simulation.devices_in),
            ("out_of_distribution", self.split.out_of_distribution, self.simulation.devices_out),
        ):
            for role, devices in roles.model_dump().items():
                wrong = [device for device in devices if not 0 <= device < count]
                if wrong:
                    raise ValueError(f"split.{block}.{role}: found {wrong[0]}, expected devices of 0 to {count - 1}")


# ---- one spec a stage -----------------------------------------------------------------------------------------------


class SimulateSpec(Spec):
    """Stage `simulate`."""

    seed: int = 1
    model: str
    models: ModelsSpec
    simulation: SimulationSpec = SimulationSpec()
    tests_in: tuple[int, ...] = Field((4,), description="test devices of in-distribution models")
    tests_out: tuple[int, ...] = Field((2,), description="test devices of out-of-distribution models")


class ManifestSpec(Spec):
    """Stage `manifest`."""

    dataset: DatasetSpec = DatasetSpec()
    models: tuple[str, ...]
    smallest: int = Field(512, description="smallest side of a photograph, pixels")


class SplitStageSpec(Spec):
    """Stage `split`."""

    seed: int = 1
    models: ModelsSpec
    split: SplitSpec = SplitSpec()


class PatchesStageSpec(Spec):
    """Stage `patches`."""

    seed: int = 1
    role: Role
    labels: tuple[str, ...]
    patches: PatchesSpec = PatchesSpec()


class TrainEstimatorSpec(Spec):
    """Stage `train-estimator`."""

    seed: int = 1
    estimator: EstimatorSpec = EstimatorSpec()
    compute: ComputeSpec = ComputeSpec()


class TrainClassifierSpec(Spec):
    """Stage `train-classifier`."""

    seed: int = 1
    name: str = "classifier"
    classifier: ClassifierSpec = ClassifierSpec()
    compute: ComputeSpec = ComputeSpec()


class TrainCamaSpec(Spec):
    """Stage `train-cama`."""

    seed: int = 1
    cama: CamaSpec = CamaSpec()
    compute: ComputeSpec = ComputeSpec()


class AttackStageSpec(Spec):
    """Stage `attack`."""

    method: Literal[METHODS] = "identity"
    strength: int = Field(0, description="quality of `jpeg`, window of `median`")
    targets: tuple[str, ...]
    compute: ComputeSpec = ComputeSpec()


class EvaluateStageSpec(Spec):
    """Stage `evaluate`."""

    method: Literal[METHODS] = "identity"
    evaluation: EvaluationSpec = EvaluationSpec()
    compute: ComputeSpec = ComputeSpec()


class TablesStageSpec(Spec):
    """Stage `tables`."""

    seed: int = 1
    tables: TablesSpec = TablesSpec()


class PlotsStageSpec(Spec):
    """Stage `plots`."""

    plots: PlotsSpec = PlotsSpec()


class ReportStageSpec(Spec):
    """Stage `report`."""

    dataset: DatasetSpec = DatasetSpec()


class ControlsStageSpec(Spec):
    """Stage `controls`."""

    seed: int = 1
    dataset: DatasetSpec = DatasetSpec()
    models: ModelsSpec
    simulation: SimulationSpec = SimulationSpec()
    patches: PatchesSpec = PatchesSpec()
    compute: ComputeSpec = ComputeSpec()


# ---- cutting the config into specs ----------------------------------------------------------------------------------


def stage_spec(config: Config, stage: str, **wildcards: str) -> str:
    """The spec of one stage's job, as the string that its rule passes. `wildcards` are those of the rule."""
    return _SPECS[stage](config, **wildcards).to_json()


def _simulate(c: Config, model: str) -> Spec:
    tests = c.split.in_distribution.test, c.split.out_of_distribution.test
    return SimulateSpec(
        seed=c.seed, model=model, models=c.models, simulation=c.simulation, tests_in=tests[0], tests_out=tests[1]
    )


def _manifest(c: Config) -> Spec:
    smallest = c.patches.crop + (PHASES if c.patches.phase == "random" or c.controls.random_phase else 0)
    return ManifestSpec(dataset=c.dataset, models=_all_models(c), smallest=smallest)


def _patches(c: Config, role: str, phase: str) -> Spec:
    labels = _all_models(c) if role.endswith("outdist") else c.models.in_distribution
    patches = c.patches.model_copy(update={"phase": phase})
    return PatchesStageSpec(seed=derive_seed(c.seed, "patches"), role=role, labels=labels, patches=patches)


def _estimator(c: Config, owner: str) -> Spec:
    spec = c.adversary.estimator if owner == "adversary" else c.examiner.estimator
    return TrainEstimatorSpec(seed=derive_seed(c.seed, owner, "estimator"), estimator=spec, compute=c.compute)


def _evaluator(c: Config, stream: str) -> Spec:
    spec = {"high": c.adversary.evaluator_high, "low": c.adversary.evaluator_low}[stream]
    name = f"evaluator_{stream}"
    return TrainClassifierSpec(seed=derive_seed(c.seed, name), name=name, classifier=spec, compute=c.compute)


def _classifier(c: Config, name: str) -> Spec:
    spec = c.examiner.classifiers[name]
    return TrainClassifierSpec(seed=derive_seed(c.seed, "F", name), name=name, classifier=spec, compute=c.compute)


def _attack(c: Config, method: str) -> Spec:
    strength = {"jpeg": c.attack.jpeg_quality, "median": c.attack.median_size}.get(method, 0)
    return AttackStageSpec(method=method, strength=strength, targets=c.models.in_distribution, compute=c.compute)


def _controls(c: Config) -> Spec:
    return ControlsStageSpec(
        seed=c.seed, dataset=c.dataset, models=c.models, simulation=c.simulation, patches=c.patches, compute=c.compute
    )


_SPECS: dict[str, Callable[..., Spec]] = {
    "simulate": _simulate,
    "manifest": _manifest,
    "split": lambda c: SplitStageSpec(seed=derive_seed(c.seed, "split"), models=c.models, split=c.split),
    "patches": _patches,
    "estimator": _estimator,
    "evaluator": _evaluator,
    "classifier": _classifier,
    "cama": lambda c: TrainCamaSpec(seed=derive_seed(c.seed, "cama"), cama=c.adversary.cama, compute=c.compute),
    "attack": _attack,
    "evaluate": lambda c, method: EvaluateStageSpec(method=method, evaluation=c.evaluation, compute=c.compute),
    "tables": lambda c: TablesStageSpec(seed=c.seed, tables=c.tables),
    "plots": lambda c: PlotsStageSpec(plots=c.plots),
    "controls": _controls,
    "report": lambda c: ReportStageSpec(dataset=c.dataset),
}


def _all_models(c: Config) -> tuple[str, ...]:
    return c.models.in_distribution + c.models.out_of_distribution


# ---- reading ---------------------------------------------------------------------------------------------------------

S = TypeVar("S", bound=Spec)


def parse(kind: type[S], values: Mapping[str, Any], source: str) -> S:
    """Check `values`; the first fault becomes one line that names `source`, the key, what was found and expected."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _keys_beside(kind, fault["loc"])
            near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1, cutoff=0.0)
            raise CamaError(f"{source}: unknown key {key!r}, the nearest known key is {near[0]!r}") from None
        message = fault["msg"].removeprefix("Value error, ")
        found = "" if fault["type"] in ("value_error", "missing") else f", found {fault['input']!r}"
        raise CamaError(f"{source}: {key + ': ' if key else ''}{message}{found}") from None


def parse_json(kind: type[S], text: str) -> S:
    """A stage's spec from the string that its rule passes; `{}` gives the defaults."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise CamaError(f"--spec: found text that is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise CamaError(f"--spec: found {text!r}, expected a JSON object")
    return parse(kind, values, "--spec")


def load_config(*paths: Path) -> Config:
    """Read `config.yaml` and lay overlays over it, as Snakemake does: mappings merge, all else is replaced."""
    import yaml

    merged: dict[str, Any] = {}
    for path in paths:
        if not path.exists():
            raise CamaError(f"{path}: no such config file")
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CamaError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
        if not isinstance(values, dict):
            raise CamaError(f"{path}: found a {type(values).__name__}, expected keys and values")
        merged = _merge(merged, values)
    return parse(Config, merged, str(paths[-1]))


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _keys_beside(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Known keys of the block in which the last key of `location` stands."""
    named = False  # whether the next part is a name in a mapping, such as a classifier's, and no key
    for part in location[:-1]:
        if named:
            named = False
            continue
        annotation = kind.model_fields[str(part)].annotation
        inner = [t for t in (annotation, *getattr(annotation, "__args__", ())) if isinstance(t, type)]
        kind = next((t for t in inner if issubclass(t, BaseModel)), kind)
        named = getattr(annotation, "__origin__", None) is dict
    return list(kind.model_fields)
