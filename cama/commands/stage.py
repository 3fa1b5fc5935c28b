"""The command of the workflow's rules: `cama stage NAME`. What each stage reads and writes is declared in STAGES."""

import importlib
import os
import shlex
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cama.commands.declaration import Command, path_argument
from cama.core.cores import cores
from cama.core.errors import CamaError
from cama.settings import stages as specs
from cama.settings.spec import Spec, parse_json

KINDS = {
    **{"": "a folder", ".h5": "an HDF5 file", ".csv": "a table", ".safetensors": "a model file", ".html": "a page"},
    **{".yaml": "a YAML file", ".onnx": "an ONNX file"},
}


@dataclass(frozen=True)
class StagePath:
    """A path that a stage takes as the option `--NAME`. `suffix`: of the file; empty for a folder."""

    many, optional = False, False  # not fields: of Input alone
    name: str
    suffix: str = ""

    @property
    def parameter(self) -> str:
        """The parameter of the stage's function."""
        return self.name.replace("-", "_")

    @property
    def example(self) -> str:
        """A path of this kind."""
        return self.name + self.suffix


@dataclass(frozen=True)
class Input(StagePath):
    """A file or folder that the stage reads; `many`: one or more; `optional`: it may be left out, and is None then."""

    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Output(StagePath):
    """A file or folder that the stage writes, with a provenance record beside it."""


@dataclass(frozen=True)
class State(StagePath):
    """The folder in which a training saves its state, from which it continues after a kill."""

    name: str = "state"


@dataclass(frozen=True)
class Stage:
    """A stage: its settings, help and paths. Its function has its name, and lives in a module of that name or in `file`.

    `example`: settings as JSON, where they do not all have defaults.
    """

    name: str
    spec: type[Spec]
    help: str
    paths: tuple[Input | Output | State, ...]
    example: str = ""
    file: str = ""

    @property
    def function(self) -> str:
        """The function that runs it."""
        return self.name.replace("-", "_")

    @property
    def module(self) -> str:
        """The module of that function."""
        return f"cama.stages.{self.file or self.function}"


MODEL, HDF5, TABLE, YAML = ".safetensors", ".h5", ".csv", ".yaml"
CAMERAS = '"Nikon_D70", "Canon_Ixus70"'
MODELS = f'{{"models": {{"in_distribution": [{CAMERAS}]}}}}'
SPLITS, ROOT, PATCHES = Input("splits", TABLE), Input("root"), Input("patches", HDF5)
INSIDE, OUTSIDE, ATTACKED = Input("inside", HDF5), Input("outside", HDF5), Input("attacked", HDF5)
EVALUATORS = Input("evaluators", MODEL, many=True)
SOME_EVALUATORS = Input("evaluators", MODEL, many=True, optional=True)
SOME_JUDGES = Input("judges", MODEL, many=True, optional=True)
ROWS, TABLES, DETECTIONS = Input("rows", TABLE, many=True), Input("tables"), Input("detections", TABLE, True, True)
JUDGE, NETWORK = Input("judge", YAML), Input("network", ".onnx", optional=True)
START = Input("start", MODEL, optional=True)
CURVE, STATE = Output("curve", TABLE), State()

# fmt: off
_STAGES = (
    Stage("simulate", specs.SimulateSpec, "take the photographs of one simulated camera",
          (Output("out"), Output("oracle")), f'{{"model": "Nikon_D70", {MODELS[1:]}'),
    Stage("manifest", specs.ManifestSpec, "list, decode and hash photographs",
          (Input("photographs", many=True), ROOT, Output("out", TABLE), Output("broken", TABLE)),
          f'{{"models": [{CAMERAS}]}}'),
    Stage("split", specs.SplitStageSpec, "give photographs their roles",
          (Input("manifest", TABLE), Output("out", TABLE)), MODELS),
    Stage("check-split", specs.SplitStageSpec, "fail where two roles share what they may not",
          (SPLITS, Input("started", TABLE, optional=True), Output("out", TABLE)), MODELS, file="split"),
    Stage("patches", specs.PatchesStageSpec, "cut the photographs of one role into an HDF5 file",
          (SPLITS, ROOT, Output("out", HDF5)), f'{{"role": "adversary", "labels": [{CAMERAS}]}}'),
    Stage("train-estimator", specs.TrainEstimatorSpec, "train the estimator E0",
          (PATCHES, START, Output("out", MODEL), CURVE, STATE)),
    Stage("train-classifier", specs.TrainClassifierSpec, "train a target classifier F or a classifier of the evaluator E",
          (Input("patches", HDF5, many=True), Input("estimator", MODEL, optional=True), START, Output("out", MODEL),
           CURVE, STATE)),
    Stage("train-informed", specs.TrainInformedSpec, "train a target classifier F on attacked photographs too",
          (Input("patches", HDF5, many=True), Input("examples", HDF5), Input("start", MODEL), Output("out", MODEL), CURVE,
           STATE)),
    Stage("train-generator", specs.TrainGeneratorSpec, "train the generator G and its discriminators D",
          (PATCHES, EVALUATORS, SOME_JUDGES, Input("profiles", optional=True), Input("start", MODEL, True, True),
           Output("out", MODEL), Output("discriminators", MODEL), CURVE, STATE)),
    Stage("attack", specs.AttackStageSpec, "attack the test photographs",
          (INSIDE, OUTSIDE, Input("model", MODEL, many=True, optional=True), SOME_EVALUATORS,
           SOME_JUDGES, Input("oracle", optional=True), Input("patches", HDF5, optional=True), Output("out", HDF5)),
          f'{{"targets": [{CAMERAS}]}}'),
    Stage("profiles", specs.ProfilesStageSpec, "learn how the files of the camera models are built",
          (SPLITS, ROOT, Input("originals", many=True, optional=True), Output("out")), f'{{"labels": [{CAMERAS}]}}'),
    Stage("evaluate", specs.EvaluateStageSpec, "score attacked photographs under each target classifier F",
          (ATTACKED, INSIDE, OUTSIDE, Input("profiles", optional=True), Input("classifiers", MODEL, many=True),
           Output("out", TABLE))),
    Stage("fit-judge", specs.FitJudgeSpec, "learn what residuals of each camera model have in common for a judge",
          (JUDGE, NETWORK, Input("patches", HDF5, optional=True), Output("out", MODEL))),
    Stage("judge", specs.JudgeStageSpec, "ask a judge, which others trained, about attacked photographs",
          (JUDGE, NETWORK, Input("fingerprints", MODEL, optional=True), Input("rows", TABLE), ATTACKED, INSIDE, OUTSIDE,
           Input("profiles", optional=True), Output("out", TABLE))),
    Stage("examples", specs.ExamplesStageSpec, "attack photographs of the examiner, for who learns to see the attack",
          (SPLITS, ROOT, Input("model", MODEL, optional=True), SOME_EVALUATORS, Input("patches", HDF5, optional=True),
           Input("profiles", optional=True), Output("out", HDF5)),
          f'{{"name": "median", "method": {{"kind": "median", "strength": 3}}, "targets": [{CAMERAS}]}}'),
    Stage("detect", specs.DetectStageSpec, "train detectors of one attack, and score the test photographs",
          (Input("examples", HDF5), INSIDE, OUTSIDE, ATTACKED, Input("profiles", optional=True), CURVE, STATE,
           Output("out", TABLE)),
          f'{{"name": "median", "targeted": false, "targets": [{CAMERAS}]}}'),
    Stage("devices", specs.DevicesStageSpec, "compare attacked photographs with the fingerprints of devices",
          (INSIDE, OUTSIDE, ATTACKED, Output("out", TABLE)), '{"name": "cama"}'),
    Stage("tables", specs.TablesStageSpec, "make the tables",
          (ROWS, Input("auto", TABLE, True, True), Input("readers", TABLE), DETECTIONS, Input("devices", TABLE, True, True),
           Output("out"))),
    Stage("join", specs.JoinStageSpec, "make the tables and the page over several catalogues of cameras",
          (ROWS, *(Input(name, TABLE, True, True) for name in ("controls", "readers", "detection")), Output("out"),
           Output("page", ".html"))),
    Stage("package", specs.PackageStageSpec, "put G, E, container profiles and scores into one model file",
          (Input("model", MODEL, many=True), EVALUATORS, SOME_JUDGES, SPLITS, Input("profiles"), TABLES, Output("out", MODEL)),
          '{"name": "cama", "dataset": "dresden"}'),
    Stage("plots", specs.PlotsStageSpec, "make the plots",
          (ROWS, TABLES, Input("curves", TABLE, many=True), Input("attacked", HDF5, many=True, optional=True), DETECTIONS,
           Input("paired", TABLE, optional=True), Input("profiles", optional=True), INSIDE, OUTSIDE, Output("out"))),
    Stage("controls", specs.ControlsStageSpec, "measure the controls",
          (SPLITS, ROOT, INSIDE, Input("classifiers", MODEL, many=True), Output("out")), MODELS),
    Stage("report", specs.ReportStageSpec, "make the page of the report",
          (SPLITS, Input("broken", TABLE), TABLES, Input("plots"), Input("controls"), Output("out", ".html"))),
)
# fmt: on
STAGES = {stage.name: stage for stage in _STAGES}


def run_stage(name: str, options: Namespace) -> None:
    """Run a stage, write the records of its outputs; last, when nothing can fail any more, mark a state as finished."""
    stage = STAGES[name]
    spec = parse_json(stage.spec, options.spec)
    threads = _set_threads(options.threads)
    arguments = {path.parameter: getattr(options, path.parameter) for path in stage.paths}
    from cama.workflow import provenance  # which imports libraries that read the threads

    record = provenance.begin_record(
        name, stage.module, spec.model_dump(mode="json"), threads, _given(stage, Input, arguments)
    )
    if getattr(spec, "threads", threads) != threads:
        raise CamaError(
            f"--threads: found {threads} a process, expected {spec.threads} as in the spec: results depend on it"
        )
    state = getattr(importlib.import_module(stage.module), stage.function)(spec, **arguments)
    if os.environ.get("RANK", "0") == "0":  # of several processes in one training the first
        provenance.write_records(record, _given(stage, Output, arguments))
        if state is not None:
            state.finish()


def _set_threads(asked: int) -> int:
    """Set the threads of this process, before libraries are imported that read them. Returns their number."""
    if not 1 <= asked <= cores():
        raise CamaError(f"--threads: found {asked}, expected 1 to {cores()}, the cores that this process may use")
    # torch's launcher may have started several processes on this machine, which share the threads
    threads = max(1, asked // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    return threads


def _given(stage: Stage, kind: type[StagePath], arguments: dict[str, Path | list[Path] | None]) -> list[Path]:
    """The paths of one kind that were given."""
    given = [arguments[path.parameter] for path in stage.paths if isinstance(path, kind)]
    return [path for one in given if one for path in (one if isinstance(one, list) else [one])]


def _add_arguments(stage: Stage, parser: ArgumentParser) -> None:
    defaults = "" if stage.example else f"`cama spec {stage.name}` prints the defaults, "
    parser.add_argument(
        "--spec",
        default="{}",
        metavar="JSON",
        help=f"settings: {defaults}the record NAME.provenance.json of a result has those used for it",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads to compute with (default: 1)")
    for path in stage.paths:
        parser.add_argument(
            f"--{path.name}",
            type=path_argument,
            nargs="+" if path.many else None,
            required=not path.optional,
            metavar="PATH",
            help=f"{type(path).__name__.lower()}: {KINDS[path.suffix]}{', or several' if path.many else ''}",
        )


def _example(stage: Stage) -> str:
    """A call of the stage with its required paths."""
    words = ["--spec", stage.example] if stage.example else []
    for path in stage.paths:
        if not path.optional:
            words += [f"--{path.name}", path.example]
    return shlex.join(words)


STAGE_COMMANDS = tuple(
    Command(name, stage.help, _example(stage), partial(_add_arguments, stage), partial(run_stage, name))
    for name, stage in STAGES.items()
)
COMMANDS = (
    Command(
        "stage",
        "run one stage, as the rules do",
        f"train-estimator {_example(STAGES['train-estimator'])}",
        commands=STAGE_COMMANDS,
    ),
)
