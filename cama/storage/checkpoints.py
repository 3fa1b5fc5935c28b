"""The saved state of a training, from which it continues after it was killed."""

import hashlib
import json
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from cama.core.errors import CamaError
from cama.storage.files import write_text
from cama.storage.finished_states import DONE
from cama.storage.model_files import read_tensors, save_tensors

SAVE_EVERY_S = 60.0  # a kill loses at most this much training


class Checkpoint:
    """The state of one training, in a folder that is no output of the workflow, so that no restart deletes it.

    The folder's name is the hash of `identity` (spec, code, and content of the inputs): a training of another identity has
    another folder. `hardware` is the device, precision and torch version; a state of another is an error, since the weights
    would depend on when the training was interrupted. A state is a tree of dicts, lists, tensors and JSON scalars: tensors
    are stored as safetensors, the rest as JSON in its header, and nothing is unpickled.
    """

    def __init__(
        self, root: Path, identity: dict[str, Any], hardware: dict[str, str] | None = None, every_s: float | None = None
    ) -> None:
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = root / key
        self.path = self.folder / "state.safetensors"
        self.hardware = hardware or {}
        self.every_s = SAVE_EVERY_S if every_s is None else every_s
        self._lock: IO[bytes] | None = None
        self._saved_at = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "identity.json", json.dumps(identity, indent=1, sort_keys=True))

    def lock(self) -> None:
        """Keep other processes out of this training until this process ends, however it ends."""
        import fcntl  # absent on Windows, where photographs can be anonymized but no network trained

        self._lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CamaError(
                f"{self.folder}: found another process in this training, expected none; wait until it ends, or end it"
            ) from None
        except OSError:
            pass  # a file system without locks

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved_at >= self.every_s

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state atomically."""
        tensors: dict[str, np.ndarray] = {}
        tree = _pack({"hardware": self.hardware, "state": state}, "", tensors)
        save_tensors(self.path, tensors, tree)
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none."""
        if not self.path.exists():
            return None
        anew = f"delete {self.folder} to begin this training anew"
        try:
            saved = _unpack(*read_tensors(self.path))
        except CamaError as error:
            raise CamaError(f"{error}; {anew}") from error
        if saved["hardware"] != self.hardware:
            found, here = (", ".join(names.values()) for names in (saved["hardware"], self.hardware))
            raise CamaError(f"{self.path}: found a state of {found}, expected one of {here}: go on there, or {anew}")
        return saved["state"]

    def finish(self) -> None:
        """Mark the training as finished, once its results are written. The state stays until the whole workflow has succeeded:
        until then a lost result is written again from it.
        """
        write_text(self.folder / DONE, "")


def _pack(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().numpy()
        return {"tensor": name}
    if isinstance(value, dict):
        # pairs, since JSON would turn the integer keys of optimiser states into strings
        return {"dict": [[key, _pack(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_pack(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]}
    return {"value": value}


def _unpack(tensors: dict[str, np.ndarray], tree: Any) -> Any:
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return torch.from_numpy(tensors[content])
    if kind == "dict":
        return {key: _unpack(tensors, item) for key, item in content}
    if kind == "list":
        return [_unpack(tensors, item) for item in content]
    return content
