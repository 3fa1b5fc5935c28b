"""The values of EXIF as a person reads them (CIPA DC-008): places in degrees, and comments in the encoding they declare."""

import math
from collections.abc import Callable
from typing import Any

from cama.jpeg.exif import BYTES, RATIONALS, UNDEFINED, Entry, Exif
from cama.jpeg.readable import describe

ENCODINGS = {b"ASCII": "ascii", b"UNICODE": "utf-16", b"JIS": "jis"}  # what the first eight bytes of a comment declare
PLACES = {2: 1, 4: 3, 20: 19, 22: 21}  # GPS tags of latitudes and longitudes, and the tag that says N, S, E or W
UNITS = {"K": "km", "M": "miles", "N": "nautical miles"}
SPEEDS = {"K": "km/h", "M": "mph", "N": "knots"}
NORTHS = {"T": "true north", "M": "magnetic north"}
MIN_LETTERS = 6  # of what is taken for a text although it is stored as numbers
LIMITS = {2: 90, 4: 180, 20: 90, 22: 180}  # degrees that a latitude or longitude can have
LEVELS = {0: "above sea level", 1: "below sea level", 2: "above the ellipsoid", 3: "below the ellipsoid"}


def text_of(entry: Entry, exif: Exif) -> str:
    """The value of one of the entries of `exif` as text for display."""
    show = _GPS.get(entry.tag) if entry.group == "GPS" else None
    shown = show(entry, exif) if show else ""
    if shown:
        return shown
    value = entry.value
    if entry.is_comment and isinstance(value, bytes):
        return decode_comment(value, exif.order)
    xp = entry.name.startswith("XP") and entry.group == "IFD0" and entry.kind in (BYTES, UNDEFINED)
    if xp and isinstance(value, (bytes, tuple)):
        return bytes(value).decode("utf-16-le", "replace").rstrip("\0")  # the encoding of Windows' XP tags
    if entry.kind == BYTES and isinstance(value, tuple) and len(value) >= MIN_LETTERS and min(value[:-1]) >= ord(" "):
        value = bytes(value)  # a text of another type than the standard's
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return (
            text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() and text else describe(value)
        )
    if isinstance(value, str):
        return value.strip()
    return " ".join(_as_stored(entry))


def decode_comment(data: bytes, order: str) -> str:
    """A comment whose first eight bytes name its encoding, without blanks around it. `order`: of the EXIF, `<` or `>`.

    UTF-16 is of that order, unless a byte order mark or the other order's far more plain letters say otherwise. Text of no
    declared encoding is taken for UTF-8, UTF-16 or Latin-1, whichever it can be; what is no text is counted in bytes.
    """
    declared = ENCODINGS.get(data[:8].rstrip(b"\0 ").upper())
    body = data[8:] if declared or not data[:8].strip(b"\0 ") else data
    if declared == "utf-16":
        text = _utf16(body, order)
    elif declared == "jis":
        text = _first_of(body, "iso2022_jp_ext", "euc_jp", "cp932")
    else:
        pairs = body.rstrip(b"\0")
        if declared is None and len(pairs) > 2 and pairs.count(0) >= len(pairs) // 3:
            text = _utf16(body, order)
        else:
            text = _first_of(body.rstrip(b"\0"), "utf-8-sig", "latin-1")
    text = text.strip("\0 \t\r\n")
    strange = sum(not (c.isprintable() or c in "\t\r\n") for c in text)
    return f"{len(data)} bytes" if 8 * strange > len(text) else text


def _utf16(data: bytes, order: str) -> str:
    """UTF-16 in the byte order of the EXIF, which some programs do not keep to."""
    data = data[: len(data) // 2 * 2]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    first, second = (data[at::2] for at in (0, 1))
    little = sum(
        low != 0 and high == 0 for low, high in zip(first, second, strict=True)
    )  # letters of ASCII and Latin-1
    big = sum(low == 0 and high != 0 for low, high in zip(first, second, strict=True))
    name = {"<": "utf-16-le", ">": "utf-16-be"}[order if little == big else ("<" if little > big else ">")]
    return data.decode(name, "replace")


def _first_of(data: bytes, *encodings: str) -> str:
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return data.decode(encodings[-1], "replace")


# ---- numbers


def _numbers(entry: Entry) -> list[float | None]:
    """The numbers of an entry; None for a fraction of zero parts."""
    if isinstance(entry.value, (str, bytes)):
        return []
    if entry.kind in RATIONALS:
        return [top / bottom if bottom else None for top, bottom in _fractions(entry)]
    return [float(value) for value in (entry.value if isinstance(entry.value, tuple) else (entry.value,))]


def _fractions(entry: Entry) -> list[tuple[int, int]]:
    """The numerators and denominators of an entry of rationals."""
    value = entry.value
    return list(value) if not value or isinstance(value[0], tuple) else [value]


def _as_stored(entry: Entry) -> list[str]:
    """Each number as it is stored, a fraction as `61/2`."""
    if entry.kind in RATIONALS:
        return [str(top) if bottom == 1 else f"{top}/{bottom}" for top, bottom in _fractions(entry)]
    return [str(value) for value in (entry.value if isinstance(entry.value, tuple) else (entry.value,))]


def _short(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


# ---- places: each function returns an empty text where the entry is not of the expected kind


def _angle(entry: Entry, exif: Exif) -> str:
    """A latitude or longitude in degrees, minutes and seconds, and in decimal degrees, negative in the south and west. A part
    that is no number stands as stored, and the decimal degrees leave it out.
    """
    parts = _numbers(entry)[:3]
    if not parts:
        return ""
    side = _reference(exif, PLACES[entry.tag])
    side = side if side in tuple("NSEW") else ""
    marks = [
        f"{stored if part is None else _short(part)}{sign}"
        for part, stored, sign in zip(parts, _as_stored(entry), "°'\"", strict=False)
    ]
    text = " ".join(marks) + f" {side}".rstrip()
    if parts[0] is None or not all(math.isfinite(part or 0) for part in parts):
        return f"{text} (no place can be told)"
    degrees = sum((part or 0) / 60**power for power, part in enumerate(parts))
    degrees = -abs(degrees) if side in ("S", "W") and side else degrees
    if abs(degrees) > LIMITS[entry.tag]:
        return f"{text} (no place on Earth)"
    if not any(parts) and None not in parts:
        return f"{text} (0, which programs also write where they removed the place)"
    about = "about " if None in parts else ""
    unknown = "" if side else f", {'north or south' if entry.tag in (2, 20) else 'east or west'} is not told"
    return f"{text} ({about}{degrees:.6f}{unknown})"


def _altitude(entry: Entry, exif: Exif) -> str:
    level = LEVELS.get(_code(exif.get("GPS", 5)), "(above or below sea level is not told)")
    return _measure(entry, f"m {level}")


def _time(entry: Entry, exif: Exif) -> str:
    parts = _numbers(entry)
    if len(parts) != 3 or None in parts or not all(math.isfinite(part) for part in parts):
        return ""
    hours, minutes, seconds = parts
    return f"{hours:02.0f}:{minutes:02.0f}:{'0' * (seconds < 10)}{_short(seconds)} UTC"


def _in_unit(reference: int, names: dict[str, str]) -> Callable[[Entry, Exif], str]:
    return lambda entry, exif: _measure(entry, names.get(_reference(exif, reference), ""))


def _measure(entry: Entry, unit: str) -> str:
    numbers = _numbers(entry)
    if len(numbers) != 1 or numbers[0] is None or not math.isfinite(numbers[0]):
        return ""
    return f"{_short(numbers[0])} {unit}".rstrip()


def _reference(exif: Exif, tag: int) -> str:
    """The letter of a GPS entry that says what another one counts."""
    value = exif.get("GPS", tag)
    if isinstance(value, int) and 0 < value < 128:  # a letter as a number
        value = chr(value)
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip()[:1].upper()


def _code(value: Any) -> int | None:
    """A small number, also where a program wrote it as a text or as bytes; None for none."""
    if isinstance(value, bytes):
        return value[0] if value else None
    if isinstance(value, str):
        return int(value) if value in ("0", "1", "2", "3") else None
    return value if isinstance(value, int) else None


_GPS: dict[int, Callable[[Entry, Exif], str]] = {
    **dict.fromkeys(PLACES, _angle),
    6: _altitude,
    7: _time,
    13: _in_unit(12, SPEEDS),
    15: _in_unit(14, {key: f"degrees, {north}" for key, north in NORTHS.items()}),
    17: _in_unit(16, {key: f"degrees, {north}" for key, north in NORTHS.items()}),
    24: _in_unit(23, {key: f"degrees, {north}" for key, north in NORTHS.items()}),
    26: _in_unit(25, UNITS),
    31: lambda entry, exif: _measure(entry, "m"),
}
