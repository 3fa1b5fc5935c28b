"""Weights of networks as model files, and back. Apart from `model_files`, since that needs no torch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cama.core.errors import CamaError
from cama.storage.model_files import read_model, save_tensors

M = TypeVar("M", bound=nn.Module)


def to_numpy(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays."""
    return {name: value.detach().cpu().numpy() for name, value in tensors.items()}


def to_torch(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Arrays as tensors, of the same memory."""
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def save_model(path: Path, model: nn.Module, header: dict[str, Any]) -> None:
    """Write a network's weights and buffers; `header` must fit into JSON."""
    save_tensors(path, to_numpy(model.state_dict()), header)


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
    model.load_state_dict(to_torch(kept), strict=False)


def load_weights(build: Callable[[], M], state: Mapping[str, np.ndarray], path: Path) -> M:
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
    model.load_state_dict(to_torch(state))
    return model.eval()
