"""Reading IPTC records (Information Interchange Model 4): who, where and what, as agencies and programs write it."""

import struct
from dataclasses import dataclass

from cama.jpeg.readable import decode_text

MARKER = 0x1C  # the first byte of each record
CHARACTER_SET, UTF8 = (1, 90), b"\x1b%G"
MAX_RECORDS = 1000
# Records by number: the category of what they tell, and their name in the standard.
NAMES = {
    (2, 5): ("content", "Object Name"),
    (2, 7): ("content", "Edit Status"),
    (2, 12): ("content", "Subject"),
    (2, 15): ("content", "Category"),
    (2, 20): ("content", "Supplemental Category"),
    (2, 25): ("content", "Keywords"),
    (2, 26): ("place", "Content Location Code"),
    (2, 27): ("place", "Content Location Name"),
    (2, 40): ("content", "Special Instructions"),
    (2, 55): ("time", "Date Created"),
    (2, 60): ("time", "Time Created"),
    (2, 62): ("time", "Digital Creation Date"),
    (2, 63): ("time", "Digital Creation Time"),
    (2, 65): ("software", "Originating Program"),
    (2, 70): ("software", "Program Version"),
    (2, 80): ("person", "By-line"),
    (2, 85): ("person", "By-line Title"),
    (2, 90): ("place", "City"),
    (2, 92): ("place", "Sub-location"),
    (2, 95): ("place", "Province"),
    (2, 100): ("place", "Country Code"),
    (2, 101): ("place", "Country"),
    (2, 103): ("content", "Transmission Reference"),
    (2, 105): ("content", "Headline"),
    (2, 110): ("person", "Credit"),
    (2, 115): ("person", "Source"),
    (2, 116): ("person", "Copyright Notice"),
    (2, 118): ("person", "Contact"),
    (2, 120): ("content", "Caption"),
    (2, 122): ("person", "Writer"),
}
VERSIONS = {(1, 0), (2, 0), CHARACTER_SET}  # which tell nothing


@dataclass(frozen=True)
class Record:
    """One record: the category of what it tells, its name and its text."""

    tells: str
    name: str
    text: str


def read_iptc(data: bytes) -> tuple[list[Record], bytes]:
    """The records that tell something, and the bytes behind the last record that can be read."""
    raw, at = [], 0
    while at + 5 <= len(data) and data[at] == MARKER and len(raw) < MAX_RECORDS:
        number, size = (data[at + 1], data[at + 2]), struct.unpack_from(">H", data, at + 3)[0]
        start = at + 5
        if size & 0x8000:  # the size of the size, for long records
            width = size & 0x7FFF
            size = int.from_bytes(data[start : start + width], "big") if width <= 4 else len(data)
            start += width
        if start + size > len(data):
            break
        raw.append((number, data[start : start + size]))
        at = start + size
    utf8 = any(number == CHARACTER_SET and value == UTF8 for number, value in raw)
    return [_record(*NAMES.get(number, ("unknown", f"{number[0]}:{number[1]}")), value, utf8) for number, value in raw
            if number not in VERSIONS], data[at:]  # fmt: skip


def _record(tells: str, name: str, value: bytes, utf8: bool) -> Record:
    return Record(tells, name, value.decode("utf-8", "replace") if utf8 else decode_text(value))
