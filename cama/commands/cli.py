"""The command line: the only place that reads arguments. Imports nothing heavy before it knows the command."""

import argparse
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from cama import __version__
from cama.commands import tool
from cama.core.errors import CamaError, printable
from cama.settings import stages
from cama.settings.config import load_config
from cama.settings.spec import Spec, parse_json


@dataclass(frozen=True)
class Command:
    """A stage: where it lives, its spec, and its paths (name; `*` several, `?` may lack, `>` is written)."""

    function: str
    spec: type[Spec]
    help: str
    paths: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module that it lives in."""
        return f"cama.stages.{self.function.partition(':')[0]}"

    @property
    def names(self) -> dict[str, str]:
        """The paths' names as options, and their marks."""
        return {path.rstrip("*?>"): path[len(path.rstrip("*?>")) :] for path in self.paths}


STAGES = {
    "simulate": Command(
        "simulate:simulate", stages.SimulateSpec, "take the photographs of one simulated camera", ("out>", "oracle>")
    ),
    "manifest": Command(
        "manifest:manifest",
        stages.ManifestSpec,
        "list, decode and hash photographs",
        ("photographs*", "root", "out>", "broken>"),
    ),
    "split": Command("split:split", stages.SplitStageSpec, "give photographs their roles", ("manifest", "out>")),
    "check-split": Command(
        "split:check_split", stages.SplitStageSpec, "fail where two roles share what they may not", ("splits", "out>")
    ),
    "patches": Command(
        "patches:patches", stages.PatchesStageSpec, "cut one role's photographs to HDF5", ("splits", "root", "out>")
    ),
    "train-estimator": Command(
        "train_estimator:train_estimator", stages.TrainEstimatorSpec, "train E0", ("patches", "out>", "curve>", "state")
    ),
    "train-classifier": Command(
        "train_classifier:train_classifier",
        stages.TrainClassifierSpec,
        "train a target classifier F or a classifier of E",
        ("patches*", "estimator?", "out>", "curve>", "state"),
    ),
    "train-generator": Command(
        "train_generator:train_generator",
        stages.TrainGeneratorSpec,
        "train G and D",
        ("patches", "evaluators*", "out>", "discriminators>", "curve>", "state"),
    ),
    "attack": Command(
        "attack:attack",
        stages.AttackStageSpec,
        "attack the test photographs",
        ("inside", "outside", "model*?", "evaluators*?", "match?", "oracle?", "out>"),
    ),
    "evaluate": Command(
        "evaluate:evaluate",
        stages.EvaluateStageSpec,
        "score attacked photographs under each F",
        ("attacked", "inside", "outside", "classifiers*", "out>"),
    ),
    "detect": Command(
        "detect:detect",
        stages.DetectStageSpec,
        "train a detector of one attack",
        ("patches", "inside", "outside", "attacked", "model?", "evaluators*?", "curve>", "state", "out>"),
    ),
    "devices": Command(
        "devices:devices",
        stages.DevicesStageSpec,
        "compare attacked pictures with device fingerprints",
        ("inside", "outside", "attacked", "out>"),
    ),
    "tables": Command(
        "tables:tables", stages.TablesStageSpec, "make the tables", ("rows*", "detections*?", "devices*?", "out>")
    ),
    "package": Command(
        "package:package",
        stages.PackageStageSpec,
        "put G, E, profiles and scores into one model file",
        ("model*", "evaluators*", "splits", "root", "tables", "out>"),
    ),
    "plots": Command(
        "plots:plots",
        stages.PlotsStageSpec,
        "make the plots",
        ("rows*", "tables", "curves*", "attacked*?", "detections*?", "paired?", "inside", "outside", "out>"),
    ),
    "controls": Command(
        "controls:controls",
        stages.ControlsStageSpec,
        "measure the controls",
        ("splits", "root", "inside", "aligned?", "random?", "random-test?", "out>"),
    ),
    "report": Command(
        "report:report",
        stages.ReportStageSpec,
        "make the report's page",
        ("splits", "broken", "tables", "plots", "controls", "out>"),
    ),
}


def parser() -> argparse.ArgumentParser:
    """The argument parser of all commands."""
    top = argparse.ArgumentParser(prog="cama", description="Conditional adversarial camera model anonymization.")
    top.add_argument("--version", action="version", version=f"cama {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    tool.register(commands)
    stages_parser = commands.add_parser("stage", help="run one stage, as the rules of the workflow do")
    stage_names = stages_parser.add_subparsers(dest="stage_name", required=True, metavar="STAGE")
    for name, stage in STAGES.items():
        sub = stage_names.add_parser(name, help=stage.help, description=f"{stage.help[0].upper()}{stage.help[1:]}.")
        sub.add_argument(
            "--spec",
            default="{}",
            help="settings as JSON: `cama spec STAGE` prints the paper's, the record NAME.provenance.json of a result its own",
        )
        sub.add_argument("--threads", type=int, default=1, help="threads to compute with (default 1)")
        for path, marks in stage.names.items():
            many, required = "+" if "*" in marks else None, "?" not in marks
            sub.add_argument(f"--{path}", type=Path, nargs=many, required=required, metavar="PATH")
    spec = commands.add_parser("spec", help="print the default settings of a stage as JSON")
    spec.add_argument("stage", choices=[n for n, s in STAGES.items() if not _required(s.spec)])
    check = commands.add_parser("check-config", help="check a config file and its overlays")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help="config.yaml, and what is laid over it")
    reference = commands.add_parser("reference", help="record the statistics of real photographs for the controls")
    reference.add_argument("--photographs", type=Path, required=True, metavar="FOLDER", help="of JPEG files")
    reference.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error that a person can mend is one line, and status 1."""
    options = vars(parser().parse_args(arguments))
    command = options.pop("command")
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        if command == "stage":
            name = options.pop("stage_name")
            command = f"stage {name}"
            _run_stage(name, options)
        elif command == "spec":
            print(STAGES[options["stage"]].spec().to_json())
        elif command == "check-config":
            load_config(*options["files"])
            print(f"{' + '.join(map(str, options['files']))}: fine")
        elif "run" in options:
            return 1 if options.pop("run")(options) is False else 0
        else:
            importlib.import_module("cama.stages.reference").reference(options["photographs"], options["out"])
    except CamaError as error:
        print(printable(f"cama {command}: {error}"), file=sys.stderr)
        return 1
    except OSError as error:
        print(printable(f"cama {command}: {error.filename or ''}: {error.strerror or error}"), file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        wants = "more memory (`mem_mb`), or a smaller `batch`, network or picture"
        print(f"cama {command}: found too little memory, expected {wants}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _leave(*_: object) -> None:
    """End on SIGTERM as on an error, so that no half-written file stays."""
    raise SystemExit(143)


def _lacks_memory(error: Exception) -> bool:
    """Whether an error is Python's, torch's on the CPU, or torch's on a GPU of no memory left."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in ("allocate memory", "out of memory"))


def _run_stage(name: str, options: dict) -> None:
    stage = STAGES[name]
    spec = parse_json(stage.spec, options.pop("spec"))
    asked = options.pop("threads")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= asked <= cores:
        raise CamaError(f"--threads: found {asked}, expected 1 to {cores}, the cores that this process may use")
    # of each process, where torch's launcher started several here
    threads = max(1, asked // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)  # torch, BLAS and OpenMP read them when imported
    inputs, outputs = [], []
    for path, marks in stage.names.items():
        given = options[path.replace("-", "_")]
        paths = given if isinstance(given, list) else [given] if given else []
        if path != "state":
            (outputs if ">" in marks else inputs).extend(paths)
    provenance = importlib.import_module("cama.workflow.provenance")
    begun = provenance.begin_record(name, stage.module, spec.model_dump(mode="json"), threads, inputs)
    state = getattr(importlib.import_module(stage.module), stage.function.partition(":")[2])(spec, **options)
    if os.environ.get("RANK", "0") == "0":
        provenance.write_records(begun, outputs)
        if state is not None:  # of a training: once nothing is left that could fail
            state.finish()


def _required(kind: type[Spec]) -> bool:
    return any(field.is_required() for field in kind.model_fields.values())


if __name__ == "__main__":
    sys.exit(main())
