"""What is missing of a picture that libjpeg decodes without a complaint."""

import re
from collections.abc import Sequence

from cama.jpeg.division import Damage
from cama.jpeg.judge import data_offset
from cama.jpeg.segments import DHT, DNL, DQT, DRI, FRAMES, SOS, Segment
from cama.jpeg.viewed import tables

ZEROS = re.compile(rb"\0{64,}")
STANDARD = 1  # of the standard's AC tables, which decoders take where there are none


def unfinished(parts: Sequence[Segment]) -> str:
    """What of the picture no scan of a `viewed.view` has; empty for nothing."""
    frame = next(part for part in parts if part.marker in FRAMES)
    components = set(frame.payload[6::3])
    scans = [part.payload for part in parts if part.marker == SOS]
    if components - {component for scan in scans for component in scan[1:-3:2]}:
        return "no scan of a component"
    if (frame.marker - 0xC0) % 4 != 2:
        return ""
    missing = {(component, place): 1 for component in components for place in range(64)}  # bits of coefficients
    scanned, fine = set(), set(range(1, 64))
    for scan in scans:
        for component in scan[1:-3:2]:
            places = range(scan[-3], min(scan[-2], 63) + 1)
            missing |= {(component, place): scan[-1] & 15 for place in places}
            scanned |= {(component, place) for place in places}
    if any(not fine & {place for found, place in scanned if found == component} for component in components):
        return "no scan of a component's finer parts"  # no encoder leaves them out
    return "no scan of the picture's finer parts" if any(missing.values()) else ""


def lost_bytes(parts: Sequence[Segment], kept: dict[int, int]) -> Damage | None:
    """A long run of zeros in a scan's data, which stands where a part of a file was lost, and which libjpeg takes for codes.
    `kept` says how many bytes of a scan belong to the picture, as in a `judge.Verdict`.
    """
    first: dict[int, int] = {}  # the first symbol of each table, by its number
    for part in parts:
        first |= {number: table[17] for number, table in tables(part) if part.marker == DHT and len(table) > 17}
        if part.marker != SOS:
            continue
        run = ZEROS.search(part.scan, 0, kept.get(part.offset, len(part.scan)))
        if run and not part.payload[-1] >> 4:  # a scan that refines others has bits that are no codes
            named = part.payload[2:-3:2]
            used = [16 + (both & 15) for both in named] if part.payload[-2] else [both >> 4 for both in named]
            # The code of a table's first symbol is all zeros. Where all mean "no change", a flat area is a run of zeros too.
            if any(first.get(number, STANDARD) & 15 for number in used):
                return Damage(
                    data_offset(part) + run.start(), f"found {len(run[0])} zeros in a scan's data: bytes are lost"
                )
    return None


def lost_table(segments: Sequence[Segment]) -> Damage | None:
    """Bytes between scans that look like the content of Huffman tables whose marker is broken: without them the next scan may
    decode in silence to another picture.
    """
    scans = [place for place, segment in enumerate(segments) if segment.marker == SOS]
    for part in segments[scans[0] + 1 : scans[-1]] if scans else ():
        if part.marker not in (SOS, DHT, DQT, DRI, DNL) and not part.kind:
            for skipped in range(min(7, len(part.payload))):  # bytes of a marker and a length
                content = part.payload[skipped:]
                found = list(tables(Segment(DHT, content)))
                if (
                    found
                    and sum(len(table) for _, table in found) == len(content)
                    and all(n & 0xEC == 0 for n, _ in found)
                ):
                    return Damage(part.offset, "found what may be a table of the next scan, without its marker")
    return None
