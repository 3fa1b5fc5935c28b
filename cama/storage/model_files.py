"""Model files: safetensors whose metadata have one key, `cama`. Its value is JSON: a `header`, and the `sha256` of the header
and all tensors, which is checked on reading. It is one key because the format does not keep the order of several.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cama.core.errors import CamaError
from cama.storage.files import atomic, delay_signals

M = TypeVar("M", bound=nn.Module)
HEADER_KEYS = {
    "estimator": ("net",),
    "classifier": ("net", "labels", "estimator"),
    "generator": ("net", "labels"),
}
# what safetensors, JSON and torch raise for a damaged file; a RecursionError of deep JSON is a RuntimeError
READ_ERRORS = (SafetensorError, KeyError, OSError, ValueError, RuntimeError, TypeError)


def save_model(path: Path, model: nn.Module, header: dict[str, Any]) -> None:
    """Write a network's weights and buffers; `header` must fit into JSON."""
    save_tensors(path, {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, header)


def save_tensors(path: Path, tensors: dict[str, Tensor], header: Any) -> None:
    """Write tensors, which are on the CPU and share no memory, with this header."""
    # keys as they stand: gradient steps go by E's classifiers in the order of the header
    text = json.dumps({"header": header, "sha256": _hash(tensors, header)})
    with atomic(path) as temporary:
        # not by `save_file`: its own temporary file would stay where the process is killed
        temporary.write_bytes(save(tensors, metadata={"cama": text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors and header of a file of `save_tensors`; a missing, damaged or foreign file is an error that names it."""
    if not path.exists():
        raise CamaError(f"{path}: no such model file")
    try:
        with delay_signals(), safe_open(path, framework="pt") as file:
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


def read_model(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict and header of a model file, which must be of this kind."""
    state, header = read_tensors(path)
    found = header.get("kind") if isinstance(header, dict) else None
    if found != kind:
        raise CamaError(f"{path}: found a model of kind {found!r}, expected {kind!r}")
    missing = [key for key in HEADER_KEYS.get(kind, ()) if key not in header]
    if missing:
        raise CamaError(f"{path}: found no {missing[0]!r} in the header, expected a model file of this project")
    return state, header


def begin_as(model: nn.Module, path: Path, kind: str, own: tuple[str, ...] = ()) -> None:
    """Give a network, before it is trained, the weights and buffers of a model file of this kind that have the names and shapes
    of its own. What has another shape, as the last layer for another number of labels, and names that begin with `own`, stay
    as they are. A file none of whose weights fit is a CamaError.
    """
    state, _ = read_model(path, kind)
    kept = {
        name: state[name]
        for name, value in model.state_dict().items()
        if name in state and state[name].shape == value.shape and not name.startswith(own)
    }
    if not kept:
        raise CamaError(f"{path}: found no weights of the shapes of this network, expected some to begin with")
    print(f"begins with {len(kept)} of {len(model.state_dict())} weights of {path}", flush=True)
    model.load_state_dict(kept, strict=False)


def load_weights(build: Callable[[], M], state: dict[str, Tensor], path: Path) -> M:
    """The network that `build` makes, in evaluation mode, with the weights of `state`. Weights of other names or shapes are an
    error that names the first. Shapes are compared before memory is taken, since a header may describe a network of any size.
    """
    with torch.device("meta"):
        described = build().state_dict()
    for name in sorted({*described, *state}):
        wanted, found = (list(one[name].shape) if name in one else "none" for one in (described, state))
        if wanted != found:
            difference = f"{name}: found {found}, expected {wanted}"
            raise CamaError(f"{path}: the weights do not fit the network that its header describes ({difference})")
    model = build()
    model.load_state_dict(state)
    return model.eval()


def _hash(tensors: dict[str, Tensor], header: Any) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
