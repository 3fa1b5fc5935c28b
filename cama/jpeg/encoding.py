"""Pixels to a JPEG file that is built as asked, and proof that nothing else is in it."""

import io
from typing import Any

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import describe, read_coding
from cama.jpeg.segments import APP0, APP1, SOS, Jpeg, Segment, read_segments

# What everyone's encoder writes: that of the Independent JPEG Group, baseline, with its own header.
NEUTRAL_QUALITY, NEUTRAL_SUBSAMPLING = 92, "4:2:0"
CODING = ("SOI", "DQT", "SOF0", "SOF2", "DHT", "DRI", "SOS", "EOI")
EXIF, HEADER = "APP1 Exif", "APP0 JFIF"
JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"  # version 1.01, no density, no thumbnail


def encode_neutral(picture: np.ndarray) -> bytes:
    """A JPEG of (H, W, 3), uint8, RGB, as the common encoder writes it, without metadata."""
    return _save(picture, quality=NEUTRAL_QUALITY, subsampling=NEUTRAL_SUBSAMPLING)


def encode_like(picture: np.ndarray, coding: dict[str, Any], order: list[str], exif: bytes = b"") -> bytes:
    """A JPEG of (H, W, 3), uint8, RGB, with the traits `coding` (of `describe`) and its segments in the `order` of these names,
    without those that hold metadata, but for the payload `exif` where the order names it. What the encoder cannot imitate is an
    error that names the trait.
    """
    tables = coding["quantisation"]
    if coding["subsampling"] not in ("4:4:4", "4:2:2", "4:2:0") or coding["process"] not in ("baseline", "progressive"):
        raise CamaError(f"encoding: found {coding['process']}, {coding['subsampling']}, which cannot be imitated")
    data = _save(
        picture,
        quality=-1,
        qtables=[tables[name] for name in sorted(tables, key=int)],
        subsampling=coding["subsampling"],
        progressive=coding["process"] == "progressive",
        optimize=coding["huffman"] == "own",
        restart_marker_blocks=coding["restart_interval"],
    )
    jpeg = read_segments(data)
    coded = [segment for segment in jpeg.segments if not APP0 <= segment.marker <= APP0 + 15]
    wanted = [name for name in order if name.split()[0] in CODING or name == HEADER or (exif and name == EXIF)]
    heads = {HEADER: Segment(APP0, JFIF), EXIF: Segment(APP1, exif)}
    bare = Jpeg((*coded[:1], *(heads[name] for name in wanted if name in heads), *coded[1:]))
    built = _arranged(bare, wanted) if len(bare.of(SOS)) == 1 else bare
    if [segment.name for segment in built.segments] != wanted:
        raise CamaError("encoding: found another order of segments than asked for, which cannot be imitated")
    data = built.to_bytes()
    found = describe(read_coding(read_segments(data)))
    for trait, value in coding.items():
        if found[trait] != value:
            raise CamaError(f"encoding: found other {trait} than asked for, which cannot be imitated")
    return data


def check_bare(data: bytes, name: str, exif: bytes = b"") -> Jpeg:
    """The segments of a file that holds coded pixels and nothing else, but for one segment with the payload `exif`, if it is
    not empty; any other byte is an error that names what it found.
    """
    jpeg = read_segments(data, name)
    if jpeg.trailer:
        raise CamaError(f"{name}: found {len(jpeg.trailer)} bytes behind the picture, expected none")
    if exif and [segment.payload for segment in jpeg.of(APP1)] != [exif]:
        raise CamaError(f"{name}: found other EXIF than was to be in it")
    for segment in jpeg.segments:
        header = segment.marker == APP0 and segment.payload == JFIF
        header |= bool(exif) and segment.marker == APP1
        if segment.fill or not (header or segment.name in CODING):
            raise CamaError(
                f"{name}: found a segment {segment.name} at byte {segment.offset}, expected coded pixels alone"
            )
    read_coding(jpeg, name)  # each of those segments holds what it should, to its last byte
    return jpeg


def _save(picture: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _arranged(jpeg: Jpeg, order: list[str]) -> Jpeg:
    """The same segments in another order, tables of one kind joined or apart as often as it names them; where it is no order of
    all that there is, as they were.
    """
    left = {segment.name: [other for other in jpeg.segments if other.name == segment.name] for segment in jpeg.segments}
    built = []
    for at, name in enumerate(order):
        of = left.get(name, [])
        last = name not in order[at + 1 :]
        taken, left[name] = (of, []) if last else (of[:1], of[1:])
        if not taken or (len(taken) > 1 and name not in ("DQT", "DHT")):
            return jpeg
        built.append(Segment(taken[0].marker, b"".join(segment.payload for segment in taken), taken[0].scan))
    whole = not any(left.values()) and [order[0], *order[-2:]] == ["SOI", "SOS", "EOI"]
    return Jpeg(tuple(built)) if whole else jpeg
