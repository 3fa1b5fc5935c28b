"""The spec of each stage, and how the config is cut into them.

A stage takes its spec and nothing else, so that a change of the config runs again only the stages that it changes.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from cama.core.names import run_of
from cama.core.seeds import derive_seed
from cama.settings.attacks import CardSpec, EvaluationSpec, Level, MethodSpec, PlotsSpec, TablesSpec
from cama.settings.config import Config
from cama.settings.data import DatasetSpec, ModelsSpec, PatchesSpec, Role, SimulationSpec, SplitSpec
from cama.settings.judges import FitJudgeSpec, JudgeStageSpec
from cama.settings.spec import Spec
from cama.settings.training import (
    ClassifierRole,
    ClassifierSpec,
    ComputeSpec,
    EstimatorSpec,
    LearnedSpec,
)


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
    smallest: int = Field(512, description="smallest side that a photograph may have, in pixels")


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
    fields: tuple[Literal["rgb", "remosaic", "residual"], ...] = ("rgb", "remosaic", "residual")


class TrainEstimatorSpec(Spec):
    """Stage `train-estimator`."""

    seed: int = 1
    estimator: EstimatorSpec = EstimatorSpec()
    noise: float = Field(0, description="standard deviation of the noise that a denoiser learns to remove; 0 for E0")
    compute: ComputeSpec = ComputeSpec()


class TrainClassifierSpec(Spec):
    """Stage `train-classifier`."""

    seed: int = 1
    name: str = "classifier"
    classifier: ClassifierSpec = ClassifierSpec()
    compute: ComputeSpec = ComputeSpec()


class TrainInformedSpec(Spec):
    """Stage `train-informed`."""

    seed: int = 1
    name: str = "informed"
    classifier: ClassifierSpec = ClassifierSpec()
    size: int = Field(64, description="side of a patch in pixels")
    crop: int = Field(512, description="side of what is cut to patches of an attacked picture, in pixels")
    compute: ComputeSpec = ComputeSpec()


class TrainGeneratorSpec(Spec):
    """Stage `train-generator`."""

    seed: int = 1
    name: str = "cama"
    learned: LearnedSpec = LearnedSpec()
    threads: int = Field(1, description="number of threads that it must run with")
    compute: ComputeSpec = ComputeSpec()


class AttackStageSpec(Spec):
    """Stage `attack`."""

    seed: int = 1
    name: str = "identity"
    method: MethodSpec = MethodSpec()
    targets: tuple[str, ...]
    photographs: int = Field(0, description="most photographs of each camera model that are attacked; 0 for all")
    compute: ComputeSpec = ComputeSpec()


class ProfilesStageSpec(Spec):
    """Stage `profiles`."""

    labels: tuple[str, ...]
    required: bool = Field(False, description="whether each label must have a profile that can be imitated")


class EvaluateStageSpec(Spec):
    """Stage `evaluate`."""

    seed: int = 1
    name: str = "identity"
    oracle: bool = Field(
        False, description="whether the pictures are the target camera's own, not to be encoded again as its"
    )
    roles: dict[str, ClassifierRole] = Field({}, description="the role of each target classifier, by its name")
    size: int = Field(64, description="side of a patch in pixels")
    crop: int = Field(
        512,
        description="side of what F sees of a saved picture, in pixels, cut at a random place; less where it is smaller",
    )
    evaluation: EvaluationSpec = EvaluationSpec()
    compute: ComputeSpec = ComputeSpec()


class ExamplesStageSpec(Spec):
    """Stage `examples`."""

    seed: int = 1
    name: str
    method: MethodSpec
    targets: tuple[str, ...]
    window: int = Field(512, description="side of what is attacked of a photograph, in pixels")
    phase: Literal["aligned", "random"] = Field("aligned", description="phase of its origin")
    photographs: int = Field(0, description="most photographs of all camera models together; 0 for all")
    save: Literal["png", "target"] = Field("png", description="how attacked pictures are saved")
    compute: ComputeSpec = ComputeSpec()


class DetectStageSpec(Spec):
    """Stage `detect`."""

    seed: int = 1
    name: str
    targeted: bool = Field(True, description="whether the attack has targets")
    targets: tuple[str, ...]
    detectors: dict[str, ClassifierSpec] = Field({}, description="detectors that are trained on patches, by name")
    size: int = Field(64, description="side of a patch in pixels")
    crop: int = Field(512, description="side of what detectors see of an attacked picture, in pixels")
    save: Literal["png", "target"] = Field("png", description="how attacked pictures are saved")
    compute: ComputeSpec = ComputeSpec()


class DevicesStageSpec(Spec):
    """Stage `devices`."""

    name: str


class TablesStageSpec(Spec):
    """Stage `tables`."""

    seed: int = 1
    tables: TablesSpec = TablesSpec()


class JoinStageSpec(Spec):
    """Stage `join`."""

    baseline: str = Field("", description="method that the others are compared with; empty for none")


class PackageStageSpec(Spec):
    """Stage `package`."""

    name: str
    dataset: str = Field(description="the convention of the photographs")
    psnr: Level = Field(0, description="PSNR in dB to which the method scales its change; 0 for none")
    headroom: float = Field(0, ge=0, description="as in `attack.methods`")
    refine: int = Field(0, ge=0, description="steps on E that go on from G's picture")
    evaluators: tuple[str, ...] = Field((), description="the classifiers of E by which they go; none for all")
    card: CardSpec = CardSpec()


class PlotsStageSpec(Spec):
    """Stage `plots`."""

    plots: PlotsSpec = PlotsSpec()
    save: str = Field("png", description="as what attacked pictures are delivered")


class ReportStageSpec(Spec):
    """Stage `report`."""

    dataset: DatasetSpec = DatasetSpec()
    shown: tuple[str, ...] = Field((), description="methods with sample grids")
    parts: tuple[str, ...] = Field((), description="tables and plots that not every run has")


class ControlsStageSpec(Spec):
    """Stage `controls`."""

    seed: int = 1
    dataset: DatasetSpec = DatasetSpec()
    models: ModelsSpec
    simulation: SimulationSpec = SimulationSpec()
    patches: PatchesSpec = PatchesSpec()
    compute: ComputeSpec = ComputeSpec()


def stage_spec(config: Config, stage: str, **wildcards: str) -> str:
    """The spec of one stage's job, as the string that its rule passes. `wildcards` are those of the rule."""
    return _SPECS[stage](config, **wildcards).to_json()


def _simulate(c: Config, model: str) -> Spec:
    tests = c.split.in_distribution.test, c.split.out_of_distribution.test
    return SimulateSpec(
        seed=c.seed, model=model, models=c.models, simulation=c.simulation, tests_in=tests[0], tests_out=tests[1]
    )


def _manifest(c: Config) -> Spec:
    return ManifestSpec(dataset=c.dataset, models=_all_models(c), smallest=c.smallest)


def _patches(c: Config, role: str, phase: str) -> Spec:
    labels = _all_models(c) if role.endswith("outdist") else c.models.in_distribution
    other = {"phase": phase}
    if phase == "whole":
        other = {"phase": "aligned", "crop": c.patches.window}
        other |= {} if role.startswith("test") else {"size": c.patches.window}  # test crops are never divided
    patches = c.patches.model_copy(update={"margin": 0, **other})
    seed, fields = derive_seed(c.seed, "patches"), ("rgb",) if phase == "whole" else c.patch_fields(role)
    return PatchesStageSpec(seed=seed, role=role, labels=labels, patches=patches, fields=fields)


def _estimator(c: Config, owner: str) -> Spec:
    spec = c.adversary.estimator if owner == "adversary" else c.examiner.estimator
    return TrainEstimatorSpec(seed=derive_seed(c.seed, owner, "estimator"), estimator=spec, compute=c.compute)


def _denoiser(c: Config) -> Spec:
    spec = c.adversary.denoiser
    return TrainEstimatorSpec(
        seed=derive_seed(c.seed, "adversary", "denoiser"),
        estimator=EstimatorSpec(**{name: getattr(spec, name) for name in EstimatorSpec.model_fields}),
        noise=spec.noise,
        compute=c.compute,
    )


def _evaluator(c: Config, name: str) -> Spec:
    spec = c.adversary.evaluators[name]
    seed = derive_seed(c.seed, f"evaluator_{name}")
    return TrainClassifierSpec(seed=seed, name=f"evaluator {name}", classifier=spec, compute=c.compute)


def _classifier(c: Config, name: str) -> Spec:
    spec = c.examiner.classifiers[name]  # its labels are those of its patch files
    return TrainClassifierSpec(seed=derive_seed(c.seed, "F", name), name=name, classifier=spec, compute=c.compute)


def _informed(c: Config, name: str) -> Spec:
    spec = c.examiner.informed[name]
    base = c.examiner.classifiers[spec.classifier]
    kept = {key: getattr(base, key) for key in ("net", "augmentation", "adversarial")}
    classifier = ClassifierSpec(**kept, training=spec.training, optimiser=spec.optimiser)
    return TrainInformedSpec(
        seed=derive_seed(c.seed, "informed", name),
        name=name,
        classifier=classifier,
        size=c.patches.size,
        crop=c.patches.crop,
        compute=c.compute,
    )


def _generator(c: Config, name: str) -> Spec:
    generator, run = run_of(name)
    seed = derive_seed(c.seed, generator, *([run] if run > 1 else []))
    learned = c.adversary.generators[generator]
    return TrainGeneratorSpec(seed=seed, name=name, learned=learned, threads=c.adversary.threads, compute=c.compute)


def _attack(c: Config, method: str) -> Spec:
    spec = c.attack.methods[method]
    seed = derive_seed(c.seed, "attack", method)
    most = spec.photographs or c.attack.photographs
    return AttackStageSpec(
        seed=seed, name=method, method=spec, targets=c.models.in_distribution, photographs=most, compute=c.compute
    )


def _evaluate(c: Config, method: str) -> Spec:
    return EvaluateStageSpec(
        seed=derive_seed(c.seed, "evaluate"),  # the same for all methods, which are compared
        name=method,
        oracle=c.attack.methods[method].kind == "oracle",
        roles=c.roles(method),
        size=c.patches.size,
        crop=c.patches.crop,
        evaluation=c.evaluation,
        compute=c.compute,
    )


def _judge(c: Config, judge: str, method: str) -> Spec:
    same = {
        "seed": derive_seed(c.seed, "evaluate"),
        "oracle": c.attack.methods[method].kind == "oracle",
    }  # as F's files
    return JudgeStageSpec(name=method, judge=judge, saves=c.evaluation.saves, **same)


def _examples(c: Config, attacker: str) -> Spec:
    method, run = run_of(attacker)
    return ExamplesStageSpec(
        seed=derive_seed(c.seed, "examples", attacker),
        name=attacker,
        method=c.attack.methods[method],
        targets=c.models.in_distribution,
        window=c.patches.window,
        phase="aligned" if c.patches.margin else c.phase("test"),
        photographs=c.detection.photographs if run == 1 else 0,
        save=c.evaluation.delivery,
        compute=c.compute,
    )


def _detect(c: Config, method: str) -> Spec:
    return DetectStageSpec(
        seed=derive_seed(c.seed, "detect", method),
        name=method,
        targeted=c.attack.methods[method].targeted,
        targets=c.models.in_distribution,
        detectors=c.detection.detectors,
        size=c.patches.size,
        crop=c.patches.crop,
        save=c.evaluation.delivery,
        compute=c.compute,
    )


def _controls(c: Config) -> Spec:
    patches = c.patches.model_copy(update={"phase": c.phase("test")})  # of all crops that are compared
    return ControlsStageSpec(
        seed=c.seed, dataset=c.dataset, models=c.models, simulation=c.simulation, patches=patches, compute=c.compute
    )


_SPECS: dict[str, Callable[..., Spec]] = {
    "simulate": _simulate,
    "manifest": _manifest,
    "split": lambda c: SplitStageSpec(seed=derive_seed(c.seed, "split"), models=c.models, split=c.split),
    "patches": _patches,
    "estimator": _estimator,
    "denoiser": _denoiser,
    "evaluator": _evaluator,
    "classifier": _classifier,
    "informed": _informed,
    "generator": _generator,
    "attack": _attack,
    "profiles": lambda c: ProfilesStageSpec(labels=c.models.in_distribution, required="target" in c.evaluation.saves),
    "evaluate": _evaluate,
    "fit_judge": lambda c: FitJudgeSpec(),
    "judge": _judge,
    "examples": _examples,
    "detect": _detect,
    "devices": lambda c, method: DevicesStageSpec(name=method),
    "tables": lambda c: TablesStageSpec(seed=c.seed, tables=c.tables),
    "join": lambda c: JoinStageSpec(baseline=c.tables.baseline),
    "package": lambda c, method: PackageStageSpec(
        name=method,
        dataset=c.dataset.described,
        **{key: getattr(c.attack.methods[method], key) for key in ("psnr", "headroom", "refine", "evaluators")},
        card=c.card,
    ),
    "plots": lambda c: PlotsStageSpec(plots=c.plots, save=c.evaluation.delivery),
    "controls": _controls,
    "report": lambda c: ReportStageSpec(dataset=c.dataset, shown=c.plots.methods, parts=c.report_parts),
}


def _all_models(c: Config) -> tuple[str, ...]:
    return c.models.in_distribution + c.models.out_of_distribution
