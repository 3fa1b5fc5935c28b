"""What a viewer takes of a divided JPEG: the segments that make its picture, without the damage between them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cama.jpeg.division import Damage
from cama.jpeg.segments import DAC, DHT, DNL, DQT, DRI, EOI, FRAMES, SOI, SOS, Segment

KEPT = {"JFIF": 14, "Adobe": 12, "ICC": 14}  # which say how colours are meant; the least bytes of their payload


def frames(segments: Sequence[Segment]) -> list[Segment]:
    """The frames before the first scan that differ from those before them: one, unless a file is odd."""
    found: list[Segment] = []
    for segment in segments:
        if segment.marker == SOS:
            break
        if segment.marker in FRAMES and all(
            (segment.marker, segment.payload) != (other.marker, other.payload) for other in found
        ):
            found.append(segment)
    return found


def oddities(segments: Sequence[Segment]) -> list[Damage]:
    """What is doubled or contradicts itself in a file, and what viewers make of it."""
    damage = []
    seen: dict[tuple[int, int], tuple[bytes, int]] = {}  # by marker and number: the table, and the scans before it
    scans = 0
    for segment in segments:
        scans += segment.marker == SOS
        rest = len(segment.payload) - sum(len(table) for _, table in tables(segment))
        if segment.marker in (DQT, DHT) and rest:
            damage.append(Damage(segment.offset, f"found {rest} bytes of no whole table in {segment.name}"))
        for number, table in tables(segment):
            before = seen.get((segment.marker, number))
            seen[segment.marker, number] = table, scans
            # Huffman tables change between scans in every progressive picture
            if before and before[0] != table and (segment.marker == DQT or before[1] == scans):
                kind = "quantisation" if segment.marker == DQT else "Huffman"
                where = "before a scan counts for it"
                damage.append(Damage(segment.offset, f"found a second {kind} table {number:x}: the last one {where}"))
    found = [segment for segment in segments if segment.marker in FRAMES]
    damage += [Damage(segment.offset, f"found one more frame ({segment.name}), expected one") for segment in found[1:]]
    for frame in found[:1]:
        height = _height(frame)
        later = [(segment.offset, int.from_bytes(segment.payload[:2])) for segment in segments if segment.marker == DNL]
        if height == 0 and later:
            damage.append(Damage(frame.offset, f"found the height 0 and {later[0][1]} behind the scan: few viewers do"))
        elif height == 0:
            damage.append(Damage(frame.offset, "found the height 0, expected at least 1"))
        else:
            damage += [
                Damage(offset, f"found the height {other} behind the scan, expected {height} as in the frame")
                for offset, other in later
                if other != height
            ]
    return damage


def view(segments: Sequence[Segment], frame: Segment | None) -> list[Segment]:
    """The segments that a decoder needs, from SOI to EOI, with `frame` as the only frame. Each quantisation table stands
    there once, as it was when a component's first scan began, and a height behind the scan is put into the frame.
    """
    parts = [Segment(SOI)]
    quantisation = _QuantisationTables(frame)
    restart = b""
    scanned = False
    for segment in segments:
        if segment.marker == DAC or len(segment.payload) >= KEPT.get(segment.kind, 1 << 16):
            parts.append(segment)
        elif segment.marker == DHT:
            whole = b"".join(table for _, table in tables(segment))
            parts += [replace(segment, payload=whole)] if whole else []
        elif segment.marker == DQT:
            quantisation.define(segment)
        elif segment.marker == DRI and len(segment.payload) >= 2 and segment.payload[:2] != restart:
            restart = segment.payload[:2]
            parts.append(replace(segment, payload=restart))
        elif segment is frame:
            parts.append(segment)
        elif segment.marker == SOS and _is_scan(segment):
            parts += quantisation.for_scan(segment, first=not scanned)
            parts.append(segment)
            scanned = True
    heights = [segment.payload for segment in segments if segment.marker == DNL and len(segment.payload) == 2]
    if frame is not None:
        place = next(place for place, part in enumerate(parts) if part is frame)
        payload = quantisation.renumbered()
        if _height(frame) == 0 and heights:
            payload = payload[:1] + heights[0] + payload[3:]
        parts[place] = replace(frame, payload=payload)
    return [*parts, Segment(EOI)]


def _is_scan(segment: Segment) -> bool:
    return len(segment.payload) > 5 and len(segment.payload) == 4 + 2 * segment.payload[0]


def _height(frame: Segment) -> int:
    return int.from_bytes(frame.payload[1:3])


def tables(segment: Segment) -> Iterator[tuple[int, bytes]]:
    """The whole tables of a DQT or DHT, each with its number (for DHT of two digits, the first 1 for AC)."""
    data, at = segment.payload, 0
    while segment.marker in (DQT, DHT) and at < len(data):
        size = 17 + sum(data[at + 1 : at + 17]) if segment.marker == DHT else 65 + 64 * (data[at] >> 4 != 0)
        if at + size > len(data):
            return
        yield data[at] & (15 if segment.marker == DQT else 255), data[at : at + size]
        at += size


class _QuantisationTables:
    """Which quantisation table each component of a frame takes. A component keeps the table that it began with, so a number may
    stand for several tables in one file; here each gets a number of its own.
    """

    def __init__(self, frame: Segment | None) -> None:
        self._payload = b"" if frame is None else frame.payload
        self._names = {self._payload[at]: self._payload[at + 2] for at in range(6, len(self._payload) - 2, 3)}
        self._defined: dict[int, bytes] = {}
        self._written: dict[int, bytes] = {}
        self._taken: dict[int, int] = {}  # numbers by component

    def define(self, segment: Segment) -> None:
        """Take the tables of a DQT."""
        self._defined.update(tables(segment))

    def for_scan(self, scan: Segment, first: bool) -> Iterator[Segment]:
        """The tables that must stand before a scan; before the `first` one those of all components."""
        named = self._names if first else {}
        new = [component for component in scan.payload[1:-3:2] if component in self._names]
        for component in [c for c in dict.fromkeys([*new, *named]) if c not in self._taken]:
            table = self._defined.get(self._names[component])
            if table is None:
                continue
            number = self._number(self._names[component], table[1:])
            if self._written.get(number) != table[1:]:
                self._written[number] = table[1:]
                yield Segment(DQT, bytes([table[0] & 0xF0 | number]) + table[1:])
            if component in new:
                self._taken[component] = number

    def _number(self, wanted: int, steps: bytes) -> int:
        free = [number for number in (wanted, *range(4)) if self._written.get(number, steps) == steps]
        return free[0] if free else wanted

    def renumbered(self) -> bytes:
        """The frame's payload with the numbers of `for_scan`."""
        payload = bytearray(self._payload)
        for at in range(6, len(payload) - 2, 3):
            payload[at + 2] = self._taken.get(payload[at], payload[at + 2])
        return bytes(payload)
