"""What the segments of a JPEG reveal besides its picture, by category, and the thumbnails in them."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.exif import BLOCKS, Entry, join_exif, read_exif
from cama.jpeg.exif import IPTC as IPTC_TAG
from cama.jpeg.exif import XMP as XMP_TAG
from cama.jpeg.exif_text import text_of
from cama.jpeg.photoshop import HEADER as PHOTOSHOP
from cama.jpeg.photoshop import IPTC, read_resources
from cama.jpeg.readable import decode_text, describe, kinds, texts, visible
from cama.jpeg.segments import COM, JUNK, Jpeg, Segment
from cama.jpeg.xmp import HEADER as XMP
from cama.jpeg.xmp import extended_xmp
from cama.photo.embedded import Leak, find_blocks, iptc_leaks, manifest_leak, parts_value, xmp_leaks
from cama.photo.thumbnail import compare, read_thumbnail, same_picture

# EXIF tags by the category of what they reveal, the most personal first. Other tags of the GPS directory are of the category
# place, and all others unknown. Settings are how the picture was taken and stored: they reveal the camera's style at most.
TAGS = {
    "person": "Artist Copyright CameraOwnerName XPAuthor Photographer ImageEditor",
    "place": "",
    "time": """DateTime DateTimeOriginal DateTimeDigitized SubsecTime SubsecTimeOriginal SubsecTimeDigitized OffsetTime
        OffsetTimeOriginal OffsetTimeDigitized GPSTimeStamp GPSDateStamp""",
    "device": "BodySerialNumber LensSerialNumber CameraSerialNumber ImageUniqueID MakerNote",
    "camera": "Make Model LensMake LensModel LensSpecification UniqueCameraModel",
    "software": "Software ProcessingSoftware HostComputer",
    "content": "ImageDescription UserComment XPTitle XPComment XPKeywords XPSubject",
    "thumbnail": "",
    "unknown": "",
    "settings": """Orientation XResolution YResolution ResolutionUnit YCbCrPositioning YCbCrCoefficients WhitePoint
        PrimaryChromaticities ReferenceBlackWhite Compression ImageWidth ImageLength BitsPerSample ExposureTime FNumber
        ExposureProgram ISOSpeedRatings SensitivityType RecommendedExposureIndex ExifVersion ComponentsConfiguration
        CompressedBitsPerPixel ShutterSpeedValue ApertureValue BrightnessValue ExposureBiasValue MaxApertureValue
        SubjectDistance MeteringMode LightSource Flash FocalLength SubjectLocation FlashPixVersion ColorSpace ExifImageWidth
        ExifImageHeight FocalPlaneXResolution FocalPlaneYResolution FocalPlaneResolutionUnit ExposureIndex SensingMethod
        FileSource SceneType CFAPattern CustomRendered ExposureMode WhiteBalance DigitalZoomRatio FocalLengthIn35mmFilm
        SceneCaptureType GainControl Contrast Saturation Sharpness Gamma SubjectDistanceRange InteroperabilityIndex
        InteroperabilityVersion GPSVersionID CompositeImage""",
}
CATEGORY_OF_TAG = {tag: category for category, tags in TAGS.items() for tag in tags.split()}
POINTERS = ("ExifOffset", "GPSInfo", "ExifInteroperabilityOffset", "JpegIFOffset", "JpegIFByteCount")
# Segments that are not read: the category of what they reveal, and a description.
SEGMENTS = {
    "JFXX": ("thumbnail", "a thumbnail"),
    "MPF": ("content", "an index of further pictures in the file"),
}
HEADER_BYTES = {
    "JFIF": 14,
    "Adobe": 12,
}  # payloads in the standards; a longer one holds something else, such as a thumbnail
JFXX_JPEG = b"JFXX\0\x10"  # the beginning of a JFIF extension that holds a JPEG thumbnail
MAX_THUMBNAILS = 4  # are decoded; only files made to cost time have many
PADDING = 16  # unreferenced bytes in EXIF up to this number are padding, which some cameras leave between values


class Leaks:
    """What the segments of a file reveal: `leaks` as records of category (`tells`), place (`where`) and `value`, records of the
    `thumbnails`, compared with the picture (H, W, 3), uint8, unless it is None, and `faults`: violations of the standards.
    """

    def __init__(self, jpeg: Jpeg, picture: np.ndarray | None, name: str) -> None:
        self.leaks: list[dict[str, str]] = []
        self.thumbnails: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self._picture, self._name = picture, name
        for payload in join_exif(segment.payload for segment in jpeg.of_kind("Exif")):
            self._add_exif(payload)
        for segment in jpeg.segments:
            self._add_segment(segment)
        self._add_joined(jpeg)
        if jpeg.trailer:
            self._add_unknown("behind the picture", jpeg.trailer)
        order = list(TAGS)
        self.leaks.sort(key=lambda leak: order.index(leak["tells"]))

    def _add(self, category: str, where: str, value: str) -> None:
        self.leaks.append({"tells": category, "where": where, "value": value})

    def _add_all(self, leaks: Iterable[Leak]) -> None:
        for leak in leaks:
            self._add(*leak)

    def _add_segment(self, segment: Segment) -> None:
        payload = segment.payload
        if segment.marker == COM:
            self._add("content", "comment", visible(decode_text(payload)))
        elif segment.kind == "XMP":
            self._add_all(xmp_leaks(payload[len(XMP) :]))
        elif segment.kind == "Photoshop":
            self._add_photoshop(payload)
        elif segment.kind in SEGMENTS:
            category, description = SEGMENTS[segment.kind]
            self._add(category, segment.kind, f"{len(payload)} bytes: {description}")
            if payload.startswith(JFXX_JPEG):
                self._add_thumbnail(payload[len(JFXX_JPEG) :])
        elif (
            segment.marker == JUNK
            or segment.name.endswith("unknown")
            or segment.name.startswith("marker")
            or len(payload) > HEADER_BYTES.get(segment.kind, len(payload))
        ):
            self._add_unknown(segment.name, payload)

    def _add_joined(self, jpeg: Jpeg) -> None:
        """Add what may be longer than a segment, once for all of its segments."""
        for packet in extended_xmp(jpeg):
            self._add_all(xmp_leaks(packet, "extended XMP"))
        if profile := [segment.payload for segment in jpeg.of_kind("ICC")]:
            self._add("camera", "ICC", parts_value(profile, "a colour profile, which may name the device"))
        if manifest := [segment.payload for segment in jpeg.of_kind("JUMBF")]:
            self._add(*manifest_leak(manifest))

    def _add_unknown(self, where: str, data: bytes) -> None:
        """Add bytes that no standard names, and the metadata in them."""
        self._add("content" if kinds(data) else "unknown", where, describe(data))
        found = find_blocks(data)
        for payload in found.exif:
            self._add_exif(payload)
        for packet in found.xmp:
            self._add_all(xmp_leaks(packet))
        for block in found.photoshop:
            self._add_photoshop(PHOTOSHOP + block, within_unknown=True)
        for records in found.iptc:
            self._add_all(leak for leak in iptc_leaks(records) if leak[1] != "IPTC")
        for place in found.places:
            self._add("place", where, place)

    def _add_exif(self, payload: bytes) -> None:
        try:
            exif = read_exif(payload, self._name)
        except CamaError as error:
            self.faults.append(str(error))
            self._add("unknown", "Exif", describe(payload, " that cannot be read"))
            return
        self.faults += exif.faults
        for entry in exif.entries:
            category = _category(entry)
            of_thumbnail = entry.group == "IFD1"
            pointer = entry.name in POINTERS and entry.is_offset
            if entry.tag in BLOCKS and entry.group == "IFD0" and isinstance(entry.value, bytes):
                self._add_block(entry)
            elif not pointer and not (of_thumbnail and category == "settings"):
                place = "thumbnail's" if of_thumbnail else "Exif"
                self._add(category, f"{place} {entry.name}", text_of(entry, exif))
        rest = exif.unreferenced
        if len(rest) > PADDING or texts(rest):
            self._add("unknown", "Exif", describe(rest, " that no entry names"))
        self._add_thumbnail(exif.thumbnail)

    def _add_block(self, entry: Entry) -> None:
        """Add what has its own segment in most files, and here is in EXIF."""
        if entry.tag == XMP_TAG:
            self._add_all(xmp_leaks(entry.value))
        elif entry.tag == IPTC_TAG:
            self._add_all(iptc_leaks(entry.value))
        else:
            self._add_photoshop(PHOTOSHOP + entry.value)

    def _add_photoshop(self, payload: bytes, within_unknown: bool = False) -> None:
        resources, rest = read_resources(payload)
        for resource in resources:
            if resource.number == IPTC:
                self._add_all(iptc_leaks(resource.data))
            elif resource.thumbnail:
                self._add("thumbnail", "Photoshop", f"{len(resource.data)} bytes: a thumbnail")
                self._add_thumbnail(resource.thumbnail)
            else:
                self._add("software", "Photoshop", describe(resource.data, f", block 0x{resource.number:04x}"))
        if rest.strip(b"\0") and not within_unknown:  # only once, since bytes made for it could go on without end
            self._add_unknown("Photoshop", rest)

    def _add_thumbnail(self, data: bytes) -> None:
        if data and len(self.thumbnails) < MAX_THUMBNAILS:
            self.thumbnails.append(_thumbnail(data, self._picture))


def _category(entry: Entry) -> str:
    return CATEGORY_OF_TAG.get(entry.name, "place" if entry.group == "GPS" else "unknown")


def _thumbnail(data: bytes, picture: np.ndarray | None) -> dict[str, Any]:
    """The record of a thumbnail, compared with a picture if there is one."""
    image = read_thumbnail(data)
    record: dict[str, Any] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if image is None:
        return {**record, "readable": False}
    record |= {"readable": True, "width": image.width, "height": image.height}
    if picture is None:
        return record
    correlation, difference = compare(picture, image)
    return record | {
        "correlation": round(correlation, 3),
        "difference": round(difference, 1),
        "same_picture": same_picture(correlation, difference),
    }
