"""WebP: the chunks of its RIFF container (RFC 9649)."""

import struct

from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.readable import describe
from cama.photo.containers.container import Container, Part, printable
from cama.photo.flattening import flatten
from cama.storage.images import load, open_picture

PIXELS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}


def read_webp(data: bytes, name: str) -> Container:
    """The chunks of a WebP file. What is damaged behind its header is in `faults`; errors begin with `name`."""
    if len(data) < 30:
        raise CamaError(f"{name}: found a WebP file of {len(data)} bytes, expected a picture")
    width, height = _size(data)
    found = Container("WebP", width, height, lambda: _decode(data, name), [Part("RIFF", 0, 12)])
    end, at, frames = 8 + struct.unpack_from("<I", data, 4)[0], 12, 0
    if end > len(data):
        found.faults.append(f"found {len(data)} bytes, expected {end}: it is truncated")
        end = len(data)
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > end:
            found.faults.append(f"found a chunk {printable(kind)} at byte {at} that ends behind the file")
            size = end - at - 8
        body = data[at + 8 : at + 8 + size]
        length = min(8 + size + size % 2, end - at)
        found.add_part(Part(printable(kind), at, length), name)
        frames += kind == b"ANMF"
        _add_chunk(found, kind, body)
        at += length
    found.trailer = data[at:]
    if frames > 1:
        found.pictures = frames
        found.warnings.append("it is animated: its first picture is taken")
        found.leaks.append(("content", "WebP", f"{frames} pictures of an animation"))
    return found


def _decode(data: bytes, name: str) -> tuple[Image.Image, list[str]]:
    return flatten(load(open_picture(data, name, ("WEBP",)), name), name)


def _add_chunk(found: Container, kind: bytes, body: bytes) -> None:
    if kind == b"EXIF":
        found.add_exif(body)
    elif kind == b"XMP ":
        found.add_xmp(body)
    elif kind == b"ICCP":
        found.add_icc(body)
    elif kind not in PIXELS:
        found.leaks.append(("unknown", f"WebP {printable(kind)}", describe(body)))


def _size(data: bytes) -> tuple[int, int]:
    """Width and height in the header of the first chunk; 0 where there is no such header."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
