"""What every training stage does before its first step."""

from pathlib import Path
from typing import Any

from cama.compute import processes
from cama.compute.device import resolved
from cama.core.errors import CamaError
from cama.settings.stages import (
    DetectStageSpec,
    TrainClassifierSpec,
    TrainEstimatorSpec,
    TrainGeneratorSpec,
    TrainInformedSpec,
)
from cama.storage.checkpoints import Checkpoint
from cama.storage.hdf5 import content_hashes
from cama.workflow.code_inputs import code_digest


class States(list[Checkpoint]):
    """The states of a stage that trains several networks."""

    def finish(self) -> None:
        """Mark all of them as finished."""
        for state in self:
            state.finish()


Training = TrainEstimatorSpec | TrainClassifierSpec | TrainInformedSpec | TrainGeneratorSpec | DetectStageSpec


def begin(stage: str, spec: Training, state: Path, *inputs: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """The checkpoint of this spec, code and inputs, and the record (spec, hashes of inputs) for the model's header."""
    for path in inputs:
        if not path.exists():
            raise CamaError(f"{path}: no such file")
    record = {"spec": spec.model_dump(mode="json"), "inputs": content_hashes(inputs)}
    identity = {**record, "code": code_digest(f"cama.stages.{stage}")}
    checkpoint = Checkpoint(state, identity, resolved(spec.compute))
    if processes.rank() == 0:
        checkpoint.lock()
    return checkpoint, record
