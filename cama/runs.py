"""What every training and inference needs: device, precision, model files, checkpoints."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cama.errors import CamaError
from cama.files import atomic, write_text

HEADER_KEYS = {
    "estimator": ("net",),
    "classifier": ("net", "labels", "estimator"),
    "generator": ("net", "labels"),
}


def pick_device(name: str) -> torch.device:
    """`auto` takes the GPU where there is one. Asking for one where there is none is an error."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise CamaError("device: found no GPU, expected one; set `compute.device: cpu` or `auto`")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` takes bfloat16 where the processor computes it natively, else float32."""
    if name == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bfloat16()
        name = "bfloat16" if fast else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16"))


# ---- model files ----------------------------------------------------------------------------------------------------


def save_model(path: Path, model: nn.Module, header: dict[str, Any]) -> None:
    """Weights and buffers as safetensors, `header` (JSON) in the file's metadata under `cama`."""
    save_tensors(path, {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, header)


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Tensors on the CPU, of which no two share memory, as a model file with this header."""
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"cama": json.dumps(header, sort_keys=True)})


def read_header(path: Path) -> dict[str, Any]:
    """The header of a model file."""
    return _read(path, with_tensors=False)[1]


def read_model(path: Path, kind: str, with_tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict, empty unless `with_tensors`, and header of a model file of this kind."""
    state, header = _read(path, with_tensors)
    if header.get("kind") != kind:
        raise CamaError(f"{path}: found a model of kind {header.get('kind')!r}, expected {kind!r}")
    missing = [key for key in HEADER_KEYS.get(kind, ()) if key not in header]
    if missing:
        raise CamaError(f"{path}: found no {missing[0]!r} in the header, expected a model file of this project")
    return state, header


def load_weights(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Fill `model` from `state`; a file of another shape is an error that names the first misfit."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CamaError(f"{path}: the weights do not fit the network that its header describes ({first})") from error


def _read(path: Path, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.exists():
        raise CamaError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["cama"])
            if not isinstance(header, dict):
                raise CamaError(f"{path}: found a header that is no object, expected a model file of this project")
            tensors = {name: file.get_tensor(name) for name in file.keys()} if with_tensors else {}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise CamaError(f"{path}: not a model file of this project, or damaged ({error})") from error
    return tensors, header


# ---- checkpoints ----------------------------------------------------------------------------------------------------


class Checkpoint:
    """The state of a training, kept in a folder that the workflow does not declare, so that no restart deletes it.

    The folder is named by the hash of `identity` (the spec and the content of the inputs): another spec starts anew.
    State is a tree of dicts, lists, tensors and JSON scalars; tensors go to safetensors and the rest beside them in its
    header, so nothing is ever unpickled.
    """

    def __init__(self, root: Path, identity: dict[str, Any], every_s: float = 60.0) -> None:
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = root / key
        self.path = self.folder / "state.safetensors"
        self.every_s = every_s
        self._last = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "identity.json", json.dumps(identity, indent=1, sort_keys=True))

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._last >= self.every_s

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state atomically."""
        tensors: dict[str, Tensor] = {}
        tree = _pack(state, "", tensors)
        with atomic(self.path) as temporary:
            save_file(tensors, temporary, metadata={"cama": json.dumps(tree)})
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none."""
        if not self.path.exists():
            return None
        tensors, tree = _read(self.path, with_tensors=True)
        return _unpack(tree, tensors)

    def clear(self) -> None:
        """Forget the state once the result is written."""
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        # pairs, since JSON would turn the integer keys of optimiser states into strings
        return {"dict": [[key, _pack(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_pack(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]}
    return {"value": value}


def _unpack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpack(item, tensors) for key, item in content}
    if kind == "list":
        return [_unpack(item, tensors) for item in content]
    return content
