"""Encoding pixels as a JPEG file with given coding and segments, and the check that a file holds nothing but pixels."""

import io
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import Component, HuffmanTable, Scan, describe, read_coding, read_huffman, standard_huffman
from cama.jpeg.coefficients import coefficients
from cama.jpeg.encoding import Tables, check_sampling, encode_scans
from cama.jpeg.quantisation import ZIGZAG
from cama.jpeg.segments import APP0, APP1, DHT, DQT, DRI, EOI, SOI, SOS, Jpeg, Segment, read_segments

# The neutral encoding: what the common encoder, that of the Independent JPEG Group, writes, baseline with a JFIF header.
NEUTRAL_QUALITY, NEUTRAL_SUBSAMPLING = 92, "4:2:0"
CODING_SEGMENTS = ("SOI", "DQT", "SOF0", "SOF1", "SOF2", "DHT", "DRI", "SOS", "EOI")
EXIF, HEADER = "APP1 Exif", "APP0 JFIF"
JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"  # version 1.01, no density, no thumbnail
RGB = (82, 71, 66)  # identifiers that stand for the colours themselves where no JFIF header says otherwise
PILLOWS = ("4:4:4", "4:2:2", "4:2:0")  # samplings of Pillow's encoder


def encode_neutral(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3), uint8, RGB, as the common encoder writes it, without metadata."""
    return _save(picture, quality=NEUTRAL_QUALITY, subsampling=NEUTRAL_SUBSAMPLING)


def encode_like(picture: np.ndarray, coding: dict[str, Any], order: list[str], exif: bytes = b"") -> bytes:
    """A picture (H, W, 3), uint8, RGB, as a JPEG with the traits `coding` (as `describe` gives them) and its segments in the
    `order` of these names. Segments of metadata are left out, except for EXIF with the payload `exif` where the order has it.
    A trait that cannot be imitated is an error that names it.
    """
    components = [Component(*values) for values in coding["components"]]
    _check(coding, components)
    names = _wanted(order, coding["layout"], bool(exif))
    rgb = tuple(component.identifier for component in components) == RGB and HEADER not in names
    if coding["process"] == "progressive":
        scans, tables = _progressive(picture, coding, rgb)
    else:
        scans, tables = _sequential(picture, coding, components, rgb)
    height, width = picture.shape[:2]
    frame = struct.pack(">BHHB", coding["precision"], height, width, len(components))
    frame += bytes(value for c in components for value in (c.identifier, c.horizontal << 4 | c.vertical, c.table))
    segments, given = [], _given_tables(coding)
    done = 0  # number of scans
    for name in names:
        kind, *held = name.split()
        if name in (HEADER, EXIF):
            segments.append(Segment(APP0, JFIF) if name == HEADER else Segment(APP1, exif))
        elif kind == "DQT":
            segments.append(Segment(DQT, b"".join(_quantisation(table, coding) for table in held)))
        elif kind == "DHT":
            segments.append(Segment(DHT, b"".join(_huffman(table, [*tables[done:], given]) for table in held)))
        elif kind == "DRI":
            segments.append(Segment(DRI, struct.pack(">H", coding["restart_interval"])))
        elif kind == "SOS":
            segments.append(Segment(SOS, _scan_header(coding["scans"][done]), scans[done]))
            done += 1
        else:
            segments.append(Segment({"SOI": SOI, "EOI": EOI}.get(kind) or 0xC0 + int(kind.removeprefix("SOF")), frame))
    data = Jpeg(tuple(segments)).to_bytes()
    written = read_segments(data)
    found = describe(read_coding(written))
    for trait, value in coding.items():
        if found[trait] != value:
            raise CamaError(f"encoding: found other {trait} than asked for, which cannot be imitated")
    if [segment.scan for segment in written.with_marker(SOS)] != scans or _active(written) != tables:
        raise CamaError("encoding: found other Huffman tables than the scans need, which cannot be imitated")
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


def _wanted(order: list[str], layout: list[str], exif: bool) -> list[str]:
    """What the file is to hold, in its order: EXIF, if there is some, and the JFIF header, each once, and the segments of the
    coding as the `layout` has them.
    """
    coded = iter(layout)
    names: list[str] = []
    for name in order:
        if name in ("SOI", "EOI") or (name not in names and (name == HEADER or (exif and name == EXIF))):
            names.append(name)
        elif name in CODING_SEGMENTS:
            names.append(next(coded, ""))
            if names[-1].partition(" ")[0] != name:
                raise CamaError(
                    f"encoding: found {name} in the order of segments, which the coding does not have there"
                )
    if next(coded, None) or [*names[:1], *names[-1:]] != ["SOI", "EOI"]:
        raise CamaError("encoding: found another order of segments than the coding has, which cannot be imitated")
    return names


def _check(coding: dict[str, Any], components: Sequence[Component]) -> None:
    """Refuse what cannot be encoded, each with a line that says what it is."""
    process, precision = coding["process"], coding["precision"]
    if process not in ("baseline", "extended", "progressive") or precision != 8:
        raise CamaError(f"encoding: found {process} of {precision} bits, which cannot be imitated")
    if len(components) != 3:
        raise CamaError(f"encoding: found {len(components)} components, expected 3: a picture in colour")
    numbers = {component.identifier: number for number, component in enumerate(components)}
    for c in components:
        known = str(c.table) in coding["quantisation"] and 0 <= c.table < 4
        if (
            not (known and 1 <= c.horizontal <= 4 and 1 <= c.vertical <= 4 and 0 <= c.identifier < 256)
            or len(numbers) < 3
        ):
            raise CamaError(f"encoding: found the components {coding['components']}, expected those of a JPEG")
    if any(name not in numbers for scan in coding["scans"] for name, *_ in scan[0]):
        raise CamaError("encoding: found a scan of a component that the frame does not have")
    scans = [[numbers[name] for name, *_ in scan[0]] for scan in coding["scans"]]
    check_sampling(components, scans)
    if process != "progressive" and sorted(number for scan in scans for number in scan) != [0, 1, 2]:
        raise CamaError(f"encoding: found {len(scans)} scans of {process}, expected each component in one of them")


def _sequential(
    picture: np.ndarray, coding: dict[str, Any], components: Sequence[Component], rgb: bool
) -> tuple[list[bytes], list[Tables]]:
    """The data of each scan, and the Huffman tables that each names."""
    steps = [coding["quantisation"][str(component.table)] for component in components]
    scans = [Scan(tuple(map(tuple, own)), tuple(band), tuple(bits)) for own, band, bits in coding["scans"]]
    blocks = coefficients(picture, components, steps, rgb)
    given = None if coding["huffman"] == "own" else _given_tables(coding)
    data, tables = encode_scans(blocks, components, scans, coding["restart_interval"], picture.shape[:2], given)
    return data, [{key: tables[key] for key in _named(scan.components)} for scan in scans]


def _progressive(picture: np.ndarray, coding: dict[str, Any], rgb: bool) -> tuple[list[bytes], list[Tables]]:
    """As `_sequential`, from Pillow's encoder, which knows few samplings and one sequence of scans."""
    sampling = coding["subsampling"]
    if sampling not in PILLOWS or rgb:
        raise CamaError(f"encoding: found progressive, {'RGB' if rgb else sampling}, which cannot be imitated")
    saved = read_segments(
        _save(
            picture,
            quality=-1,
            qtables=[coding["quantisation"][str(table)] for *_, table in coding["components"]],
            subsampling=sampling,
            progressive=True,
            restart_marker_blocks=coding["restart_interval"],
        )
    )
    found, numbers = describe(read_coding(saved)), {own[0]: at for at, own in enumerate(coding["components"], start=1)}
    wanted = [[[[numbers[name], *rest] for name, *rest in own], *more] for own, *more in coding["scans"]]
    if found["scans"] != wanted:
        raise CamaError("encoding: found another sequence of progressive scans, which cannot be imitated")
    return [segment.scan for segment in saved.with_marker(SOS)], _active(saved)


def _active(jpeg: Jpeg) -> list[Tables]:
    """For each scan the Huffman tables that its components name, as far as they are defined before it."""
    known: Tables = {}
    found = []
    scans = iter(read_coding(jpeg).scans)
    for segment in jpeg.with_marker(DHT, SOS):
        if segment.marker == DHT:
            known |= {(table.kind, table.identifier): table for table in read_huffman(segment)}
        else:
            named = _named(next(scans).components)
            found.append({key: known[key] for key in named if key in known})
    return found


def _named(components: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(kind, tables[kind]) for _, *tables in components for kind in (0, 1)]


def _quantisation(name: str, coding: dict[str, Any]) -> bytes:
    """A table of a segment DQT, such as `0`, or `0/16` with steps of two bytes."""
    identifier, _, wide = name.partition("/")
    steps = [coding["quantisation"][identifier][place] for place in ZIGZAG]
    if max(steps) > 255 and not wide:
        raise CamaError(f"encoding: found the step {max(steps)} in a table of one byte a step, expected at most 255")
    return struct.pack(">B64H" if wide else ">65B", bool(wide) << 4 | int(identifier), *steps)


def _given_tables(coding: dict[str, Any]) -> Tables:
    """The Huffman tables of the traits; the standard ones where they have none, also by the identifiers 2 and 3."""
    if isinstance(coding["huffman"], str):
        own = standard_huffman()
        return {
            (kind, number): replace(own[kind, min(number, 1)], identifier=number)
            for kind in (0, 1)
            for number in range(4)
        }
    tables = {}
    for name, text in coding["huffman"].items():
        counts, symbols = bytes.fromhex(text)[:16], bytes.fromhex(text)[16:]
        if sum(counts) != len(symbols):
            raise CamaError(
                f"encoding: found {len(symbols)} symbols in the Huffman table {name}, expected {sum(counts)}"
            )
        if sum(count << 16 - length for length, count in enumerate(counts, start=1)) > 1 << 16:
            raise CamaError(f"encoding: found more codes in the Huffman table {name} than their lengths allow")
        key = ("DC", "AC").index(name[:2]), int(name[2:])
        tables[key] = HuffmanTable(*key, tuple(counts), symbols)
    return tables


def _huffman(name: str, tables: Sequence[Tables]) -> bytes:
    """A table of a segment DHT, such as `DC0`: the first of that name."""
    key = ("DC", "AC").index(name[:2]), int(name[2:])
    table = next((own[key] for own in tables if key in own), None)
    if table is None:
        raise CamaError(f"encoding: found no Huffman table {name}, which a segment is to hold")
    return bytes([key[0] << 4 | key[1], *table.counts]) + table.symbols


def _scan_header(scan: list[Any]) -> bytes:
    components, band, bits = scan
    named = [value for name, dc, ac in components for value in (name, dc << 4 | ac)]
    return bytes([len(components), *named, *band, bits[0] << 4 | bits[1]])
