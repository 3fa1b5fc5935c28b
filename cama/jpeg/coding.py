"""How a JPEG's pixels are coded. A camera's firmware decides it, so that it can identify a model without the pixels."""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.quantisation import ZIGZAG
from cama.jpeg.segments import DHT, DNL, DQT, DRI, FRAMES, SOS, Jpeg, Segment, read_segments

PROCESSES = {0: "baseline", 1: "extended", 2: "progressive", 3: "lossless"}
# Names of the first component's sampling factors, where there are two more components with factors 1x1.
SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}


@dataclass(frozen=True)
class Component:
    """A colour component: its sampling and its quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True)
class HuffmanTable:
    """A Huffman table: `kind` 0 for DC and 1 for AC, the number of codes of each length of 1 to 16 bits, and their symbols."""

    kind: int
    identifier: int
    counts: tuple[int, ...]
    symbols: bytes

    @property
    def name(self) -> str:
        """Kind and identifier, such as `DC0`."""
        return f"{('DC', 'AC')[self.kind]}{self.identifier}"


@dataclass(frozen=True)
class Scan:
    """A scan's header: components with their DC and AC tables, the band of coefficients, and successive approximation."""

    components: tuple[tuple[int, int, int], ...]
    band: tuple[int, int]
    bits: tuple[int, int]


@dataclass(frozen=True)
class Coding:
    """A JPEG's coding. Quantisation tables, by identifier, are of 64 steps in the order of the 8x8 block."""

    process: str
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]
    quantisation: dict[int, tuple[int, ...]]
    huffman: tuple[HuffmanTable, ...]
    restart: int  # restart interval in MCUs, 0 for none
    scans: tuple[Scan, ...]
    layout: tuple[str, ...] = ()  # the segments of the coding in their order, with the tables that each holds

    @property
    def subsampling(self) -> str:
        """Such as `4:2:0`; `grey` for one component; the sampling factors themselves where they have no such name."""
        if len(self.components) == 1:
            return "grey"
        factors = [(c.horizontal, c.vertical) for c in self.components]
        if len(factors) == 3 and factors[1:] == [(1, 1), (1, 1)] and factors[0] in SUBSAMPLINGS:
            return SUBSAMPLINGS[factors[0]]
        return ",".join(f"{h}x{v}" for h, v in factors)

    @property
    def standard_huffman(self) -> bool:
        """Whether all Huffman tables are those of `standard_huffman`."""
        return _by_name(self.huffman).items() <= standard_huffman().items()


def read_coding(jpeg: Jpeg, name: str = "picture") -> Coding:
    """The coding of a JPEG; a violation of the standard or a contradiction is an error that begins with `name`."""
    frames = jpeg.with_marker(*FRAMES)
    if len(frames) != 1:
        raise CamaError(f"{name}: found {len(frames)} frames, expected one")
    if jpeg.with_marker(DNL):
        raise CamaError(f"{name}: found the height behind the first scan (DNL), expected it in the frame")
    scans = tuple(_scan(segment, name) for segment in jpeg.with_marker(SOS))
    if not scans:
        raise CamaError(f"{name}: found no scan, expected a picture")
    precision, height, width, components = read_frame(frames[0], name)
    known = {component.identifier for component in components}
    quantisation: dict[int, tuple[int, ...]] = {}
    for segment in jpeg.with_marker(DQT):
        for identifier, _, table in _quantisation(segment, name):
            if quantisation.setdefault(identifier, table) != table:
                raise CamaError(f"{name}: found two quantisation tables {identifier}, expected one")
    for component in components:
        if component.table not in quantisation:
            raise CamaError(f"{name}: found no quantisation table {component.table}, which a component names")
    for scan in scans:
        for identifier, *_ in scan.components:
            if identifier not in known:
                raise CamaError(f"{name}: found a scan of the component {identifier}, which the frame does not have")
    huffman = tuple(table for segment in jpeg.with_marker(DHT) for table in read_huffman(segment, name))
    restarts = jpeg.with_marker(DRI)
    if any(len(segment.payload) != 2 for segment in restarts):
        raise _size_error(name, restarts[0], "4 bytes")
    restart = struct.unpack(">H", restarts[-1].payload)[0] if restarts else 0
    kind = frames[0].marker - 0xC0
    layout = tuple(_content(part, name) for part in jpeg.with_marker(DQT, DHT, DRI, SOS, *FRAMES))
    return Coding(
        process_name(kind), precision, width, height, components, quantisation, huffman, restart, scans, layout
    )


def process_name(kind: int) -> str:
    """The coding process of a frame SOFn, by its number n: such as `baseline`, or `progressive, arithmetic (SOF10)`."""
    words = [PROCESSES[kind % 4], *["hierarchical"] * (kind % 8 > 4), *["arithmetic"] * (kind > 8)]
    return ", ".join(words) + ("" if kind < 4 else f" (SOF{kind})")


def describe(coding: Coding) -> dict[str, Any]:
    """The traits of a coding that a camera's firmware decides, as values for JSON."""
    return {
        "process": coding.process,
        "precision": coding.precision,
        "components": [[c.identifier, c.horizontal, c.vertical, c.table] for c in coding.components],
        "subsampling": coding.subsampling,
        "quantisation": {str(name): list(table) for name, table in sorted(coding.quantisation.items())},
        "huffman": _huffman_trait(coding),
        "restart_interval": coding.restart,
        "scans": [[[list(c) for c in s.components], list(s.band), list(s.bits)] for s in coding.scans],
        "layout": list(coding.layout),
    }


@cache
def standard_huffman() -> dict[tuple[int, int], HuffmanTable]:
    """The Huffman tables of T.81, annex K.3, by kind and identifier: those of encoders that do not optimise their tables."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    return _by_name(read_coding(read_segments(buffer.getvalue())).huffman)


def _huffman_trait(coding: Coding) -> str | dict[str, str]:
    """`standard`; the tables as hexadecimal text by names such as `DC0`, where they have all symbols and so were not made for
    one picture; or else `own`.
    """
    if coding.standard_huffman:
        return "standard"
    whole = {kind: set(standard_huffman()[kind, 0].symbols) for kind in (0, 1)}
    if not all(whole[table.kind] <= set(table.symbols) for table in coding.huffman):
        return "own"
    tables = sorted(_by_name(coding.huffman).values(), key=lambda table: (table.kind, table.identifier))
    return {table.name: (bytes(table.counts) + table.symbols).hex() for table in tables}


def _by_name(tables: Sequence[HuffmanTable]) -> dict[tuple[int, int], HuffmanTable]:
    return {(table.kind, table.identifier): table for table in tables}


def _size_error(name: str, segment: Segment, expected: str) -> CamaError:
    size = len(segment.payload) + 2
    return CamaError(
        f"{name}: found a segment {segment.name} of {size} bytes at byte {segment.offset}, expected {expected}"
    )


def read_frame(segment: Segment, name: str = "picture") -> tuple[int, int, int, tuple[Component, ...]]:
    """Precision, height, width and components of a frame; a violation of the standard is an error that begins with `name`."""
    data = segment.payload
    if len(data) < 6 or len(data) != 6 + 3 * data[5] or not data[5]:
        raise _size_error(name, segment, "8 and 3 for each component")
    precision, height, width, count = struct.unpack_from(">BHHB", data)
    if not height or not width:
        raise CamaError(f"{name}: found a picture of {width}x{height} pixels, expected at least one")
    components = []
    for at in range(6, 6 + 3 * count, 3):
        identifier, factors, table = data[at : at + 3]
        component = Component(identifier, factors >> 4, factors & 15, table)
        if not (1 <= component.horizontal <= 4 and 1 <= component.vertical <= 4 and table < 4):
            raise CamaError(
                f"{name}: found a component sampled {factors:02x} with table {table}, expected factors of 1 to 4"
            )
        components.append(component)
    if len({component.identifier for component in components}) < count:
        raise CamaError(f"{name}: found two components of one name, expected one each")
    return precision, height, width, tuple(components)


def _scan(segment: Segment, name: str) -> Scan:
    data = segment.payload
    if not data or len(data) != 4 + 2 * data[0] or not 1 <= data[0] <= 4:
        raise _size_error(name, segment, "6 and 2 for each of 1 to 4 components")
    components = tuple((data[at], data[at + 1] >> 4, data[at + 1] & 15) for at in range(1, 1 + 2 * data[0], 2))
    first, last, bits = data[-3:]
    return Scan(components, (first, last), (bits >> 4, bits & 15))


def _content(segment: Segment, name: str) -> str:
    """A segment's name and the tables in it, such as `DQT 0 1` (`DQT 0/16` for steps of two bytes) or `DHT DC0 AC0`."""
    tables: list[str] = []
    if segment.marker == DQT:
        tables = [f"{identifier}{'/16' if wide else ''}" for identifier, wide, _ in _quantisation(segment, name)]
    if segment.marker == DHT:
        tables = [table.name for table in read_huffman(segment, name)]
    return " ".join([segment.name, *tables])


def _quantisation(segment: Segment, name: str) -> Iterator[tuple[int, bool, tuple[int, ...]]]:
    """Each table's identifier, whether its steps take two bytes, and the steps in the order of the block."""
    data, at = segment.payload, 0
    while at < len(data):
        wide, identifier = data[at] >> 4, data[at] & 15
        size = 128 if wide else 64
        if wide > 1 or identifier > 3 or at + 1 + size > len(data):
            raise _size_error(name, segment, "whole tables of 64 steps of one or two bytes")
        stored = struct.unpack_from(f">64{'H' if wide else 'B'}", data, at + 1)
        if 0 in stored:
            raise CamaError(f"{name}: found a step of 0 in the quantisation table {identifier}, expected at least 1")
        table = [0] * 64
        for place, step in zip(ZIGZAG, stored, strict=True):
            table[place] = step
        yield identifier, bool(wide), tuple(table)
        at += 1 + size


def read_huffman(segment: Segment, name: str = "picture") -> Iterator[HuffmanTable]:
    """The tables of a segment DHT, in order."""
    data, at = segment.payload, 0
    while at < len(data):
        if at + 17 > len(data) or data[at] >> 4 > 1 or data[at] & 15 > 3:
            raise _size_error(name, segment, "whole Huffman tables")
        counts = tuple(data[at + 1 : at + 17])
        end = at + 17 + sum(counts)
        if end > len(data) or sum(counts) > 256:
            raise _size_error(name, segment, "as many symbols as its counts say")
        yield HuffmanTable(data[at] >> 4, data[at] & 15, counts, data[at + 17 : end])
        at = end
