"""What IPTC records and XMP packets tell, by category, as leaks: `tells`, `where` and `value`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cama.jpeg.exif import HEADER as EXIF
from cama.jpeg.exif import MAX_BEFORE, TIFF_HEADER
from cama.jpeg.iptc import read_iptc
from cama.jpeg.photoshop import HEADER as PHOTOSHOP
from cama.jpeg.photoshop import read_resources
from cama.jpeg.readable import describe, texts, visible
from cama.jpeg.xmp import Property, read_xmp

Leak = tuple[str, str, str]
# Properties of XMP, by their name or a part of it, and the category of what they tell. Others are settings where the prefix
# is one of SETTINGS, and content, which people and programs write, elsewhere.
NAMES = {
    "person": """creator Creator Artist artist rights Copyright copyright OwnerName CameraOwnerName Credit CaptionWriter
        AuthorsPosition PersonInImage PersonDisplayName UsageTerms WebStatement Owner owner author Author Photographer
        CreatorContactInfo CiAdrExtadr CiAdrCity CiAdrCtry CiAdrPcode CiAdrRegion CiEmailWork CiTelWork CiUrlWork Source
        contributor publisher LicensorName CopyrightOwnerName ImageCreatorName ImageEditor CameraOwner mwg-rs:Name""",
    "place": """City State Country Location CountryCode Sublocation ProvinceState CountryName WorldRegion LocationCreated
        LocationShown AbsoluteAltitude RelativeAltitude Latitude Longitude""",
    "time": """CreateDate ModifyDate MetadataDate DateCreated DateTime DateTimeOriginal DateTimeDigitized date when
        DigitalCreationDate SubSecTime OffsetTime OffsetTimeOriginal""",
    "device": """SerialNumber CameraSerialNumber BodySerialNumber LensSerialNumber ImageNumber ImageUniqueID DocumentID
        InstanceID OriginalDocumentID documentID instanceID originalDocumentID BurstID DroneSerialNumber""",
    "camera": "Make Model Lens LensID LensModel LensMake LensInfo UniqueCameraModel LensSpecification",
    "software": """CreatorTool softwareAgent Software xmptk Toolkit action changed parameters LegacyIPTCDigest DerivedFrom
        ProcessingSoftware RawFileName PreservedFileName""",
}
CATEGORY = {name: category for category, names in NAMES.items() for name in names.split()}
FACEBOOK = "FBMD"
IPTC_START = re.compile(rb"\x1c[\x01\x02].[\x00-\x0f].", re.DOTALL)
XMP_PACKETS = ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>"))  # the beginning and the end
SAMSUNG_TIME = re.compile(rb"Image_UTC_Data(\d{13})(?!\d)")  # milliseconds since 1970
IPTC_BLOCK = b"8BIM\x04\x04"
ISO_6709 = re.compile(rb"[+-]\d{2}\.\d{2,8}[+-]\d{3}\.\d{2,8}(?:[+-]\d{1,6}(?:\.\d{1,6})?)?/")  # a place in a video
DEVELOPING = ("crs", "crss", "crd")  # of raw photographs: names in them are those of settings
SETTINGS = ("tiff", "exif", "exifEX", "aux", "hdrgm", "HDRGainMap", "apdi", "xmpNote", "xmpGImg")


def iptc_leaks(data: bytes) -> list[Leak]:
    """What IPTC records tell. Records of one name are told in one."""
    records, rest = read_iptc(data)
    told: dict[tuple[str, str], list[str]] = {}
    for record in records:
        code = " (a code of Facebook's, which links copies)" if record.text.startswith(FACEBOOK) else ""
        told.setdefault((record.tells, f"IPTC {record.name}"), []).append(record.text + code)
    leaks = [(tells, where, visible("; ".join(dict.fromkeys(values)))) for (tells, where), values in told.items()]
    if rest.strip(b"\0") or not leaks:
        text = visible(" ".join(texts(rest)))
        leaks.append(("person", "IPTC", f"{len(rest)} bytes: {text or 'names, places, captions'}"))
    return leaks


def xmp_leaks(data: bytes, where: str = "XMP") -> list[Leak]:
    """What an XMP packet tells. Properties of one name are told in one; a packet that has none, in bytes."""
    packet = read_xmp(data)
    told: dict[tuple[str, str], list[str]] = {}
    for each in packet.properties:
        told.setdefault((_category(each), f"{where} {each.name}"), []).append(each.text)
    leaks = [(tells, place, visible("; ".join(dict.fromkeys(values)))) for (tells, place), values in told.items()]
    if not leaks or not packet.whole:
        leaks.append(("content", where, describe(data, " that are damaged or hold more")))
    return leaks


def _category(found: Property) -> str:
    leaf = found.name.split()[-1]
    prefix, _, name = leaf.partition(":")
    if name.startswith("GPS"):
        return "time" if name in ("GPSTimeStamp", "GPSDateStamp") else "place"
    named = "" if prefix in DEVELOPING else CATEGORY.get(leaf) or CATEGORY.get(name, "")
    return named or ("settings" if prefix in (*SETTINGS, *DEVELOPING) else "content")


def manifest_leak(parts: list[bytes]) -> Leak:
    """What a C2PA manifest in one or more segments tells."""
    return ("person", "JUMBF", parts_value(parts, "a C2PA manifest: a signed history of the picture"))


def parts_value(parts: list[bytes], description: str) -> str:
    """The size of something in one or more segments, what it is, and the texts in it."""
    number = f" in {len(parts)} segments" if len(parts) > 1 else ""
    text = visible(" ".join(texts(b"".join(parts))))
    return f"{sum(map(len, parts))} bytes{number}: {description}{': ' * bool(text)}{text}"


@dataclass(frozen=True)
class Blocks:
    """Metadata in bytes that no standard names: payloads of EXIF segments, XMP packets, Photoshop's blocks, IPTC records, and
    places and times as videos and phones write them.
    """

    exif: list[bytes]
    xmp: list[bytes]
    photoshop: list[bytes]
    iptc: list[bytes]
    places: list[str]
    times: list[str]


def find_blocks(data: bytes) -> Blocks:
    """The metadata that programs which look at the bytes alone find, such as EXIF in a segment of another number."""
    header = TIFF_HEADER.search(data[:MAX_BEFORE])
    spans = ((data.find(begin), data.rfind(end) + len(end)) for begin, end in XMP_PACKETS)
    packet = next((data[start:stop] for start, stop in spans if 0 <= start < stop - len(b"</rdf:RDF>")), b"")
    block, record = data.find(IPTC_BLOCK), IPTC_START.search(data)
    whole = block >= 0 and bool(read_resources(PHOTOSHOP + data[block:])[0])
    bare = record is not None and not whole and len(read_iptc(data[record.start() :])[0]) > 1
    return Blocks(
        exif=[EXIF + data[header.start() :]] if header else [],
        xmp=[packet] if packet else [],
        photoshop=[data[block:]] if whole else [],
        iptc=[data[record.start() :]] if bare else [],
        places=list(dict.fromkeys(place.group().decode("ascii") for place in ISO_6709.finditer(data))),
        times=[_utc(int(time)) for time in dict.fromkeys(SAMSUNG_TIME.findall(data))],
    )


def _utc(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
