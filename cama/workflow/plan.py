"""What a config asks of the workflow: the files of each stage, and what its jobs take. The rules read both from here.

It imports nothing slow (no torch, numpy or pandas), since Snakemake makes a plan at each start.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.core.names import PAIRS, run_names, run_of
from cama.data.listing import list_pictures
from cama.settings.config import Config
from cama.settings.spec import parse
from cama.settings.stages import stage_spec
from cama.settings.training import TrainingSpec
from cama.workflow.code_inputs import code_files
from cama.workflow.jobs import named, resources
from cama.workflow.paths import Files
from cama.workflow.starts import StartPaths

CONTROL_TABLES = ("controls", "scene_readers", "cue_swap", "photographs", "cameras")
ROLES = ("adversary", "examiner", "test", "examiner_outdist", "test_outdist")


def make_plan(values: Mapping[str, Any]) -> "Plan":
    """The plan of Snakemake's config. A fault of the config or of the photographs' folder is a CamaError of one line."""
    plan = Plan(parse(Config, values, "config"))
    if plan.config.dataset.kind != "simulated" and not Path(plan.root).is_dir():
        raise CamaError(f"config: dataset.root: found no folder {plan.root!r}, expected one with photographs")
    # for their errors
    _ = plan.photographs, plan.originals, plan.scenes, plan.judge_specs, plan.starts(), plan.start_splits()
    return plan


@dataclass(frozen=True)
class Plan(StartPaths):
    """Files and jobs of a checked config."""

    # ---- catalogues

    @cached_property
    def catalogues(self) -> dict[str, "Plan"]:
        """The plan of each catalogue of simulated cameras, by the name of its module: of one alone, this plan."""
        plans = map(Plan, self.config.catalogues)
        return {f"catalogue_{plan.config.simulation.catalogue_seeds[0]}": plan for plan in plans}

    @property
    def joined(self) -> bool:
        """Whether there are several catalogues, whose results are joined."""
        return len(self.catalogues) > 1

    def states(self) -> list[Path]:
        """The folders of the states of all trainings."""
        return [Path(plan.path("state")) for plan in self.catalogues.values()]

    # ---- trainings

    @property
    def runs(self) -> dict[str, list[str]]:
        """The trainings of each generator."""
        return {name: run_names(name, one.runs) for name, one in self.config.adversary.generators.items()}

    def generators(self, name: str) -> list[str]:
        """The models of all trainings of a generator."""
        return self.paths("adversary/generators/{}.safetensors", self.runs[name])

    @property
    def _second_trainings(self) -> list[str]:
        """The trainings of generators for informed classifiers."""
        return [run_names(name, run)[-1] for name, run in self.config.second_trainings.items()]

    def all_generators(self) -> list[str]:
        """The models of all trainings of all generators."""
        return [path for name in self.runs for path in self.generators(name)]

    def generator_evaluators(self, run: str) -> list[str]:
        """The classifiers of E in a generator's training."""
        return self.evaluators(self.config.adversary.generators[run_of(run)[0]].evaluators)

    def generator_inputs(self, run: str) -> Files:
        """What a generator's training needs beside the patches, by the options of the stage."""
        spec = self.config.adversary.generators[run_of(run)[0]]
        return {
            "evaluators": self.generator_evaluators(run),
            "judges": self.evaluators(spec.judges) if spec.judges else [],
            "profiles": [self.path("adversary/profiles")] if spec.encode else [],
            "start": self.generator_start(run),
        }

    def evaluators(self, names: Iterable[str] | None = None) -> list[str]:
        """The classifiers of E with these names, or all."""
        return self.paths("adversary/evaluators/{}.safetensors", names or self.config.adversary.evaluators)

    def classifiers(self, method: str = "") -> list[str]:
        """All target classifiers F, or those that score a method: informed ones score that from which they learnt, and what
        stands beside it, the untouched photographs and the oracle's.
        """
        methods, informed = self.config.attack.methods, self.config.examiner.informed
        beside = not method or methods[method].kind in ("identity", "oracle")
        knowing = [name for name, spec in informed.items() if beside or spec.method == method]
        return [*self.uninformed_classifiers(), *self.paths("classifiers/{}.safetensors", knowing)]

    def uninformed_classifiers(self) -> list[str]:
        """The target classifiers F that have seen no attacked picture."""
        return self.paths("classifiers/{}.safetensors", self.config.examiner.classifiers)

    def classifier_patches(self, name: str) -> list[str]:
        """The patch files that a target classifier trains on: with expanded labels those of the unknown models too."""
        expanded = self.config.examiner.classifiers[name].labels == "expanded"
        return [self.patches(role) for role in ("examiner", *(["examiner_outdist"] if expanded else []))]

    def informed_inputs(self, name: str) -> Files:
        """What an informed classifier trains on, and the one that it begins as."""
        spec = self.config.examiner.informed[name]
        return {
            "patches": self.classifier_patches(spec.classifier),
            "examples": [self.path(f"examples/{self._attacker_for(name)}.h5")],
            "start": [self.path(f"classifiers/{spec.classifier}.safetensors")],
        }

    def _attacker_for(self, informed: str) -> str:
        """The method that an informed classifier learns from, with the number of the generator's training."""
        method = self.config.examiner.informed[informed].method
        generator = self.config.attack.methods[method].generator
        return run_names(method, self.config.second_trainings[generator])[-1]

    def estimator(self, owner: str, name: str) -> list[str]:
        """The owner's own estimator, where the owner's classifier of this name needs one."""
        nets = self.config.adversary.evaluators if owner == "adversary" else self.config.examiner.classifiers
        return [self.path(f"{owner}/estimator.safetensors")] if nets[name].net.needs_estimator else []

    def training(self, kind: str, wildcards: Any) -> TrainingSpec:
        """How a job trains. `kind`: estimator, denoiser, evaluator, generator, informed or classifier."""
        adversary, examiner = self.config.adversary, self.config.examiner
        if kind == "denoiser":
            return adversary.denoiser.training
        if kind == "estimator":
            return (adversary if wildcards.owner == "adversary" else examiner).estimator.training
        if kind == "evaluator":
            return adversary.evaluators[wildcards.evaluator].training
        if kind == "generator":
            return adversary.generators[run_of(wildcards.generator)[0]].training
        if kind == "informed":
            return examiner.informed[wildcards.informed].training
        return examiner.classifiers[wildcards.name].training

    def python(self, kind: str) -> Callable[[Any], list[str]]:
        """The start of a training's command: Python, or torch's launcher where several processes train."""

        def words(wildcards: Any) -> list[str]:
            processes = self.training(kind, wildcards).processes
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            return ["python", *(launcher if processes > 1 else [])]

        return words

    # ---- attacks

    def uses_networks(self, method: str) -> bool:
        """Whether a method needs networks of the adversary."""
        return self.config.attack.methods[method].uses_networks

    def attack_inputs(self, method: str) -> Files:
        """What a method needs beside the test photographs, by the options of the stage. None of it is the examiner's."""
        spec = self.config.attack.methods[method]
        inputs: Files = {}
        if spec.generator:
            inputs["model"] = self.generators(spec.generator)
        if spec.refine:
            own = self.config.adversary.generators[spec.generator].evaluators
            inputs["evaluators"] = self.evaluators(spec.evaluators or own)
        if spec.auto:
            inputs["judges"] = self.evaluators(self.config.adversary.generators[spec.generator].judges)
        if spec.kind == "purify":
            inputs["model"] = [self.path("adversary/denoiser.safetensors")]
        if spec.gradient:
            inputs["evaluators"] = self.evaluators(spec.evaluators)
        if spec.kind == "oracle":
            inputs["oracle"] = self.paths("oracle/{}", self.models)
        if spec.kind == "spectrum":
            inputs["patches"] = [self.patches("adversary")]
        return inputs

    def attack_files(self, method: str) -> list[str]:
        """The files of a folder that another program attacked, which are no options of the stage."""
        spec = self.config.attack.methods[method]
        if spec.kind != "folder":
            return []
        folder = Path(spec.folder)
        paths = [folder / PAIRS, *list_pictures(folder).photographs]
        return named(f"attack.methods.{method}", paths)

    @property
    def attackers(self) -> list[str]:
        """Who attacks photographs of the examiner: methods that are to be detected, and the second trainings for informed
        classifiers.
        """
        return [*self.config.detection.methods, *map(self._attacker_for, self.config.examiner.informed)]

    def example_inputs(self, attacker: str) -> Files:
        """What a method needs to attack the examiner's photographs: of its generator one training alone."""
        method, run = run_of(attacker)
        spec, inputs = self.config.attack.methods[method], self.attack_inputs(method)
        if spec.generator:
            inputs["model"] = [self.path(f"adversary/generators/{run_names(spec.generator, run)[-1]}.safetensors")]
        return inputs

    def attacked(self, methods: Iterable[str] | None = None) -> list[str]:
        """The attacked photographs of these methods, or of all."""
        return self.paths("attacks/{}.h5", self.config.attack.methods if methods is None else methods)

    def package_inputs(self, method: str) -> Files:
        """The trainings of a method's generator, the classifiers of E that they were made with, and its judges."""
        generator = self.config.attack.methods[method].generator
        spec = self.config.adversary.generators[generator]
        judges = self.evaluators(spec.judges) if spec.judges else []
        return {"model": self.generators(generator), "evaluators": self.evaluators(spec.evaluators), "judges": judges}

    # ---- results

    @property
    def tabled(self) -> list[str]:
        """All methods but those that choose their targets."""
        return [name for name in self.config.attack.methods if name not in self.config.auto_methods]

    def rows(self) -> list[str]:
        """The rows of these methods, under target classifiers and under judges."""
        judged = [f"{name}/{{}}" for name in self.config.examiner.judges]
        patterns = ["rows/{}.csv", *(f"judgements/{one}.csv" for one in judged)]
        return [path for pattern in patterns for path in self.paths(pattern, self.tabled)]

    def table_inputs(self) -> Files:
        """What the tables are made of, by the options of the stage."""
        auto = self.paths("rows/{}.csv", self.config.auto_methods)
        found = {"rows": self.rows(), "auto": auto, "readers": [self.path("controls/scene_readers.csv")]}
        return {**found, "detections": self.detections(), "devices": self.devices()}

    def join_inputs(self) -> Files:
        """What is joined of all catalogues, by the options of the stage."""
        plans = self.catalogues.values()
        return {
            "rows": [path for plan in plans for path in plan.rows()],
            "controls": [plan.path("controls/controls.csv") for plan in plans],
            "readers": [plan.path("controls/scene_readers.csv") for plan in plans],
            "detection": [plan.path("tables/detection.csv") for plan in plans if self.config.detection.methods],
        }

    def pages(self) -> list[str]:
        """The report's page of each catalogue."""
        return [plan.page() for plan in self.catalogues.values()]

    def detections(self) -> list[str]:
        """The scores of all detectors."""
        return self.paths("detections/{}.csv", self.config.detection.methods)

    def devices(self) -> list[str]:
        """All comparisons with device fingerprints."""
        return self.paths("devices/{}.csv", self.config.detection.devices)

    def tables(self, *kinds: str) -> list[str]:
        """All tables, as files of these kinds, or of all kinds."""
        detection = self.config.detection
        names = ["summary", "transfer", "per_label"]
        names += ["paired"] if self.config.tables.baseline else []
        names += ["auto"] if self.config.auto_methods else []
        names += ["detection"] if detection.methods else []
        names += ["devices"] if detection.devices else []
        return [self.path(f"tables/{name}.{kind}") for name in names for kind in kinds or ("csv", "md", "tex")]

    def joined_tables(self, *kinds: str) -> list[str]:
        """The tables over all catalogues, as files of these kinds, or of all kinds."""
        names = ["joined", *(["joined_paired"] if self.config.tables.baseline else [])]
        names += ["joined_controls", "joined_scene_readers"]
        names += ["joined_detection"] if self.config.detection.methods else []
        return [self.path(f"tables/{name}.{kind}") for name in names for kind in kinds or ("csv", "md", "tex")]

    def results(self) -> list[str]:
        """What a whole run makes: report, tables and model files of each catalogue, and of several the joined tables and their
        page.
        """
        each = [
            path for plan in self.catalogues.values() for path in (plan.page(), *plan.tables(), *plan.model_files())
        ]
        return [*each, *([*self.joined_tables(), self.page()] if self.joined else [])]

    def plots(self) -> list[str]:
        """All plots."""
        config = self.config
        names = ["success_psnr", "confusion", "curves"]
        names += ["per_label"] if config.plots.methods else []
        names += ["roc", "success_auc"] if config.detection.methods else []
        names += ["paired"] if config.tables.baseline else []
        names += ["saves"] if len(config.evaluation.saves) > 1 else []
        kinds = ["in", "out"] if config.models.out_of_distribution else ["in"]
        names += [f"samples_{method}_{kind}" for method in config.plots.methods for kind in kinds]
        names += [f"traces_{method}" for method in config.plots.methods]
        return self.paths("plots/{}.png", names)

    def plot_inputs(self) -> Files:
        """What the plots show beside rows, tables and curves, by the options of the stage."""
        paired = [self.path("tables/paired.csv")] if self.config.tables.baseline else []
        attacked = self.attacked(self.config.plots.methods)
        found = {"attacked": attacked, "detections": self.detections(), "paired": paired}
        return {**self.tests(), **found, **(self.delivery_inputs() if attacked else {})}

    def curves(self) -> list[str]:
        """The training curves of all networks that the methods and the target classifiers depend on."""
        config, evaluators = self.config, self.config.adversary_classifiers
        owned = (("adversary", evaluators), ("examiner", list(config.examiner.classifiers)))
        first, second = (
            [f"{owner}/estimator"] if any(self.estimator(owner, name) for name in names) else []
            for owner, names in owned
        )
        first += ["adversary/denoiser"] if config.uses_denoiser else []
        first += [f"adversary/evaluators/{name}" for name in evaluators]
        first += [f"adversary/generators/{run}" for name in config.used_generators for run in self.runs[name]]
        second += [f"adversary/generators/{run}" for run in self._second_trainings]
        second += [f"classifiers/{name}" for name in (*config.examiner.classifiers, *config.examiner.informed)]
        return self.paths("{}.csv", first + second)

    def controls(self) -> list[str]:
        """The tables of the controls."""
        return self.paths("controls/{}.csv", CONTROL_TABLES)

    def page(self) -> str:
        """The report's page: of this catalogue, or over all of several."""
        return self.path("report/index.html")

    def model_files(self) -> list[str]:
        """The model files: one for each method that is a trained generator, and leaves the choice of the target to its user."""
        methods = self.config.attack.methods.items()
        return self.paths("models/{}.safetensors", [name for name, spec in methods if spec.generator and not spec.auto])

    # ---- jobs

    def spec(self, stage: str, **wildcards: str) -> str:
        """The settings of a job as one string, which Snakemake compares with that of the last run."""
        return stage_spec(self.config, stage, **wildcards)

    def code(self, stage: str) -> list[str]:
        """The files of the package that the results of a stage depend on; `stage` is the name of its module."""
        return [os.path.relpath(path) for path in code_files(f"cama.stages.{stage}")]

    def wildcards(self) -> dict[str, str]:
        """The pattern of each wildcard."""
        config = self.config
        names = {
            "model": self.models,
            "role": ROLES,
            "phase": ("aligned", "random", "whole"),
            "owner": ("adversary", "examiner"),
            "evaluator": config.adversary.evaluators,
            "generator": [
                *(run for name in config.adversary.generators for run in self.runs[name]),
                *self._second_trainings,
            ],
            "informed": config.examiner.informed,
            "name": config.examiner.classifiers,
            "judge": config.examiner.judges,
            "method": config.attack.methods,
            "attacker": self.attackers,
        }
        return {wildcard: "|".join(map(re.escape, values)) or "none" for wildcard, values in names.items()}

    @property
    def gpus(self) -> int:
        """How many GPUs a job asks for that computes with networks."""
        return 1 if self.config.compute.device == "cuda" else 0

    def attack_gpus(self, wildcards: Any) -> int:
        """How many GPUs an attack asks for."""
        return self.gpus if self.uses_networks(_method(wildcards)) else 0

    def training_threads(self, kind: str) -> Callable[[Any], int]:
        """The threads of a training, of all its processes together."""
        each = self.config.adversary.threads if kind == "generator" else 1
        return lambda wildcards: each * self.training(kind, wildcards).processes

    def training_resources(self, kind: str, runtime: int) -> dict[str, Any]:
        """`resources` of a training: each of its processes takes the memory and the GPU of one."""

        def processes(wildcards: Any) -> int:
            return self.training(kind, wildcards).processes

        gpu = {"gpu": lambda wildcards: self.gpus * processes(wildcards)}
        return resources(runtime, mem_mb=4000, share=2, processes=processes) | gpu


def _method(wildcards: Any) -> str:
    """The method of a job that attacks photographs of the test or of the examiner."""
    return run_of(wildcards.attacker)[0] if hasattr(wildcards, "attacker") else wildcards.method
