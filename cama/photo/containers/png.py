"""PNG: its chunks (PNG specification, third edition) and the metadata that programs write into them."""

import binascii
import contextlib
import struct
import zlib

from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.readable import decode_text, describe, visible
from cama.photo.colour import SRGB, ProfileError, from_cicp, from_gamma
from cama.photo.containers.container import MAX_METADATA, Container, Part, printable
from cama.photo.embedded import manifest_leak
from cama.photo.flattening import flatten
from cama.storage.images import load, open_picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # what a decoder needs
MAX_PIXEL_CHUNKS = 200_000  # the usual encoder writes one for each 8 KiB
SETTINGS = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"sPLT", b"mDCV", b"cLLI"}
FRAMES = {b"acTL", b"fcTL", b"fdAT"}  # of an animation
# Keywords of texts, in small letters, by the category of what they reveal; all others are content.
KEYWORDS = {
    **dict.fromkeys(("author", "copyright", "artist", "by-line", "creator"), "person"),
    **dict.fromkeys(
        ("creation time", "date:create", "date:modify", "date:timestamp", "create-date", "modify-date"), "time"
    ),
    **dict.fromkeys(("software",), "software"),
    **dict.fromkeys(("source", "make", "model"), "camera"),
}
XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = b"Raw profile type "  # ImageMagick's, in hexadecimal


def read_png(data: bytes, name: str) -> Container:
    """The chunks of a PNG. What is damaged behind its header is in `faults`; errors begin with `name`."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise CamaError(f"{name}: found a PNG without its header, expected IHDR")
    width, height = struct.unpack_from(">II", data, 16)
    pixels: list[bytes] = [SIGNATURE]
    found = Container("PNG", width, height, lambda: _decode(pixels, name), [Part("signature", 0, 8)])
    chunks: dict[bytes, bytes] = {}
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            found.faults.append(f"found the end of the file at byte {at}, expected IEND: it is truncated")
            break
        size, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            found.faults.append(
                f"found a chunk {printable(kind)} at byte {at} that ends behind the file: it is truncated"
            )
            size = len(data) - at - 12
        body = data[at + 8 : at + 8 + size]
        _add_part(found, Part(printable(kind), at, size + 12), name)
        if zlib.crc32(kind + body) != int.from_bytes(data[at + 8 + size : at + 12 + size], "big"):
            found.faults.append(f"found a chunk {printable(kind)} at byte {at} with a wrong checksum")
        if kind in PIXELS:
            pixels.append(data[at : at + 12 + size])
            if len(pixels) > MAX_PIXEL_CHUNKS:
                raise CamaError(f"{name}: found more than {MAX_PIXEL_CHUNKS} chunks of pixels, expected a photograph")
        else:
            chunks.setdefault(kind, body)
            _add_chunk(found, kind, body)
        at += 12 + size
    if found.parts[-1].name != "IEND":
        pixels.append(b"\0\0\0\0IEND\xaeB`\x82")
    found.trailer = data[at:]
    _add_colours(found, chunks)
    if b"acTL" in chunks:
        found.pictures = 2
        found.warnings.append("it is animated: its first picture is taken")
        found.leaks.append(("content", "PNG", "further pictures of an animation"))
    return found


def _decode(pixels: list[bytes], name: str) -> tuple[Image.Image, list[str]]:
    return flatten(load(open_picture(b"".join(pixels), name, ("PNG",)), name), name)


def _add_part(found: Container, part: Part, name: str) -> None:
    last = found.parts[-1]
    if part.name == last.name == "IDAT":  # pictures are cut to many
        found.parts[-1] = Part("IDAT", last.offset, last.bytes + part.bytes)
    else:
        found.add_part(part, name)


def _add_chunk(found: Container, kind: bytes, body: bytes) -> None:
    place = f"PNG {printable(kind)}"
    if kind == b"eXIf":
        found.add_exif(body)
    elif kind == b"iCCP":
        profile = _inflate(found, body.partition(b"\0")[2][1:])
        found.add_icc(profile or b"damaged")
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword, text = _text(found, kind, body)
        _add_text(found, place, keyword, text)
    elif kind == b"tIME" and len(body) == 7:
        found.leaks.append(("time", place, "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*struct.unpack(">H5B", body))))
    elif kind == b"caBX":
        found.leaks.append(manifest_leak([body]))
    elif kind == b"iDOT":
        found.leaks.append(("software", place, f"{len(body)} bytes, as Apple's programs write them"))
    elif kind in SETTINGS:
        found.leaks.append(("settings", place, body[:16].hex(" ")))
    elif kind not in FRAMES:
        found.leaks.append(("unknown", place, describe(body)))


def _text(found: Container, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The keyword and the text, in UTF-8, of a chunk of text."""
    keyword, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest.decode("latin-1").encode()
    if kind == b"zTXt":
        return keyword, _inflate(found, rest[1:]).decode("latin-1").encode()
    text = rest[2:].split(b"\0", 2)[-1]
    return keyword, _inflate(found, text) if rest[:1] == b"\1" else text


def _add_text(found: Container, place: str, keyword: bytes, text: bytes) -> None:
    if keyword == XMP_KEYWORD:
        found.add_xmp(text)
        return
    adders = {"exif": found.add_exif, "iptc": found.add_photoshop, "8bim": found.add_photoshop, "xmp": found.add_xmp}
    adders |= {"APP1": found.add_app1, "icc": found.add_icc, "icm": found.add_icc}
    add = adders.get(keyword.removeprefix(RAW_PROFILE).decode("latin-1"))
    if keyword.startswith(RAW_PROFILE) and add:
        fields = text.split(maxsplit=2)  # the name, the number of bytes, and the bytes
        try:
            add(binascii.unhexlify(b"".join(fields[2].split())))
            return
        except (IndexError, ValueError):
            found.faults.append(f"found a text {printable(keyword)} that is not in hexadecimal")
    category = KEYWORDS.get(keyword.decode("latin-1").strip().lower(), "content")
    found.leaks.append((category, f"{place} {printable(keyword)}", visible(decode_text(text))))


def _inflate(found: Container, data: bytes) -> bytes:
    """Decompressed bytes; those before the damage where there is any, and of all texts together at most `MAX_METADATA`."""
    decoder, out = zlib.decompressobj(), bytearray()
    with contextlib.suppress(zlib.error):
        for at in range(0, len(data), 4096):
            room = MAX_METADATA - found.inflated - len(out)
            if room <= 0:
                break
            out += decoder.decompress(data[at : at + 4096], room)
    found.inflated += len(out)
    return bytes(out)


def _add_colours(found: Container, chunks: dict[bytes, bytes]) -> None:
    """The colours of a PNG, by the order of precedence in the specification: cICP, iCCP, sRGB, gAMA with cHRM."""
    code, gamma, points = chunks.get(b"cICP", b""), chunks.get(b"gAMA", b""), SRGB.points
    if len(code) == 4:
        with contextlib.suppress(ProfileError):  # numbers that are unknown do not count before a profile
            from_cicp(code[0], code[1])
            found.icc = b""
        found.add_cicp(code[0], code[1])
    elif b"sRGB" not in chunks and len(gamma) == 4:
        if len(chunks.get(b"cHRM", b"")) == 32:
            white, *colours = [(x / 100_000, y / 100_000) for x, y in struct.iter_unpack(">II", chunks[b"cHRM"])]
            points = (*colours, white)
        try:
            found.space = from_gamma(int.from_bytes(gamma, "big") / 100_000, points)
        except ProfileError as error:
            if not found.icc:
                found.warnings.append(f"its colours were taken for sRGB: {error}")
