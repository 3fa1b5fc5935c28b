"""Model files: safetensors whose metadata have one key, `cama`. Its value is JSON: a `header`, and the `sha256` of the header
and all tensors, which is checked on reading. It is one key because the format does not keep the order of several.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cama.core.errors import CamaError
from cama.storage.files import atomic, delay_signals

HEADER_KEYS = {
    "estimator": ("net",),
    "classifier": ("net", "labels", "estimator"),
    "generator": ("net", "labels"),
}
# what safetensors, JSON and numpy raise for a damaged file; a RecursionError of deep JSON is a RuntimeError
READ_ERRORS = (SafetensorError, KeyError, OSError, ValueError, RuntimeError, TypeError)


def save_tensors(path: Path, tensors: dict[str, np.ndarray], header: Any) -> None:
    """Write tensors with this header, which must fit into JSON."""
    tensors = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    # keys as they stand: gradient steps go by E's classifiers in the order of the header
    text = json.dumps({"header": header, "sha256": _hash(tensors, header)})
    with atomic(path) as temporary:
        # not by `save_file`: its own temporary file would stay where the process is killed
        temporary.write_bytes(save(tensors, metadata={"cama": text}))


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Tensors and header of a file of `save_tensors`; a missing, damaged or foreign file is an error that names it."""
    if not path.is_file():
        raise CamaError(f"{path}: no such model file")
    try:
        with delay_signals(), safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stored = json.loads(metadata["cama"])
        header, expected = stored["header"], stored["sha256"]
        found = _hash(tensors, header)
    except READ_ERRORS as error:
        raise CamaError(f"{path}: not a model file of this project, or damaged ({error})") from error
    if found != expected:
        raise CamaError(f"{path}: damaged: found content that is not what its hash says")
    return tensors, header


def read_header(path: Path) -> dict[str, Any]:
    """The header of a model file."""
    header = read_tensors(path)[1]
    if not isinstance(header, dict):
        raise CamaError(f"{path}: found a header that is no object, expected a model file of this project")
    return header


def read_model(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and header of a model file, which must be of this kind."""
    state, header = read_tensors(path)
    found = header.get("kind") if isinstance(header, dict) else None
    if found != kind:
        raise CamaError(f"{path}: found a model of kind {found!r}, expected {kind!r}")
    missing = [key for key in HEADER_KEYS.get(kind, ()) if key not in header]
    if missing:
        raise CamaError(f"{path}: found no {missing[0]!r} in the header, expected a model file of this project")
    labels = header.get("labels", [])
    if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
        raise CamaError(f"{path}: found labels that are no list of names, expected a model file of this project")
    return state, header


def _hash(tensors: dict[str, np.ndarray], header: Any) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        # the type as torch spells it, in which networks are trained
        digest.update(f"\0{name} torch.{tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(np.asarray(tensor, order="C").reshape(-1).view(np.uint8))
    return digest.hexdigest()
