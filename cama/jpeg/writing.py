"""Encoding pixels as a JPEG file with given coding and segments, and the check that a file holds nothing but pixels."""

import io
from typing import Any

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import describe, read_coding
from cama.jpeg.segments import APP0, APP1, SOS, Jpeg, Segment, read_segments

# The neutral encoding: what the common encoder, that of the Independent JPEG Group, writes, baseline with a JFIF header.
NEUTRAL_QUALITY, NEUTRAL_SUBSAMPLING = 92, "4:2:0"
CODING_SEGMENTS = ("SOI", "DQT", "SOF0", "SOF2", "DHT", "DRI", "SOS", "EOI")
EXIF, HEADER = "APP1 Exif", "APP0 JFIF"
JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"  # version 1.01, no density, no thumbnail


def encode_neutral(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3), uint8, RGB, as the common encoder writes it, without metadata."""
    return _save(picture, quality=NEUTRAL_QUALITY, subsampling=NEUTRAL_SUBSAMPLING)


def encode_like(picture: np.ndarray, coding: dict[str, Any], order: list[str], exif: bytes = b"") -> bytes:
    """A picture (H, W, 3), uint8, RGB, as a JPEG with the traits `coding` (as `describe` gives them) and its segments in the
    `order` of these names. Segments of metadata are left out, except for EXIF with the payload `exif` where the order has it.
    A trait that the encoder cannot imitate is an error that names it.
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
    wanted = [name for name in order if name.split()[0] in CODING_SEGMENTS or name == HEADER or (exif and name == EXIF)]
    heads = {HEADER: Segment(APP0, JFIF), EXIF: Segment(APP1, exif)}
    bare = Jpeg((*coded[:1], *(heads[name] for name in wanted if name in heads), *coded[1:]))
    built = _reorder(bare, wanted) if len(bare.with_marker(SOS)) == 1 else bare
    if [segment.name for segment in built.segments] != wanted:
        raise CamaError("encoding: found another order of segments than asked for, which cannot be imitated")
    data = built.to_bytes()
    written = describe(read_coding(read_segments(data)))
    for trait, value in coding.items():
        if written[trait] != value:
            raise CamaError(f"encoding: found other {trait} than asked for, which cannot be imitated")
    return data


def check_pixels_only(data: bytes, name: str, exif: bytes = b"") -> Jpeg:
    """The segments of a file, after the check that it holds nothing but coded pixels and, unless `exif` is empty, one EXIF
    segment with that payload; any other byte is an error.
    """
    jpeg = read_segments(data, name)
    if jpeg.trailer:
        raise CamaError(f"{name}: found {len(jpeg.trailer)} bytes behind the picture, expected none")
    if exif and [segment.payload for segment in jpeg.with_marker(APP1)] != [exif]:
        raise CamaError(f"{name}: found other EXIF than was to be in it")
    for segment in jpeg.segments:
        header = segment.marker == APP0 and segment.payload == JFIF
        header |= bool(exif) and segment.marker == APP1
        if segment.fill or not (header or segment.name in CODING_SEGMENTS):
            raise CamaError(
                f"{name}: found a segment {segment.name} at byte {segment.offset}, expected coded pixels alone"
            )
    read_coding(jpeg, name)  # refuses segments of coding that hold other bytes than their own
    return jpeg


def _save(picture: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _reorder(jpeg: Jpeg, order: list[str]) -> Jpeg:
    """The same segments in another `order`; quantisation and Huffman tables are joined where it has fewer segments of them.
    Unchanged where the order does not fit the segments.
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
