"""The tolerant reader: all that can be found in a damaged JPEG, each damaged place, and whether viewers see its picture.

The strict reader (`segments.read_segments`, `coding.read_coding`) is what checks the files that this project writes.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cama.core.errors import CamaError
from cama.jpeg.coding import Coding, process_name, read_coding
from cama.jpeg.division import MAX_LENGTH, Damage, Division, divide, find_start, is_segment
from cama.jpeg.exif import read_exif
from cama.jpeg.judge import Decodes, Verdict, data_offset, judge
from cama.jpeg.missing import lost_bytes, lost_table, unfinished
from cama.jpeg.segments import JUNK, SOS, Jpeg, Segment
from cama.jpeg.viewed import KEPT, frames, oddities, view
from cama.storage.images import MAX_PIXELS, SCAN, too_slow_to_decode

MAX_LOST = 8  # segments with broken markers that are looked for behind scans


@dataclass(frozen=True)
class Reading:
    """What the tolerant reader finds. `picture` is a JPEG of what viewers take for the picture, with the segments that say how
    its colours are meant, for a decoder. `width` and `height` are 0 where there is no frame that can be read; `coding` is None
    where it contradicts itself or is not whole; `decodes` is None for a picture that is too large to be tried, and `reason` why
    a picture decodes `partly` or not (`no`).
    """

    jpeg: Jpeg
    damage: tuple[Damage, ...]
    width: int
    height: int
    coding: Coding | None
    decodes: Decodes | None
    reason: Damage | None
    picture: bytes


def read_tolerant(data: bytes, name: str = "picture") -> Reading:
    """Read any file that begins like a JPEG; another one is an error that begins with `name`."""
    if not data:
        raise CamaError(f"{name}: found an empty file, expected a photograph")
    start = find_start(data)
    if start is None:
        raise CamaError(f"{name}: found no JPEG (it begins with {data[:4].hex(' ')}), expected ff d8: convert it first")
    reading = _read(data, start, trusting=True)
    if reading.decodes == "no" and reading.damage:
        other = _read(data, start, trusting=False)
        if other.decodes != "no":
            return other
    return reading


def require_whole(reading: Reading, name: str) -> None:
    """An error of one line, which begins with `name`, unless the picture decodes whole or is too large to be tried."""
    if reading.reason is not None:
        how = "only in part" if reading.decodes == "partly" else "not at all"
        raise CamaError(f"{name}: its picture decodes {how}: at byte {reading.reason.offset} {reading.reason.what}")


def _read(data: bytes, start: int, trusting: bool) -> Reading:
    ends: frozenset[int] = frozenset()
    while True:
        division = divide(data, start, trusting, ends)
        readings = [_with_frame(division, frame) for frame in frames(division.segments) or [None]]
        reading = next((reading for reading in readings if reading.decodes == "whole"), readings[0])
        lost = {place for place in _behind_scans(reading.jpeg, len(data)) if is_segment(data, place)} - ends
        if not lost or len(ends) >= MAX_LOST:
            return reading
        ends |= lost


def _behind_scans(jpeg: Jpeg, size: int) -> Iterator[int]:
    """Where surplus bytes follow the data of a scan: segments whose markers are broken are among them."""
    for scan, following in pairwise(jpeg.segments):
        if scan.marker == SOS and following.marker == JUNK:
            yield following.offset
    if jpeg.segments[-1].marker == SOS:
        yield size - len(jpeg.trailer)


def _with_frame(division: Division, frame: Segment | None) -> Reading:
    """The reading with one of several frames."""
    parts = view(division.segments, frame)
    picture = Jpeg(tuple(parts))
    data = picture.to_bytes()
    viewed = next((part for part in parts if frame is not None and part.marker == frame.marker), None)
    height, width = (int.from_bytes(viewed.payload[at : at + 2]) if viewed else 0 for at in (1, 3))
    damage = [*division.damage, *oddities(division.segments)]
    # without a frame before the first scan there may be one behind it, which no viewer takes
    coding, wrong = _coding(Jpeg(division.segments if frame else ()), picture)
    place = Damage(viewed.offset if viewed else division.segments[-1].offset, wrong)
    if width * height > MAX_PIXELS or too_slow_to_decode(data, width, height):
        verdict = Verdict(None, (), {})
    elif width and height:
        verdict = _judge(division, parts, viewed, width * height, bool(damage))
    else:
        verdict = Verdict("no", (), {})
    if verdict.decodes == "no" and wrong:
        verdict = Verdict("no", (place,), verdict.kept)  # it is the reason of what libjpeg says
    elif wrong:
        damage.append(place)
    ordered = tuple(sorted([*damage, *verdict.damage], key=lambda place: place.offset))
    reason = verdict.damage[-1] if verdict.decodes in ("partly", "no") else None
    jpeg = _without_surplus(division, verdict)
    return Reading(jpeg, ordered, width, height, coding, verdict.decodes, reason, data)


def _judge(division: Division, parts: list[Segment], frame: Segment, pixels: int, damaged: bool) -> Verdict:
    """The verdict of libjpeg, and on what it says nothing about. The last damage is the reason why a picture is not whole."""
    if unusual := _unusual(frame):
        return Verdict("no", (Damage(frame.offset, f"found {unusual}, expected what viewers decode"),), {})
    # without what is about colours, of which libjpeg has complaints too
    verdict = judge([part for part in parts if part.kind not in KEPT], pixels)
    if verdict.decodes != "whole":
        return verdict
    missing = lost_bytes(parts, verdict.kept) or lost_table(_without_surplus(division, verdict).segments)
    lost = unfinished(parts)
    scans_behind = SCAN.search(b"\xff\xda" + division.trailer)
    if lost and (damaged or not division.complete or scans_behind or "component" in lost):
        missing = Damage(division.segments[-1].offset, f"found {lost}, expected all of the picture")
    return replace(verdict, decodes="partly", damage=(*verdict.damage, missing)) if missing else verdict


def _coding(jpeg: Jpeg, picture: Jpeg) -> tuple[Coding | None, str]:
    """The coding of a file, or where it contradicts itself of what viewers take of it; or None and what is wrong there too."""
    with contextlib.suppress(CamaError):
        return read_coding(jpeg), ""
    try:
        return read_coding(picture, ""), ""
    except CamaError as error:
        return None, str(error).removeprefix(": ")


def _unusual(frame: Segment) -> str:
    """What few programs decode in a frame; empty for nothing. With arithmetic coding libjpeg cannot tell if data is missing."""
    number, bits = frame.marker - 0xC0, frame.payload[0]
    return f"a picture coded as {process_name(number)}" if number > 2 else f"{bits} bits a sample" if bits != 8 else ""


def _without_surplus(division: Division, verdict: Verdict) -> Jpeg:
    """The segments with what does not belong to the picture of a scan's data as junk behind it, or, where the file has no end,
    as trailer.
    """
    segments: list[Segment] = []
    for segment in division.segments:
        kept = verdict.kept.get(segment.offset) if segment.marker == SOS else None
        if kept is None:
            segments.append(segment)
            continue
        segments.append(replace(segment, scan=segment.scan[:kept]))
        segments.append(Segment(JUNK, segment.scan[kept:], offset=data_offset(segment) + kept))
    trailer = division.trailer
    if verdict.kept and not division.complete and segments[-1].marker == JUNK:
        trailer = segments.pop().payload + trailer
    return Jpeg(_with_rest_of_exif(_merged(segments)), trailer)


def _with_rest_of_exif(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments, with the junk behind EXIF in it where values in it are named there: its length is too small."""
    found = list(segments)
    for at in range(len(found) - 1, 0, -1):
        exif, junk = found[at - 1 : at + 1]
        payload = exif.payload + junk.payload
        fits = exif.kind == "Exif" and junk.marker == JUNK and len(payload) <= MAX_LENGTH - 2
        if fits and _exif_faults(payload) < _exif_faults(exif.payload):
            found[at - 1 : at + 1] = [replace(exif, payload=payload)]
    return tuple(found)


def _exif_faults(payload: bytes) -> int:
    try:
        return len(read_exif(payload).faults)
    except CamaError:
        return MAX_LENGTH


def _merged(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments with junk that follows junk in one."""
    merged: list[Segment] = []
    for segment in segments:
        if merged and segment.marker == merged[-1].marker == JUNK:
            merged[-1] = replace(merged[-1], payload=merged[-1].payload + segment.payload)
        else:
            merged.append(segment)
    return tuple(merged)
