"""A config's networks within minutes: how fast this machine computes them, and what they do to photographs.

The workflow's stages in one process, part after part. Each part's result is kept, so that a later call goes on from there, with
the same lengths of training.
"""

import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cama.commands.speed import Speeds
from cama.compute.device import Compute, processor_flags
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.core.seeds import derive_seed
from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.evaluation.delivery import deliver
from cama.evaluation.rates import rate
from cama.models.classifiers import load_predictor
from cama.photo.encoders import target_encoders
from cama.settings.config import Config
from cama.settings.stages import (
    AttackStageSpec,
    TrainClassifierSpec,
    TrainEstimatorSpec,
    TrainGeneratorSpec,
    stage_spec,
)
from cama.settings.training import TrainingSpec
from cama.stages.attack import attack
from cama.stages.train_classifier import train_classifier
from cama.stages.train_estimator import train_estimator
from cama.stages.train_generator import train_generator
from cama.storage.files import write_text
from cama.training.classifier import predict
from cama.workflow.plan import Plan
from cama.workflow.provenance import record_path

PHOTOGRAPHS = 20  # of each camera model that are attacked
METHODS = (
    "identity",
    "learned",
    "oracle",
)  # kinds of the methods that are scored: the attacks between chance and ceiling
END_S = 60.0  # kept for attacks and their scores
SLACK = 0.85  # of the time that is left, for which trainings are planned
RESAMPLES = 2000  # of the bootstrap


class OutOfTimeError(CamaError):
    """No time is left for the next part."""


class PaperScale:
    """The parts of one run in the folder `out`. `minutes`: how long it may take in all, from `begun` (`time.monotonic`)."""

    def __init__(self, config: Config, out: Path, minutes: float | None, begun: float) -> None:
        classifiers = config.examiner.classifiers
        for name, found in (
            ("examiner.informed", config.examiner.informed),
            ("adversary.start", config.adversary.start),
        ):
            if found:
                raise CamaError(f"config: {name}: found it set, expected none for `paper-scale`")
        if any(spec.labels == "expanded" for spec in classifiers.values()):
            raise CamaError("config: examiner.classifiers: found `expanded` ones, expected none for `paper-scale`")
        first, net = next((name, spec.net) for name, spec in classifiers.items())
        if net.non_neural or net.needs_estimator:
            raise CamaError(
                f"config: examiner.classifiers.{first}: found one without a network or with an estimator, expected another"
                " first, whose speed `paper-scale` measures"
            )
        if not config.used_generators:
            raise CamaError("config: attack.methods: found no `learned` one, expected one for `paper-scale`")
        self.config = config.model_copy(update={"results": str(out)})
        self.plan, self.out = Plan(self.config), out
        self.deadline = begun + 60 * minutes if minutes else None
        self.compute = Compute(config.compute)
        self.speeds = Speeds(self.config, self.compute)
        self.file = out / "paper-scale.json"
        self.result = self._begin()

    def run(self) -> dict[str, Any]:
        """Do all parts that are not done; gives their results. Where time runs out it is an error that says how to go on."""
        with ThreadPoolExecutor(1) as background:
            data = background.submit(self._make_data)
            for name, measure in self.speeds.first():
                self.part(f"speed {name}", measure)
            self._train(data)
            for name in self._methods():
                self.part(f"scores {name}", lambda name=name: self._scores(name))
            for name, measure in self.speeds.others():
                self.part(f"speed {name}", measure)
        return self.result

    def part(self, name: str, function: Callable[[], Any]) -> Any:
        """The kept result of a part, or that of the function, which is kept at once."""
        parts = self.result["parts"]
        if name not in parts:
            if self._left() <= 0:
                raise OutOfTimeError(f"{name}: found no time left, expected some; call the same command again to go on")
            begun = time.monotonic()
            value = function()
            parts[name] = {"seconds": round(time.monotonic() - begun, 1), "result": value}
            write_text(self.file, json.dumps(self.result, indent=1))
            print(f"{name}: {json.dumps(value)}", file=sys.stderr, flush=True)
        return parts[name]["result"]

    def _left(self) -> float:
        return self.deadline - time.monotonic() if self.deadline is not None else float("inf")

    def _begin(self) -> dict[str, Any]:
        """What was kept of a run of the same settings, or an empty result."""
        settings = self.config.model_dump_json(exclude={"results"})
        key = hashlib.sha256(settings.encode()).hexdigest()[:16]
        kept = json.loads(self.file.read_text()) if self.file.exists() else {"settings": key, "parts": {}}
        if kept["settings"] != key:
            raise CamaError(
                f"{self.file}: found parts of other settings, expected those of this config; use another --out"
            )
        gpu = self.compute.device.type == "cuda"
        kept["machine"] = {
            "device": torch.cuda.get_device_name() if gpu else "cpu",
            "memory_gb": round(torch.cuda.get_device_properties(0).total_memory / 1e9, 1) if gpu else None,
            "flags": processor_flags(),
            "precision": str(self.compute.dtype).removeprefix("torch."),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": platform.python_version(),
        }
        return kept

    # ---- photographs and patches, by the stages themselves, in processes of their own

    def _make_data(self) -> None:
        """Simulate or list the photographs and cut them, unless that was done."""
        plan, simulated = self.plan, self.config.dataset.kind == "simulated"
        if simulated:
            self._stages(
                ("simulate", {"model": model}, ["--out", plan.path(f"photographs/{model}"), "--oracle", oracle])
                for model in plan.models
                for oracle in [plan.path(f"oracle/{model}")]
            )
        manifest = [*plan.manifest_options(), "--broken", plan.path("broken.csv"), "--out", plan.path("manifest.csv")]
        self._stages([("manifest", {}, manifest)])
        splits, root = plan.path("splits.csv"), plan.root_option()
        unchecked = plan.path("splits-unchecked.csv")
        self._stages([("split", {}, ["--manifest", plan.path("manifest.csv"), "--out", unchecked])])
        self._stages([("check-split", {}, ["--splits", unchecked, "--out", splits])])
        originals = ["--originals", *plan.originals] if plan.originals else []
        profiles = ["--splits", splits, *root, *originals, "--out", plan.path("adversary/profiles")]
        self._stages([("profiles", {}, profiles)])
        self._stages(
            (
                "patches",
                {"role": role, "phase": self.config.phase(role)},
                ["--splits", splits, *root, "--out", plan.patches(role)],
            )
            for role in ("adversary", "examiner", "test", "test_outdist")
        )

    def _stages(self, calls: Iterable[tuple[str, dict[str, str], list[str]]]) -> None:
        """Run stages side by side, each in a process; those with a record, which is written last, are done. Where one fails the
        others end first, since a second call may begin them anew.
        """
        running = []
        for stage, wildcards, options in calls:
            if not record_path(Path(options[options.index("--out") + 1])).exists():
                spec = stage_spec(self.config, stage.removeprefix("check-"), **wildcards)
                words = [sys.executable, "-m", "cama", "stage", stage, "--spec", spec, *options]
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603
                running.append((stage, process))
        ended = [(stage, process.communicate()[1], process.returncode) for stage, process in running]
        for stage, errors, status in ended:
            if status:
                raise CamaError(f"stage {stage}: {' '.join(errors.split()[-60:]) or f'status {status}'}")

    # ---- trainings

    def _train(self, data: Future) -> None:
        """Train E0, E, F and G, each for its share of the time that is left."""
        self.part("photographs", data.result)
        scale = self.part("scale", self._scale)
        plan, out = self.plan, Path(self.plan.path(""))
        adversary, examiner = (Path(plan.patches(role)) for role in ("adversary", "examiner"))
        for owner, patches in (("adversary", adversary), ("examiner", examiner)):
            estimator = _shortened(self._spec(TrainEstimatorSpec, "estimator", owner=owner), "estimator", scale)
            where = self._files(out / owner / "estimator")
            self._training(f"E0 {owner}", lambda s=estimator, p=patches, w=where: train_estimator(s, p, None, **w))
        kinds = (
            ("evaluator", "adversary", self.config.adversary_classifiers, adversary, out / "adversary/evaluators"),
        )
        kinds += (("classifier", "examiner", list(self.config.examiner.classifiers), examiner, out / "classifiers"),)
        for kind, owner, names, patches, folder in kinds:
            for name in names:
                spec = _shortened(self._spec(TrainClassifierSpec, kind, name=name), "classifier", scale)
                estimator = next((Path(path) for path in plan.estimator(owner, name)), None)
                where = self._files(folder / name)
                self._training(
                    f"{kind} {name}",
                    lambda s=spec, p=patches, e=estimator, w=where: train_classifier(s, [p], e, None, **w),
                )
        for name in self.config.used_generators:
            spec = _shortened(self._spec(TrainGeneratorSpec, "generator", name=name), "learned", scale)
            where = self._files(out / "adversary/generators" / name)
            where["discriminators"] = out / "adversary/discriminators" / f"{name}.safetensors"
            inputs = {key: [Path(path) for path in paths] for key, paths in plan.generator_inputs(name).items()}
            self._training(
                f"generator {name}",
                lambda s=spec, i=inputs, w=where: train_generator(
                    s, adversary, i["evaluators"], i["judges"] or None, next(iter(i["profiles"]), None), None, **w
                ),
            )

    def _scale(self) -> float:
        """By how much the trainings of the config are shortened, at most 1, by what their steps were measured to take."""
        if self.deadline is None:
            return 1.0
        needed = self.speeds.training_s({name: kept["result"] for name, kept in self.result["parts"].items()})
        compiling = len(self.config.used_generators) * self.result["parts"]["speed generator"]["result"]["first_step_s"]
        return max(0.0, min(1.0, SLACK * (self._left() - END_S - compiling) / needed))

    def _spec(self, kind: type, stage: str, **wildcards: str) -> Any:
        return kind.model_validate_json(stage_spec(self.config, stage, **wildcards))

    def _files(self, stem: Path) -> dict[str, Path]:
        return {
            "out": stem.with_suffix(".safetensors"),
            "curve": stem.with_suffix(".csv"),
            "state": self.out / "state" / stem.name,
        }

    def _training(self, name: str, train: Callable[[], Any]) -> None:
        def run() -> dict[str, Any]:
            train()
            torch.compiler.reset()
            if self.compute.device.type == "cuda":
                torch.cuda.empty_cache()
            return {}

        self.part(f"training {name}", run)

    # ---- attacks, as they are delivered

    def _methods(self) -> list[str]:
        return [name for name, method in self.config.attack.methods.items() if method.kind in METHODS]

    def _scores(self, method: str) -> list[dict[str, Any]]:
        """Attack the test photographs; a row for each set and save. Saves: `png`, and `delivered`, a file as the target camera
        writes it.
        """
        plan = self.plan
        inside, outside = Path(plan.patches("test")), Path(plan.patches("test_outdist"))
        file, inputs = Path(plan.path(f"attacks/{method}.h5")), plan.attack_inputs(method)
        spec = _attack_spec(self.config, method)
        nets = [[Path(path) for path in inputs.get(key, [])] or None for key in ("model", "evaluators", "judges")]
        oracle = Path(plan.path("oracle")) if "oracle" in inputs else None
        attack(spec, inside, outside, *nets, oracle, None, file)
        rows = pd.DataFrame(self._rows(method, file, {"in": inside, "out": outside}))
        write_text(Path(plan.path(f"rows/{method}.csv")), rows.to_csv(index=False, float_format="%.5g"))
        return summarise(rows, self.config.seed)

    def _rows(self, method: str, path: Path, tests: dict[str, Path]) -> Iterator[dict[str, Any]]:
        """One row a picture, save, classifier and target."""
        read = {kind: Patches.read(test, "rgb") for kind, test in tests.items()}
        with open_attacked(path) as file:
            every = range(len(file))
            saves = {"png": [file.images(place) for place in every]}
            if (file.aims >= 0).all():
                encoders = target_encoders(["target"], Path(self.plan.path("adversary/profiles")), file.targets)
                oracle = self.config.attack.methods[method].kind == "oracle"
                delivered = deliver(file, every, read, "target", encoders, oracle, self.config.seed)
                saves["delivered"] = [one.picture for one in delivered]
            origins = [(read[kind], row) for kind, row in zip(file.sets, file.rows, strict=True)]
            for save, saved in saves.items():
                levels = [
                    psnr(test.arrays["rgb"][row].numpy(), image)
                    for (test, row), image in zip(origins, saved, strict=True)
                ]
                for classifier, predicted in self._predictions(saved):
                    for place, (test, row) in enumerate(origins):
                        source = test.labels[test.label[row]]
                        aim = file.aims[place]
                        for target in (
                            [file.targets[aim]] if aim >= 0 else [one for one in file.targets if one != source]
                        ):
                            yield {
                                "method": method, "set": file.sets[place], "save": save, "classifier": classifier,
                                "photograph": test.photograph[row], "source": source, "target": target,
                                "predicted": predicted[place], "psnr": levels[place],
                            }  # fmt: skip

    def _predictions(self, pictures: list[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
        images = torch.from_numpy(np.stack(pictures))
        for path in map(Path, self.plan.classifiers()):
            classifier, labels = load_predictor(path, self.compute)
            yield path.stem, np.array(labels)[predict(classifier, images, self.compute).argmax(1)]


def _attack_spec(config: Config, method: str) -> AttackStageSpec:
    spec = AttackStageSpec.model_validate_json(stage_spec(config, "attack", method=method))
    return spec.model_copy(update={"photographs": PHOTOGRAPHS})


def _shortened(spec: Any, field: str, scale: float) -> Any:
    """A training's spec with its steps scaled; at least one remains."""
    inner = getattr(spec, field)
    training: TrainingSpec = inner.training
    shorter = training.model_copy(update={"steps": max(1, round(scale * training.steps))})
    return spec.model_copy(update={field: inner.model_copy(update={"training": shorter})})


def summarise(rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    """For each set and save: targeted and untargeted success as means over the classifiers F, the worst F, their accuracy on
    these pictures, and PSNR in dB. Of cameras that F do not know (`out`) neither accuracy nor untargeted success is defined.
    """
    results = []
    for (kind, save), part in rows.groupby(["set", "save"]):
        hits, right = part.predicted == part.target, part.predicted == part.source
        accuracies = right.groupby(part.classifier).mean()
        targeted = rate(hits, part.photograph, RESAMPLES, derive_seed(seed, "paper-scale", kind, save))
        by_classifier = hits.groupby(part.classifier).mean()
        levels = part.drop_duplicates(["photograph", "target"]).psnr
        finite = levels[np.isfinite(levels)]
        results.append(
            {
                "set": kind,
                "save": save,
                "pictures": len(levels),
                "targeted": [round(value, 4) for value in targeted],
                "untargeted": round(1 - float(right.mean()), 4) if kind == "in" else None,
                "by_classifier": {name: round(float(value), 4) for name, value in by_classifier.items()},
                "accuracy": {name: round(float(value), 4) for name, value in accuracies.items() if kind == "in"},
                "psnr": round(float(finite.mean()), 2) if len(finite) else None,
                "psnr_p05": round(float(finite.quantile(0.05)), 2) if len(finite) else None,
            }
        )
    return results
