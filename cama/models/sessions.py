"""Networks of a model file, run by ONNX Runtime."""

import threading
from functools import cache
from typing import Any

import numpy as np
import onnxruntime

from cama.core.errors import CamaError

# where the library would look for weights in other files, which a network of a model file does not have
ELSEWHERE = "session.model_external_initializers_file_folder_path", "/dev/null"


class Network:
    """An ONNX network, which several threads may call at a time: each call computes on one core.

    It is opened when it is first called, since most uses need few of a file's networks.
    """

    def __init__(self, data: bytes, inputs: tuple[str, ...], output: str, name: str, columns: int = 0) -> None:
        """`inputs` and `output`: what it must have, by name. `name`: what errors call it. The output has the shape of the first
        input, or as many `columns` for each of its pictures.
        """
        self._columns = columns
        self._data, self._inputs, self._output, self._name = data, inputs, output, name
        self._session: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()

    def __call__(self, *values: np.ndarray) -> np.ndarray:
        """The output for the inputs, in their order. A network that cannot be run is a CamaError."""
        try:
            with self._lock:
                self._session = self._session or self._open()
            found = self._session.run([self._output], dict(zip(self._inputs, values, strict=True)))[0]
        except CamaError:
            raise
        except Exception as error:  # the library's own have no class in common
            raise CamaError(f"{self._name} cannot be run ({_reason(error)})") from error
        if found.dtype != np.float32 or not np.isfinite(found).all():
            raise CamaError(f"{self._name}: found an output that is no number, expected numbers")
        expected = (len(values[0]), self._columns) if self._columns else values[0].shape
        if found.shape != expected:
            raise CamaError(f"{self._name}: found an output of the shape {found.shape}, expected {expected}")
        return found

    def _open(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry(*ELSEWHERE)
        options.add_session_config_entry("session.use_env_allocators", "1")
        _share_memory()
        session = onnxruntime.InferenceSession(self._data, options, providers=["CPUExecutionProvider"])
        found = [tuple(one.name for one in ends) for ends in (session.get_inputs(), session.get_outputs())]
        if found != [self._inputs, (self._output,)]:
            raise CamaError(
                f"{self._name}: found the inputs {', '.join(found[0])} and outputs {', '.join(found[1])}, expected"
                f" {', '.join(self._inputs)} and {self._output}"
            )
        return session


@cache
def _share_memory() -> None:
    """Let all networks take memory from one store that keeps it: one of each would keep as much again, and memory that is
    given back and taken anew takes a fifth of the time.
    """
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg(0, -1, -1, -1))


def _reason(error: Any) -> str:
    """What the library says, in one line."""
    return " ".join(str(error).split()).rpartition("[ONNXRuntimeError] : ")[2][:300] or type(error).__name__
