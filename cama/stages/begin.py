"""What every training stage does before its first step."""

from pathlib import Path
from typing import Any

from cama import distributed
from cama.checkpoint import Checkpoint
from cama.device import resolved
from cama.errors import CamaError
from cama.hdf5 import content_hash
from cama.imports import code_digest
from cama.settings.stages import DetectStageSpec, TrainClassifierSpec, TrainEstimatorSpec, TrainGeneratorSpec

Training = TrainEstimatorSpec | TrainClassifierSpec | TrainGeneratorSpec | DetectStageSpec


def begin(stage: str, spec: Training, state: Path, *inputs: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """The checkpoint of this spec, code and inputs, and the record that goes into the model's header."""
    for path in inputs:
        if not path.exists():
            raise CamaError(f"{path}: no such file")
    record = {"spec": spec.model_dump(mode="json"), "inputs": {path.name: content_hash(path) for path in inputs}}
    identity = {**record, "code": code_digest(f"cama.stages.{stage}")}
    checkpoint = Checkpoint(state, identity, resolved(spec.compute))
    if distributed.rank() == 0:
        checkpoint.lock()
    return checkpoint, record
