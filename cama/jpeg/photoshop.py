"""The image resources in a Photoshop APP13 segment (Adobe Photoshop File Formats, "Image Resource Blocks")."""

import struct
from dataclasses import dataclass

HEADER = b"Photoshop 3.0\0"
IPTC, THUMBNAIL_BGR, THUMBNAIL = 0x0404, 0x0409, 0x040C
THUMBNAIL_HEADER_BYTES = 28  # before the JPEG in a thumbnail's resource


@dataclass(frozen=True)
class Resource:
    """One image resource block: its number and its data."""

    number: int
    data: bytes

    @property
    def thumbnail(self) -> bytes:
        """The JPEG file in a thumbnail's block; empty for other blocks."""
        return self.data[THUMBNAIL_HEADER_BYTES:] if self.number in (THUMBNAIL_BGR, THUMBNAIL) else b""

    @property
    def blue_first(self) -> bool:
        """Whether the thumbnail's channels are in the order blue, green, red, as Photoshop 4 wrote it."""
        return self.number == THUMBNAIL_BGR


def join(payloads: list[bytes]) -> bytes:
    """One payload of several segments, over which a program spread its blocks."""
    return HEADER + b"".join(payload[len(HEADER) :] for payload in payloads)


def read_resources(payload: bytes) -> tuple[list[Resource], bytes]:
    """The blocks of an APP13 payload, and the bytes after the last block."""
    resources, at = [], len(HEADER)
    while payload[at : at + 4] == b"8BIM" and at + 7 <= len(payload):
        number, name = struct.unpack_from(">HB", payload, at + 4)
        start = at + 6 + (name + 2) // 2 * 2  # the name with its length byte is padded to an even number of bytes
        if start + 4 > len(payload):
            break
        size = struct.unpack_from(">I", payload, start)[0]
        if start + 4 + size > len(payload):
            break
        resources.append(Resource(number, payload[start + 4 : start + 4 + size]))
        at = start + 4 + (size + 1) // 2 * 2
    return resources, payload[at:]
