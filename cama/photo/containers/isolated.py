"""Decoding HEIC, AVIF and TIFF in a process of its own: their decoders are large, and a hostile file may crash or occupy them,
or make them write to standard error.

    python -m cama.photo.containers.isolated MODULE {picture,thumbnails} < FILE
"""

import json
import os
import subprocess
import sys
from importlib import import_module

from PIL import Image

from cama.core.errors import CamaError
from cama.photo.flattening import flatten

SECONDS = 45  # for one file; a telephone's photograph takes less than one


def decode(module: str, data: bytes, name: str, what: str) -> list[tuple[Image.Image, list[str]]]:
    """The main `picture` of a file, or its `thumbnails`, as `flatten` gives them; `module`.pictures(data, what) opens them.
    Errors begin with `name`.
    """
    # -P: not from the working folder, where the photograph may have come with Python files
    command = [sys.executable, "-P", "-m", "cama.photo.containers.isolated", module, what]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603
            command, input=data, capture_output=True, timeout=SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise CamaError(f"{name}: found a picture that takes more than {SECONDS} s to decode") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said and done.returncode == 1 else f"its decoder ended with status {done.returncode}"
        raise CamaError(f"{name}: cannot be decoded as a photograph ({reason})")
    at = done.stdout.index(b"\n") + 1
    found, pixels = [], memoryview(done.stdout)  # which is large, so that no copy of it is made
    for mode, size, length, warnings in json.loads(done.stdout[:at]):
        found.append((Image.frombytes(mode, size, pixels[at : at + length]), warnings))
        at += length
    return found


def _main(module: str, what: str) -> None:
    rows, pixels = [], []
    try:
        for image in import_module(module).pictures(sys.stdin.buffer.read(), what):
            plain, warnings = flatten(image, "its picture")
            pixels.append(plain.tobytes())
            rows.append((plain.mode, plain.size, len(pixels[-1]), warnings))
    except Exception as error:  # a decoder's own, of a damaged file
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
    sys.stdout.buffer.write(json.dumps(rows).encode() + b"\n")
    sys.stdout.buffer.writelines(pixels)


if __name__ == "__main__":
    _main(*sys.argv[1:])
