"""An ONNX network in a process of its own: the file is anybody's, and may ask for endless time or memory, or for other files.

The process computes on one thread and opens no file once it has begun, so that a network's weights can only lie in its own
file; it has a limit of memory, and each call a limit of time.

    python -m cama.judges.isolated BYTES < NETWORK AND INPUTS

Both directions carry messages: a line of JSON, and as many bytes as it says.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cama.core.errors import CamaError

SECONDS = 120  # for one call; a large network takes a second for a batch of patches
MEMORY = 6 * 2**30  # bytes of addresses that the process may take, those of the library among them
LARGEST = 2**30  # bytes of a network's file
LINE = 2**16  # bytes of a message's line, at most
PIXELS = 16 * 512 * 512  # of one call, at most


class OnnxNetwork:
    """A network of one input (N, C, H, W) or (N, H, W, C), float32, and one output, float32."""

    def __init__(self, path: Path) -> None:
        """Read the file and start its process. A file that is no such network is a CamaError."""
        self.path = path
        try:
            data = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        except OSError as error:
            raise CamaError(f"{path}: no such network ({os.strerror(error.errno or 0)})") from error
        if not data:
            raise CamaError(f"{path}: found {path.stat().st_size} bytes, expected 1 to {LARGEST} of an ONNX file")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "cama.judges.isolated", str(len(data))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        described, _ = self._ask(data)
        (self.shape,) = self._shapes(described, "inputs", 4)
        self._shapes(described, "outputs", 0)
        self.batch = self.shape[0] if isinstance(self.shape[0], int) else 0  # 0: any

    def _shapes(self, described: dict[str, Any], key: str, axes: int) -> list[list[Any]]:
        found = described.get(key)
        names = [one["name"] for one in found]
        if len(found) != 1:
            raise CamaError(f"{self.path}: found the {key} {', '.join(names) or 'none'}, expected one")
        kind, shape = found[0]["type"], found[0]["shape"]
        if kind != "tensor(float)" or (axes and len(shape) != axes):
            expected = f"tensor(float) of {axes} axes" if axes else "tensor(float)"
            raise CamaError(f"{self.path}: found the {key[:-1]} {names[0]} {kind} {shape}, expected {expected}")
        return [shape]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The output for images, float32, in the layout of the input."""
        size = max(1, min(self.batch or len(images), PIXELS // int(np.prod(images.shape[1:]))))
        if self.batch > 1 and len(images) % self.batch:
            raise CamaError(
                f"{self.path}: found an input for exactly {self.batch} patches, expected one for any number, or for 1"
            )
        return np.concatenate([self._run(images[at : at + size]) for at in range(0, len(images), size)])

    def _run(self, images: np.ndarray) -> np.ndarray:
        images = np.ascontiguousarray(images, np.float32)
        answer, data = self._ask(json.dumps({"shape": images.shape}).encode() + b"\n" + images.tobytes())
        try:
            output = np.frombuffer(data, np.float32).reshape(answer["shape"])
        except (ValueError, TypeError, KeyError) as error:
            raise CamaError(f"{self.path}: found an output that is none ({error})") from error
        if output.ndim == 0 or len(output) != len(images):
            raise CamaError(f"{self.path}: found an output of shape {list(output.shape)} for {len(images)} patches")
        if not np.isfinite(output).all():
            raise CamaError(f"{self.path}: found an output that is not finite")
        return output

    def _ask(self, message: bytes) -> tuple[dict[str, Any], bytes]:
        late, process = threading.Event(), self._process

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(SECONDS, stop)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # the process has ended, which its answer says
                process.stdin.write(message)
                process.stdin.flush()
            line = process.stdout.readline(LINE)
            answer = json.loads(line) if line.endswith(b"\n") else None
            if isinstance(answer, dict) and not 0 <= answer.get("bytes", 0) <= max(LINE, 4 * len(message)):
                answer = {"error": f"it gives {answer['bytes']} bytes, more than four times its input"}
            data = process.stdout.read(answer.get("bytes", 0)) if isinstance(answer, dict) else b""
        except ValueError:
            answer = None
        finally:
            timer.cancel()
        if isinstance(answer, dict) and "error" not in answer and len(data) == answer.get("bytes", 0):
            return answer, data
        self.close()
        if late.is_set():
            reason = f"it takes more than {SECONDS} s"
        elif isinstance(answer, dict) and "error" in answer:
            reason = str(answer["error"])
        else:
            reason = f"its process ended with status {self._process.returncode}, as for too little memory"
        raise CamaError(f"{self.path}: cannot be run as a network ({reason})")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()


def _limit() -> None:
    """Open no file from now on, write to none, and take no more memory than MEMORY."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for kind, most in ((resource.RLIMIT_NOFILE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MEMORY)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


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
    return text.rpartition("[ONNXRuntimeError] : ")[2][:400]


def _main(size: int) -> None:
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the library prints to it
    source = sys.stdin.buffer
    try:
        session = _session(source.read(size))
        parts = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
        described = {
            key: [{"name": one.name, "type": one.type, "shape": one.shape} for one in ones]
            for key, ones in parts.items()
        }
        _say(out, described)
        while line := source.readline(LINE):
            shape = json.loads(line)["shape"]
            images = np.frombuffer(source.read(4 * int(np.prod(shape))), np.float32).reshape(shape)
            (output,) = session.run(None, {parts["inputs"][0].name: images})
            _say(out, {"shape": output.shape}, np.ascontiguousarray(output, np.float32).tobytes())
    except Exception as error:  # the library's own, of a network that is none, or does not fit its input
        _say(out, {"error": _reason(error)})


if __name__ == "__main__":
    _main(int(sys.argv[1]))
