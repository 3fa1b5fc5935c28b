"""What the segments of a JPEG reveal besides its picture, by category, and the thumbnails in them."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.exif import BLOCKS, Entry, join_exif, read_exif
from cama.jpeg.exif import IPTC as IPTC_TAG
from cama.jpeg.exif import XMP as XMP_TAG
from cama.jpeg.exif_text import text_of
from cama.jpeg.photoshop import HEADER as PHOTOSHOP
from cama.jpeg.photoshop import IPTC, join, read_resources
from cama.jpeg.readable import decode_text, describe, kinds, texts, visible
from cama.jpeg.segments import COM, JUNK, Jpeg, Segment
from cama.jpeg.tolerant import read_tolerant
from cama.jpeg.xmp import HEADER as XMP
from cama.jpeg.xmp import extended_xmp
from cama.photo.embedded import Leak, find_blocks, iptc_leaks, manifest_leak, parts_value, xmp_leaks
from cama.photo.previews import Found, carve, find_previews, map_in
from cama.photo.thumbnail import Comparison, Thumbnail

if TYPE_CHECKING:
    from cama.photo.likeness import Picture

# EXIF tags by the category of what they reveal, the most personal first. Other tags of the GPS directory are of the category
# place, and all others unknown. Settings are how the picture was taken and stored: they reveal the camera's style at most.
TAGS = {
    "person": "Artist Copyright CameraOwnerName XPAuthor Photographer ImageEditor",
    "place": "",
    "time": """DateTime DateTimeOriginal DateTimeDigitized SubsecTime SubsecTimeOriginal SubsecTimeDigitized OffsetTime
        OffsetTimeOriginal OffsetTimeDigitized TimeZoneOffset GPSTimeStamp GPSDateStamp""",
    "device": "BodySerialNumber LensSerialNumber CameraSerialNumber ImageUniqueID ImageNumber MakerNote",
    "camera": "Make Model LensMake LensModel LensSpecification UniqueCameraModel",
    "software": "Software ProcessingSoftware HostComputer",
    "content": """ImageDescription UserComment XPTitle XPComment XPKeywords XPSubject ImageTitle Rating RatingPercent
        ImageHistory OriginalRawFileName""",
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
        InteroperabilityVersion GPSVersionID CompositeImage PhotometricInterpretation StripOffsets StripByteCounts RowsPerStrip
        SamplesPerPixel PlanarConfiguration YCbCrSubSampling RelatedImageFileFormat RelatedImageWidth RelatedImageHeight
        PrintImageMatching""",
}
CATEGORY_OF_TAG = {tag: category for category, tags in TAGS.items() for tag in tags.split()}
POINTERS = ("ExifOffset", "GPSInfo", "ExifInteroperabilityOffset", "JpegIFOffset", "JpegIFByteCount")
# Segments that are not read: the category of what they reveal, and a description.
SEGMENTS = {
    "JFXX": ("thumbnail", "a thumbnail"),
    "MPF": ("content", "an index of further pictures in the file"),
}
READ = ("Exif", "Photoshop", "extended XMP", "ICC", "JUMBF")  # segments that are read together
HEADER_BYTES = {
    "JFIF": 14,
    "Adobe": 12,
}  # payloads in the standards; a longer one holds something else, such as a thumbnail
MAX_PICTURES, MAX_COMPARED = (
    32,
    8,
)  # in a file: that are told, and that are compared; only files made to cost time have more
PERSONAL = ("person", "place", "content")  # what is told again where a picture within has it as well
MAX_LEAKS = 5000  # of a file; only files made to cost time have more
MAX_DEPTH = 3  # of pictures within pictures
PADDING = 16  # unreferenced bytes in EXIF up to this number are padding, which some cameras leave between values


class Leaks:
    """What the segments of a file reveal: `leaks` as records of category (`tells`), place (`where`) and `value`, records of the
    `thumbnails` and other pictures in it, compared with the picture (H, W, 3), uint8, unless it is None, and `faults`:
    violations of the standards. Pictures within pictures are looked into as well.
    """

    def __init__(self, jpeg: Jpeg, picture: np.ndarray | None, name: str) -> None:
        self.thumbnails: list[dict[str, Any]] = []
        own = _Segments(jpeg, name)
        self.faults = own.faults
        self.leaks = own.leaks
        self._picture = picture
        self._compared: Picture | None = None
        self._verdicts: dict[str, Comparison] = {}
        self._add_pictures(jpeg, name, "", 1)
        order = list(TAGS)
        self.leaks.sort(key=lambda leak: order.index(leak["tells"]))

    def _add_pictures(self, jpeg: Jpeg, name: str, within: str, depth: int) -> None:
        for found in find_previews(jpeg):
            if len(self.thumbnails) == MAX_PICTURES:
                self.faults.append(
                    f"{name}: found more than {MAX_PICTURES} pictures in the file; the others are not told"
                )
                return
            where = within + found.where
            record = self._record(found, where)
            self.thumbnails.append(record)
            try:
                inner = read_tolerant(found.data, f"{name}, picture in {where}").jpeg
            except CamaError:
                continue
            declared = found.map or (map_in(inner) if found.where in ("MPF", "trailer") else "")
            if declared and record["verdict"] == "differs":  # such a map need not look like its picture
                reason = f"it says that it is {declared}, which has tones of its own: look at it ({record['reason']})"
                record |= {"verdict": "undecided", "box": None, "reason": reason}
            own = _Segments(inner, f"{name}, picture in {where}")
            record["leaks"] = own.leaks
            self.faults += own.faults
            told = {(leak["tells"], leak["where"], leak["value"]) for leak in self.leaks}
            for leak in own.leaks:
                again = leak["tells"] not in PERSONAL and tuple(leak.values()) in told
                if leak["tells"] != "settings" and not again:
                    self.leaks.append({**leak, "where": f"{where} picture's {leak['where']}"})
            if depth < MAX_DEPTH:
                self._add_pictures(inner, name, f"{where} > ", depth + 1)

    def _record(self, found: Found, where: str) -> dict[str, Any]:
        image = found.read()
        digest = hashlib.sha256(found.data).hexdigest()
        result = self._compare(image, digest)
        return {
            "where": where,
            "offset": found.offset if where == found.where else None,
            "bytes": len(found.data),
            "sha256": digest,
            "width": image.width if image else None,
            "height": image.height if image else None,
            "readable": image is not None,
            "verdict": result.verdict,
            "box": result.box,
            "reason": result.reason,
            "leaks": [],
        }

    def _compare(self, image: Thumbnail | None, digest: str) -> Comparison:
        if image is None:
            return Comparison("undecided", None, "it cannot be decoded")
        if self._picture is None:
            return Comparison("undecided", None, "the picture cannot be decoded")
        if digest not in self._verdicts and len(self._verdicts) == MAX_COMPARED:
            return Comparison(
                "undecided", None, f"the file has more than {MAX_COMPARED} pictures, and the others are not compared"
            )
        if digest not in self._verdicts:
            self._verdicts[digest] = self._likeness(image)
        return self._verdicts[digest]

    def _likeness(self, image: Thumbnail) -> Comparison:
        try:
            from cama.photo.likeness import Picture  # takes packages that a small installation has not
        except ModuleNotFoundError as error:
            reason = (
                "not compared, it may show what was painted over or cut away: look at it, or add the package"
                f" {error.name} (pip install 'cama[previews]')"
            )
            return Comparison("undecided", None, reason)
        self._compared = self._compared or Picture(self._picture)
        return self._compared.compare(image)


class _Segments:
    """What the segments of a JPEG reveal by themselves: `leaks` and `faults` as those of `Leaks`."""

    def __init__(self, jpeg: Jpeg, name: str) -> None:
        self.leaks: list[dict[str, str]] = []
        self.faults: list[str] = []
        self._name = name
        self._told: set[tuple[str, str, str]] = set()
        for payload in join_exif(segment.payload for segment in jpeg.of_kind("Exif")):
            self._add_exif(payload)
        for segment in jpeg.segments:
            self._add_segment(segment)
        self._add_joined(jpeg)
        if jpeg.trailer:
            self._add_unknown("behind the picture", jpeg.trailer)

    def _add(self, category: str, where: str, value: str) -> None:
        leak = category, where, value
        if leak in self._told or len(self._told) > MAX_LEAKS:
            return
        self._told.add(leak)
        if len(self._told) > MAX_LEAKS:
            self.faults.append(f"{self._name}: found more than {MAX_LEAKS} things that tell; the others are not told")
            return
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
        elif segment.kind in SEGMENTS:
            category, description = SEGMENTS[segment.kind]
            self._add(category, segment.kind, f"{len(payload)} bytes: {description}")
        elif segment.kind not in READ and (
            segment.marker == JUNK
            or segment.name.endswith("unknown")
            or segment.name.startswith("marker")
            or len(payload) > HEADER_BYTES.get(segment.kind, len(payload))
        ):
            self._add_unknown(segment.name, payload)

    def _add_joined(self, jpeg: Jpeg) -> None:
        """Add what may be longer than a segment, once for all of its segments."""
        if photoshop := [segment.payload for segment in jpeg.of_kind("Photoshop")]:
            self._add_photoshop(join(photoshop))
        for packet in extended_xmp(jpeg):
            self._add_all(xmp_leaks(packet, "extended XMP"))
        if profile := [segment.payload for segment in jpeg.of_kind("ICC")]:
            self._add("camera", "ICC", parts_value(profile, "a colour profile, which may name the device"))
        if manifest := [segment.payload for segment in jpeg.of_kind("JUMBF")]:
            self._add(*manifest_leak(manifest))

    def _add_unknown(self, where: str, data: bytes) -> None:
        """Add bytes that no standard names, and the metadata in them; pictures in them are looked into elsewhere."""
        rest, pictures = data, list(carve(data, where))
        for picture in pictures:
            rest = rest.replace(picture.data, b"\0", 1)
        known = kinds(rest) or (pictures and not rest.strip(b"\0"))
        of = f" with {len(pictures)} picture{'s' * (len(pictures) > 1)}" if pictures else ""
        self._add("content" if known else "unknown", where, describe(data, of, rest))
        found = find_blocks(rest)
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
        for time in found.times:
            self._add("time", where, time)

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
            else:
                self._add("software", "Photoshop", describe(resource.data, f", block 0x{resource.number:04x}"))
        if rest.strip(b"\0") and not within_unknown:  # only once, since bytes made for it could go on without end
            self._add_unknown("Photoshop", rest)


def _category(entry: Entry) -> str:
    return CATEGORY_OF_TAG.get(entry.name, "place" if entry.group == "GPS" else "unknown")
