"""Decoding HEIC and AVIF in a process of its own: their decoders are large, and a hostile file may crash or occupy them.

python -m cama.photo.containers.isolated {picture,thumbnails} < FILE
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pillow_heif
from PIL import Image, ImageOps

from cama.core.errors import CamaError
from cama.storage.images import check_size, open_picture

SECONDS = 45  # for one file; a telephone's photograph takes less than one
MAX_THUMBNAILS = 4


def decode(data: bytes, name: str, what: str) -> list[Image.Image]:
    """The primary `picture` of a file, upright as the file itself says, or its `thumbnails`. Errors begin with `name`."""
    command = [sys.executable, "-m", "cama.photo.containers.isolated", what]
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
    images, pixels = [], memoryview(done.stdout)  # which is large, so that no copy of it is made
    for mode, size, length in json.loads(done.stdout[:at]):
        images.append(Image.frombytes(mode, size, pixels[at : at + length]))
        at += length
    return images


def is_avif(data: bytes) -> bool:
    """Whether the brands of a HEIF file say that it is AVIF."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in range(8, size, 4)}
    return bool(brands & {b"avif", b"avis"}) and not brands & {b"heic", b"heix", b"hevc", b"hevx"}


def _pictures(data: bytes, what: str) -> Iterator[Image.Image]:
    if is_avif(data):
        if what == "picture":
            with open_picture(data, "AVIF", ("AVIF",)) as image:
                yield ImageOps.exif_transpose(image)  # Pillow gives the file's own turning as EXIF
        return
    file = pillow_heif.open_heif(io.BytesIO(data))
    primary = file[file.primary_index]
    if what == "picture":
        check_size(*primary.size, "HEIF")
        yield primary.to_pillow()
        return
    for index in range(min(len(primary.info["thumbnails"]), MAX_THUMBNAILS)):
        yield primary.get_thumbnail(index).to_pillow()


def _main(what: str) -> None:
    try:
        images = list(_pictures(sys.stdin.buffer.read(), what))
    except Exception as error:  # a decoder's own, of a damaged file
        sys.exit(" ".join(str(error).split()))
    pixels = [image.tobytes() for image in images]
    rows = [(image.mode, image.size, len(part)) for image, part in zip(images, pixels, strict=True)]
    sys.stdout.buffer.write(json.dumps(rows).encode() + b"\n")
    sys.stdout.buffer.writelines(pixels)


if __name__ == "__main__":
    _main(sys.argv[1])
