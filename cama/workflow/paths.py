"""Where the files of a run lie: results, photographs and patches. It imports nothing slow, as `plan`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from cama.core.errors import CamaError
from cama.data.listing import list_photographs, list_scenes
from cama.settings.config import Config
from cama.workflow.jobs import named

Files = dict[str, list[str]]


@dataclass(frozen=True)
class Paths:
    """Files of a checked config. Paths are relative to the folder in which Snakemake runs; names in braces in them are
    Snakemake's wildcards.
    """

    config: Config

    def path(self, name: str) -> str:
        """A file or folder of the results."""
        return f"{self.config.results}/{name}"

    def paths(self, pattern: str, names: Iterable[str]) -> list[str]:
        """A file of the results for each name, which takes the place of `{}`."""
        return [self.path(pattern.replace("{}", name)) for name in names]

    def log(self, name: str) -> str:
        """The log of a job."""
        return self.path(f"logs/{name}.log")

    def benchmark(self, name: str) -> str:
        """The file of a job's time and memory."""
        return self.path(f"benchmarks/{name}.tsv")

    def state(self, output: str) -> list[str]:
        """The option for the folder of a training's state: named as its first output, below `state`."""
        before, results, name = output.partition(f"{self.config.results}/")
        return ["--state", f"{before}{results}state/{PurePosixPath(name).with_suffix('')}"]

    @property
    def root(self) -> str:
        """The folder of the photographs."""
        dataset = self.config.dataset
        return self.path("photographs") if dataset.kind == "simulated" else dataset.root

    @cached_property
    def photographs(self) -> list[str]:
        """What the manifest lists: a folder for each simulated camera, or every JPEG of the data set.

        Raises CamaError where a name has what Snakemake takes for a wildcard.
        """
        if self.config.dataset.kind == "simulated":
            return self.paths("photographs/{}", self.models)
        return named("dataset.root", list_photographs(Path(self.root)).photographs)

    @cached_property
    def originals(self) -> list[str]:
        """The photographs of which container profiles are learnt in place of the adversary's. Raises CamaError as `photographs`
        does, and where the folder has none.
        """
        folder = self.config.dataset.originals
        if not folder:
            return []
        found = list_photographs(Path(folder)).photographs if Path(folder).is_dir() else []
        if not found:
            raise CamaError(
                f"config: dataset.originals: found no photographs in {folder!r}, expected a folder with some"
            )
        return named("dataset.originals", found)

    @cached_property
    def scenes(self) -> list[str]:
        """The photographs that serve simulated cameras as scenes, if any. Raises CamaError as `photographs` and `list_scenes`
        do.
        """
        simulation = self.config.simulation
        if self.config.dataset.kind != "simulated" or not simulation.scenes:
            return []
        listing = list_scenes(Path(simulation.scenes), len(simulation.devices(self.config.models)))
        return named("simulation.scenes", listing.photographs)

    def manifest_options(self) -> list[str]:
        """Where the manifest finds photographs: the simulated cameras' folders, or that of the data set."""
        folders = self.photographs if self.config.dataset.kind == "simulated" else [self.root]
        return ["--photographs", *folders, *self.root_option()]

    def root_option(self) -> list[str]:
        """The folder that the paths of the manifest are relative to."""
        return ["--root", self.root]

    @property
    def models(self) -> list[str]:
        """All camera models."""
        return [*self.config.models.in_distribution, *self.config.models.out_of_distribution]

    def patches(self, role: str, phase: str = "") -> str:
        """The patch file of a role; without `phase` on the crop phase of its owner."""
        return self.path(f"patches/{role}-{phase or self.config.phase(role)}.h5")

    def tests(self) -> Files:
        """What is attacked of the test photographs of the known and of the unknown camera models: F's crops, or with a margin
        windows around them, whose origins are multiples of 16 pixels on any phase of the crops.
        """
        phase = "whole" if self.config.patches.margin else ""
        return {"inside": [self.patches("test", phase)], "outside": [self.patches("test_outdist", phase)]}

    def delivery_inputs(self) -> Files:
        """The container profiles, where the encoder of the target camera is a save."""
        return {"profiles": [self.path("adversary/profiles")]} if "target" in self.config.evaluation.saves else {}

    def caption(self, path: str) -> dict[str, Any]:
        """How Snakemake's own report shows a result: its category, the file of its caption, and the label of a plot."""
        folder, name = PurePosixPath(path).parent.name, PurePosixPath(path).stem
        captions = {"plots": name.partition("_")[0], "tables": "tables"}
        if folder == "tables" and name in ("detection", "devices"):
            captions["tables"] = "detectability"
        if folder == "tables" and name.startswith("joined"):
            captions["tables"] = "joined"
        labels = {"labels": {"plot": name}} if folder == "plots" else {}
        return {"category": folder.capitalize(), "caption": f"captions/{captions.get(folder, folder)}.rst", **labels}
