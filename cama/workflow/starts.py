"""The networks of another run that the adversary's begin as. It imports nothing slow, as `plan`."""

from dataclasses import dataclass
from pathlib import Path

from cama.core.errors import CamaError
from cama.core.names import run_of
from cama.workflow.judges import JudgePaths


@dataclass(frozen=True)
class StartPaths(JudgePaths):
    """Files that trainings begin with."""

    def start(self, *names: str) -> list[str]:
        """The networks of another run, by their names below its `adversary`, that a training begins as. A missing one is an
        error of one line.
        """
        folder = self.config.adversary.start
        paths = [f"{folder}/adversary/{name}.safetensors" for name in names] if folder else []
        if missing := [path for path in paths if not Path(path).exists()]:
            raise CamaError(
                f"config: adversary.start: found no {missing[0]}, expected the results of a run with this network"
            )
        return paths

    def start_splits(self) -> list[str]:
        """What that run was trained on, which must be nobody else's here."""
        folder = self.config.adversary.start
        if folder and not Path(folder, "splits.csv").exists():
            raise CamaError(f"config: adversary.start: found no {folder}/splits.csv, expected the results of a run")
        return [f"{folder}/splits.csv"] if folder else []

    def estimator_start(self, owner: str) -> list[str]:
        """The estimator that the adversary's begins as; the examiner's begins anew."""
        return self.start("estimator") if owner == "adversary" else []

    def evaluator_start(self, name: str) -> list[str]:
        """The classifier that one of E begins as; what is no network is fitted anew."""
        return [] if self.config.adversary.evaluators[name].net.non_neural else self.start(f"evaluators/{name}")

    def generator_start(self, run: str) -> list[str]:
        """The generator and the discriminators that a training begins as; of several trainings all begin as the first."""
        name = run_of(run)[0]
        return self.start(f"generators/{name}", f"discriminators/{name}")

    def starts(self) -> list[str]:
        """All networks of another run that trainings of this one begin as."""
        config = self.config
        evaluators = [path for name in config.adversary_classifiers for path in self.evaluator_start(name)]
        generators = [path for name in config.used_generators for path in self.generator_start(name)]
        nets = [config.adversary.evaluators[name].net for name in config.adversary_classifiers]
        estimators = self.estimator_start("adversary") if any(net.needs_estimator for net in nets) else []
        return [*estimators, *evaluators, *generators]
