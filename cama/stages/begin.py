"""What every training stage does before its first step."""

from pathlib import Path
from typing import Any

from cama import distributed
from cama.checkpoint import Checkpoint
from cama.errors import CamaError
from cama.hdf5 import content_hash
from cama.imports import code_digest
from cama.settings.strict import Spec


def begin(stage: str, spec: Spec, state: Path, *inputs: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """The checkpoint of this spec, code and inputs, and the record that goes into the model's header."""
    for path in inputs:
        if not path.exists():
            raise CamaError(f"{path}: no such file")
    record = {"spec": spec.model_dump(mode="json"), "inputs": {path.name: content_hash(path) for path in inputs}}
    checkpoint = Checkpoint(state, {**record, "code": code_digest(f"cama.stages.{stage}")})
    if distributed.rank() == 0:
        checkpoint.lock()
    return checkpoint, record
