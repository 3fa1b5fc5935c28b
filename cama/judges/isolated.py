"""An ONNX network in a process of its own: the file is anybody's, and may ask for endless time or memory, or for other files.

The process computes on one thread, and on Linux opens no file once it has begun, so that a network's weights can only lie in
its own file, and has a limit of memory. Each call has a limit of time. The process ends with the one that started it.

    python -P -m cama.judges.isolated BYTES < NETWORK AND INPUTS

Both directions carry messages: a line of JSON, and as many bytes as it says.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cama.core.errors import CamaError

SECONDS = 120  # for one call; a large network takes a second for a batch of patches
MEMORY = 6 * 2**30  # bytes of addresses that the process may take, those of the library among them
LARGEST = 2**30  # bytes of a network's file
LINE = 2**16  # bytes of a message's line, at most
VALUES = 16 * 3 * 512 * 512  # of one call's input, at most, where the network takes any number of patches
NAMES, LETTERS = 4, 80  # of inputs and outputs that are named, and of a name
OF_WORK = 0.5  # seconds between two looks whether the process that started this one is still there


class OnnxNetwork:
    """A network of one input (N, C, H, W) or (N, H, W, C), float32, and one output, float32.

    Attributes: `shape`, that of its input, with numbers where it is fixed.
    """

    def __init__(self, path: Path) -> None:
        """Read the file and start its process. A file that is no such network is a CamaError."""
        self.path, self._process = path, None
        self._data = _read(path)
        described = self._start()
        (self.shape,) = self._shapes(described, "inputs", 4)
        self._shapes(described, "outputs", 0)
        self._batch = self.shape[0] if isinstance(self.shape[0], int) else None  # None: any
        if self._batch == 0:
            raise CamaError(f"{path}: found an input for 0 patches, expected one for any number, or for some")

    def _shapes(self, described: dict[str, Any], key: str, axes: int) -> list[list[Any]]:
        found, count = described[key], described["count"][key]
        if count != 1:
            names = ", ".join(one["name"] for one in found)
            raise CamaError(f"{self.path}: found {count} {key} ({names}), expected one")
        kind, shape = found[0]["type"], found[0]["shape"]
        if kind != "tensor(float)" or (axes and len(shape) != axes):
            expected = f"tensor(float) of {axes} axes" if axes else "tensor(float)"
            raise CamaError(f"{self.path}: found the {key[:-1]} {found[0]['name']} {kind} {shape}, expected {expected}")
        return [shape]

    @property
    def at_once(self) -> int | None:
        """How many patches a call must have, where the network fixes that."""
        return self._batch

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The output for images, float32, in the layout of the input, as many as `at_once` where that is a number. It may hold
        -inf, the logarithm of nothing, but neither NaN nor +inf.
        """
        images = np.ascontiguousarray(images, np.float32)
        if self._process is None:
            self._start()
        answer, data = self._ask(json.dumps({"shape": images.shape}).encode() + b"\n", images.data.cast("B"))
        try:
            output = np.frombuffer(data, np.float32).reshape(answer["shape"])
        except (ValueError, TypeError, KeyError) as error:
            raise CamaError(f"{self.path}: found an output that is none ({error})") from error
        if output.ndim == 0 or len(output) != len(images):
            raise CamaError(f"{self.path}: found an output of shape {list(output.shape)} for {len(images)} patches")
        if np.isnan(output).any() or np.isposinf(output).any():
            raise CamaError(f"{self.path}: found an output that is not finite")
        return output

    def _start(self) -> dict[str, Any]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603
            # -P: not from the working folder, where the network may have come with Python files
            [sys.executable, "-P", "-m", "cama.judges.isolated", str(len(self._data))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            return self._ask(b"", self._data)[0]
        except CamaError:
            self.close()
            raise

    def _ask(self, line: bytes, data: Any) -> tuple[dict[str, Any], bytes]:
        """Send a line and data, and give the answer. An error of the network is a CamaError, after which it can be asked
        again; where its process has ended, the next call starts another.
        """
        late, process = threading.Event(), self._process

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(SECONDS, stop)
        timer.start()
        answer, given = None, b""
        try:
            with contextlib.suppress(BrokenPipeError):  # the process has ended, which its answer says
                process.stdin.write(line)
                process.stdin.write(data)
                process.stdin.flush()
            said = process.stdout.readline(LINE)
            answer = json.loads(said) if said.endswith(b"\n") else None
            count = answer["bytes"]
            if count > max(LINE, 4 * len(data)):
                raise CamaError(f"{self.path}: found an output of {count} bytes, more than four times its input")
            given = process.stdout.read(count)
        except CamaError:
            self.close()
            raise
        except (ValueError, TypeError, KeyError):
            answer = None
        finally:
            timer.cancel()
        if answer is not None and len(given) == answer["bytes"]:
            if "error" in answer:
                raise CamaError(f"{self.path}: cannot be run as a network ({answer['error']})")
            return answer, given
        ended = process.poll()
        self.close()
        reason = f"it takes more than {SECONDS} s" if late.is_set() else "its process ended, as for too little memory"
        raise CamaError(
            f"{self.path}: cannot be run as a network ({reason}{'' if ended is None else f', status {ended}'})"
        )

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.close()


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # nor is a device or a pipe one
            raise CamaError(f"{path}: no such network, expected an ONNX file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise CamaError(f"{path}: could not be read ({' '.join(str(error).split())})") from error
    if not 0 < len(data) <= LARGEST:
        raise CamaError(f"{path}: found {len(data)} bytes, expected 1 to {LARGEST} of an ONNX file")
    return data


# ---- in the process


def _limit() -> None:
    """Open no file from now on, write to none, and take no more memory than MEMORY."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for kind, most in ((resource.RLIMIT_NOFILE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MEMORY)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def _end_with_parent() -> None:
    """End where the process that started this one has ended: it may be killed while this one computes."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(OF_WORK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # which keeps memory that it no longer needs
    _limit()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _say(out: BinaryIO, header: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps({**header, "bytes": len(data)}).encode() + b"\n" + data)
    out.flush()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # what the library says of a path that it refuses, or of a file that may not be opened
    if "xternal data" in text or "SystemError : 24" in text:
        return "its weights, or a part of it, lie in another file: expected all in one"
    if "INVALID_PROTOBUF" in text or "No graph was found" in text:
        return "it is no ONNX file"
    return text.rpartition("[ONNXRuntimeError] : ")[2][:400]


def _described(parts: dict[str, list[Any]]) -> dict[str, Any]:
    """Type and shape of the first few inputs and outputs, and how many there are."""
    first = {
        key: [
            {"name": one.name[:LETTERS], "type": one.type, "shape": [_axis(size) for size in one.shape[:8]]}
            for one in ones[:NAMES]
        ]
        for key, ones in parts.items()
    }
    return {**first, "count": {key: len(ones) for key, ones in parts.items()}}


def _axis(size: Any) -> Any:
    return size[:LETTERS] if isinstance(size, str) else size


def _main(size: int) -> None:
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the library prints to it
    _end_with_parent()
    source = sys.stdin.buffer
    try:
        session = _session(source.read(size))
        parts = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
        _say(out, _described(parts))
    except Exception as error:  # the library's own, of a network that is none
        _say(out, {"error": _reason(error)})
        return
    while line := source.readline(LINE):
        shape = json.loads(line)["shape"]
        images = np.frombuffer(source.read(4 * int(np.prod(shape))), np.float32).reshape(shape)
        try:
            (output,) = session.run(None, {parts["inputs"][0].name: images})
            answer = {"shape": output.shape}, np.ascontiguousarray(output, np.float32).tobytes()
        except Exception as error:  # of an input that does not fit the network
            answer = {"error": _reason(error)}, b""
        _say(out, *answer)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
