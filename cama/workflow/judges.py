"""Where the files of judges lie, and what they are made of. It imports nothing slow, as `plan`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cama.core.errors import CamaError
from cama.data.listing import list_pictures
from cama.settings.judges import JudgeSpec, check_targets, read_judge
from cama.workflow.jobs import named
from cama.workflow.paths import Files, Paths


@dataclass(frozen=True)
class JudgePaths(Paths):
    """Files of the judges of a checked config."""

    @cached_property
    def judge_specs(self) -> dict[str, JudgeSpec]:
        """The description of each judge, from its YAML file. A missing or wrong one is a CamaError, and so is a classifier that
        does not know a target.
        """
        found = {}
        for name, path in self.config.examiner.judges.items():
            spec = found[name] = read_judge(Path(path))
            if spec.kind == "classifier":
                check_targets(Path(path), spec.labels, self.config.models.in_distribution)
            if spec.patch > self.config.patches.window:
                side = self.config.patches.window
                raise CamaError(
                    f"{path}: patch: found {spec.patch}, expected at most {side}, the side of test pictures"
                )
        return found

    def judge_inputs(self, name: str) -> Files:
        """The files of a judge, by the options of the stages: its YAML file, and its network's."""
        path, network = Path(self.config.examiner.judges[name]), self.judge_specs[name].network
        files = {"judge": [path], "network": [path.parent / network] if network else []}
        return {option: named(f"examiner.judges.{name}", paths) for option, paths in files.items()}

    def reference_inputs(self, name: str) -> Files:
        """What a judge's fingerprints are made of, by the options of the stage: the examiner's photographs, cut as those of the
        test are, where it names none of its own.
        """
        own = self.judge_specs[name].references
        return {**self.judge_inputs(name), "patches": [] if own else [self.patches("examiner", "whole")]}

    def reference_photographs(self, name: str) -> list[str]:
        """The photographs that a judge names as its own references."""
        path, own = Path(self.config.examiner.judges[name]), self.judge_specs[name].references
        return named(f"examiner.judges.{name}", list_pictures(path.parent / own).photographs) if own else []

    def judgement_inputs(self, name: str) -> Files:
        """What a judge needs to score a method beside its pictures, by the options of the stage."""
        fitted = self.judge_specs[name].kind == "fingerprint"
        own = {"fingerprints": [self.path(f"judges/{name}.safetensors")] if fitted else []}
        return {**self.judge_inputs(name), **own, **self.tests(), **self.delivery_inputs()}
