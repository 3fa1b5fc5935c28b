"""Reading XMP: the properties in a packet (ISO 16684-1), also in one that is damaged or in several segments."""

import re
import struct
from dataclasses import dataclass, field
from xml.parsers import expat

from cama.jpeg.readable import decode_text
from cama.jpeg.segments import Jpeg

HEADER = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
WRAPPERS = ("x", "rdf", "xml", "xmlns")  # prefixes of what holds properties, or describes them, and is none
TOOLKIT = "x:xmptk"
MAX_PROPERTIES, MAX_LENGTH = 300, 1000  # of a packet; characters of a property, of which longer ones are counted alone
MAX_NAME = 120  # characters of its name
MAX_DEPTH = 200  # of elements in each other


@dataclass(frozen=True)
class Property:
    """One property: its name with those that it lies in, such as `xmpMM:History stEvt:softwareAgent`, and its text."""

    name: str
    text: str


@dataclass
class Packet:
    """The properties of a packet; `whole` is false where it is damaged, or holds more than is told."""

    properties: list[Property] = field(default_factory=list)
    whole: bool = True


def read_xmp(data: bytes) -> Packet:
    """The properties in XMP, up to the first damage. Entities, which XMP does not need, are damage."""
    packet = Packet()
    text = decode_text(data)
    reader = _Reader(packet)
    try:
        reader.parser.Parse(text[max(text.find("<"), 0) : text.rfind(">") + 1].encode("utf-8", "replace"), True)
    except (expat.ExpatError, _Stop):
        packet.whole = False
    reader.close_texts()
    return packet


def extended_xmp(jpeg: Jpeg) -> list[bytes]:
    """The packets that stand in several segments each, put together in their order."""
    parts: dict[bytes, list[tuple[int, bytes]]] = {}
    for segment in jpeg.of_kind("extended XMP"):
        head, rest = segment.payload[len(EXTENDED) : len(EXTENDED) + 40], segment.payload[len(EXTENDED) + 40 :]
        if len(head) == 40:
            parts.setdefault(head[:32], []).append((struct.unpack_from(">I", head, 36)[0], rest))
    return [b"".join(rest for _, rest in sorted(chunks)) for chunks in parts.values()]


class _Stop(Exception):
    """The end of what is read."""


class _Reader:
    def __init__(self, packet: Packet) -> None:
        self._packet = packet
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        # in UTF-8, whatever the packet declares; without namespaces, since some packets do not declare theirs
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity

    def close_texts(self) -> None:
        """Take the texts of elements that damage left open."""
        while self._texts:
            self._end("")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise _Stop
        self._path.append(_name(tag))
        self._texts.append([])
        for attribute, value in attributes.items():
            if name := _name(attribute):
                self._add([*self._path, name], value)

    def _end(self, tag: str) -> None:
        self._add(self._path, "".join(self._texts.pop()))
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def _entity(self, *declaration: object) -> None:
        raise _Stop

    def _add(self, path: list[str], text: str) -> None:
        names = [name for name in path if name]
        text = re.sub(r"\s+", " ", text).strip()
        if not names or not text:
            return
        if len(self._packet.properties) >= MAX_PROPERTIES:
            self._packet.whole = False
            return
        shown = text if len(text) <= MAX_LENGTH else f"{len(text)} characters: {text[:60]}"
        self._packet.properties.append(Property(" ".join(dict.fromkeys((names[0], names[-1])))[:MAX_NAME], shown))


def _name(tag: str) -> str:
    """The name of a property; empty for what only holds properties, and for what describes them."""
    prefix, _, name = tag.partition(":")
    return tag if name and (prefix not in WRAPPERS or tag == TOOLKIT) else ""
