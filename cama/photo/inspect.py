"""What a photograph tells about who took it, where, when and with what: its metadata, its container, and its pixels."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.coding import read_coding
from cama.jpeg.exif import Entry, read_exif
from cama.jpeg.photoshop import IPTC, read_resources
from cama.jpeg.profile import match_profile
from cama.jpeg.segments import COM, Jpeg, Segment, read_segments
from cama.jpeg.tables import standard_quality
from cama.photo.profile import read_profile
from cama.photo.thumbnail import compare, read_thumbnail, same_picture
from cama.storage.images import centre_crop, read_file, read_rgb

# What an EXIF entry tells, by the name of its tag; any other of the GPS directory tells the place, all else is unknown.
TELLS = {
    **dict.fromkeys(("Artist", "Copyright", "CameraOwnerName", "XPAuthor", "Photographer", "ImageEditor"), "person"),
    **dict.fromkeys(
        (
            "DateTime",
            "DateTimeOriginal",
            "DateTimeDigitized",
            "SubsecTime",
            "SubsecTimeOriginal",
            "SubsecTimeDigitized",
        ),
        "time",
    ),
    **dict.fromkeys(
        ("OffsetTime", "OffsetTimeOriginal", "OffsetTimeDigitized", "GPSTimeStamp", "GPSDateStamp"), "time"
    ),
    **dict.fromkeys(
        ("BodySerialNumber", "LensSerialNumber", "CameraSerialNumber", "ImageUniqueID", "MakerNote"), "device"
    ),
    **dict.fromkeys(("Make", "Model", "LensMake", "LensModel", "LensSpecification", "UniqueCameraModel"), "camera"),
    **dict.fromkeys(("Software", "ProcessingSoftware", "HostComputer"), "software"),
    **dict.fromkeys(("ImageDescription", "UserComment", "XPTitle", "XPComment", "XPKeywords", "XPSubject"), "content"),
}
# Entries of how the picture was taken and how it is stored, which tell the camera's style and no more.
SETTINGS = {
    *(
        "Orientation",
        "XResolution",
        "YResolution",
        "ResolutionUnit",
        "YCbCrPositioning",
        "YCbCrCoefficients",
        "WhitePoint",
    ),
    *("PrimaryChromaticities", "ReferenceBlackWhite", "Compression", "ImageWidth", "ImageLength", "BitsPerSample"),
    *("ExposureTime", "FNumber", "ExposureProgram", "ISOSpeedRatings", "SensitivityType", "RecommendedExposureIndex"),
    *("ExifVersion", "ComponentsConfiguration", "CompressedBitsPerPixel", "ShutterSpeedValue", "ApertureValue"),
    *(
        "BrightnessValue",
        "ExposureBiasValue",
        "MaxApertureValue",
        "SubjectDistance",
        "MeteringMode",
        "LightSource",
        "Flash",
    ),
    *("FocalLength", "SubjectLocation", "FlashPixVersion", "ColorSpace", "ExifImageWidth", "ExifImageHeight"),
    *("FocalPlaneXResolution", "FocalPlaneYResolution", "FocalPlaneResolutionUnit", "ExposureIndex", "SensingMethod"),
    *("FileSource", "SceneType", "CFAPattern", "CustomRendered", "ExposureMode", "WhiteBalance", "DigitalZoomRatio"),
    *("FocalLengthIn35mmFilm", "SceneCaptureType", "GainControl", "Contrast", "Saturation", "Sharpness", "Gamma"),
    *("SubjectDistanceRange", "InteroperabilityIndex", "InteroperabilityVersion", "GPSVersionID", "CompositeImage"),
}
# What the standard's own headers take; more is something else.
HEADERS = {"JFIF": 14, "Adobe": 12}
# What a segment tells that is neither coding nor EXIF.
SEGMENTS = {
    "JFXX": ("thumbnail", "a thumbnail"),
    "XMP": ("content", "whatever programs wrote there: names, places, edits"),
    "extended XMP": ("content", "whatever programs wrote there: depth maps, other pictures"),
    "ICC": ("camera", "a colour profile, which may name the device"),
    "MPF": ("content", "an index of further pictures in the file"),
    "JUMBF": ("person", "a C2PA manifest: a signed history of the picture"),
}
ORDER = ("person", "place", "time", "device", "camera", "software", "content", "thumbnail", "unknown", "settings")
POINTERS = ("ExifOffset", "GPSInfo", "ExifInteroperabilityOffset", "JpegIFOffset", "JpegIFByteCount")
JFXX_JPEG = b"JFXX\0\x10"  # how a JFIF extension begins that holds a JPEG thumbnail
MOST_THUMBNAILS = 4  # a file of thousands of them is no photograph
PADDING = 16  # bytes in EXIF that nothing names, which some cameras leave between their values
FINGERPRINT_CROP = 1024  # pixels a side of what fingerprints compare


def inspect(
    path: Path,
    classifiers: list[Path] | None = None,
    references: list[Path] | None = None,
    profiles: list[Path] | None = None,
) -> dict[str, Any]:
    """What the JPEG at `path` tells, as a record of plain values; `docs/inspect.md` has its schema.

    `classifiers`: model files that attribute the pixels to camera models. `references`: other photographs of one device, whose
    fingerprint is looked for. `profiles`: container profiles of camera models, whose traits are looked for.
    """
    data = read_file(path)
    jpeg = read_segments(data, str(path))
    coding = read_coding(jpeg, str(path))
    picture, undecoded = None, []
    if len(coding.components) == 3 or classifiers or references:
        try:
            picture = read_rgb(path)
        except CamaError as error:
            if classifiers or references:
                raise
            undecoded = [str(error)]  # what the file tells is told all the same
    leaks, thumbnails, faults = _metadata(jpeg, picture, str(path))
    luminance = coding.quantisation[coding.components[0].table]
    record: dict[str, Any] = {
        "file": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": coding.width,
        "height": coding.height,
        "coding": {
            "process": coding.process,
            "subsampling": coding.subsampling,
            "standard_quality": standard_quality(luminance),
            "quantisation": {str(name): list(table) for name, table in sorted(coding.quantisation.items())},
            "restart_interval": coding.restart,
            "scans": len(coding.scans),
        },
        "segments": [
            {"name": segment.name, "offset": segment.offset, "bytes": len(segment.to_bytes())}
            for segment in jpeg.segments
        ],
        "trailing_bytes": len(jpeg.trailer),
        "leaks": leaks,
        "thumbnails": thumbnails,
        "faults": [*undecoded, *faults],
    }
    if profiles:
        record["profiles"] = [
            {
                "profile": file.name,
                **(known := read_profile(file)).camera.model_dump(),
                "matches": match_profile(jpeg, coding, known),
            }
            for file in profiles
        ]
    if classifiers:
        from cama.photo.attribution import attribute, load_witness  # torch takes seconds, and is for those who ask

        record["attribution"] = [found for path in classifiers for found in attribute(picture, load_witness(path))]
    if references:
        record["fingerprint"] = _fingerprint(picture, references, path)
    return record


def _metadata(jpeg: Jpeg, picture: np.ndarray | None, name: str) -> tuple[list[dict], list[dict], list[str]]:
    """What the segments tell, the thumbnails, and what breaks the standards."""
    leaks, thumbnails, faults = [], [], []

    def leak(tells: str, where: str, value: str) -> None:
        leaks.append({"tells": tells, "where": where, "value": value})

    def show(thumbnail: bytes) -> None:
        if thumbnail and len(thumbnails) < MOST_THUMBNAILS:
            thumbnails.append(_thumbnail(thumbnail, picture))

    for segment in jpeg.segments:
        if segment.marker == COM:
            leak("content", "comment", _shown(segment.payload))
        elif segment.kind == "Exif":
            try:
                exif = read_exif(segment.payload, name)
            except CamaError as error:
                faults.append(str(error))
                leak("unknown", "Exif", f"{len(segment.payload)} bytes that cannot be read")
                continue
            faults += exif.faults
            for entry in exif.entries:
                told = _tells(entry)
                followed = entry.name in POINTERS and entry.is_offset
                if not followed and not (entry.group == "IFD1" and told == "settings"):
                    where = "thumbnail's" if entry.group == "IFD1" else "Exif"
                    leak(told, f"{where} {entry.name}", _text(entry))
            if len(exif.unreferenced) > PADDING:
                leak(
                    "unknown",
                    "Exif",
                    f"{len(exif.unreferenced)} bytes that no entry names: {_shown(exif.unreferenced)}",
                )
            show(exif.thumbnail)
        elif segment.kind == "Photoshop":
            _photoshop(segment, leak, show)
        elif segment.kind in SEGMENTS:
            tells, text = SEGMENTS[segment.kind]
            leak(tells, segment.kind, f"{len(segment.payload)} bytes: {text}")
            if segment.payload.startswith(JFXX_JPEG):
                show(segment.payload[len(JFXX_JPEG) :])
        elif segment.name.endswith("unknown") or segment.name.startswith("marker") or _overlong(segment):
            leak("unknown", segment.name, f"{len(segment.payload)} bytes: {_shown(segment.payload)}")
    if jpeg.trailer:
        leak("unknown", "behind the picture", f"{len(jpeg.trailer)} bytes: {_shown(jpeg.trailer)}")
    leaks.sort(key=lambda found: ORDER.index(found["tells"]))
    return leaks, thumbnails, faults


def _photoshop(segment: Segment, leak: Callable[[str, str, str], None], show: Callable[[bytes], None]) -> None:
    """What the blocks of a Photoshop segment tell."""
    resources, rest = read_resources(segment.payload)
    for resource in resources:
        size = f"{len(resource.data)} bytes"
        if resource.number == IPTC:
            leak("person", "IPTC", f"{size}: names, places, captions")
        elif resource.thumbnail:
            leak("thumbnail", "Photoshop", f"{size}: a thumbnail")
            show(resource.thumbnail)
        else:
            leak("software", "Photoshop", f"{size}, block 0x{resource.number:04x}: {_shown(resource.data)}")
    if rest.strip(b"\0"):
        leak("unknown", "Photoshop", f"{len(rest)} bytes: {_shown(rest)}")


def _tells(entry: Entry) -> str:
    if entry.name in TELLS:
        return TELLS[entry.name]
    if entry.name in SETTINGS:
        return "settings"
    return "place" if entry.group == "GPS" else "unknown"


def _overlong(segment: Segment) -> bool:
    """Whether a header holds more than the standard gives it, such as a thumbnail."""
    return len(segment.payload) > HEADERS.get(segment.kind, len(segment.payload))


def _text(entry: Entry) -> str:
    if entry.name == "UserComment" and isinstance(entry.value, bytes):
        return _shown(entry.value[8:])  # behind the name of its character code
    return entry.text()


def _shown(data: bytes, most: int = 60) -> str:
    """The beginning of some bytes as text, without what a terminal would obey."""
    text = data[: 4 * most].decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:most]


def _thumbnail(data: bytes, picture: np.ndarray | None) -> dict[str, Any]:
    image = read_thumbnail(data)
    found: dict[str, Any] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if image is None:
        return {**found, "readable": False}
    if picture is None:  # grey or CMYK, with which nothing is compared
        return {**found, "readable": True, "width": image.width, "height": image.height}
    correlation, difference = compare(picture, image)
    return {
        **found,
        "readable": True,
        "width": image.width,
        "height": image.height,
        "correlation": round(correlation, 3),
        "difference": round(difference, 1),
        "same_picture": same_picture(correlation, difference),
    }


def _fingerprint(picture: np.ndarray, references: list[Path], path: Path) -> dict[str, Any]:
    from cama.forensics.fingerprint import MATCH_PCE, device_fingerprint, pce

    def crop(image: np.ndarray, source: Path) -> np.ndarray:
        if image.shape != picture.shape:
            found, expected = (f"{shape[1]}x{shape[0]}" for shape in (image.shape, picture.shape))
            raise CamaError(
                f"{source}: found {found} pixels, expected {expected} as in {path}: a fingerprint is of a place"
            )
        return centre_crop(image, FINGERPRINT_CROP, 2)

    if path.resolve() in {reference.resolve() for reference in references}:
        raise CamaError(f"{path}: found it among its own references, expected other photographs of the device")
    value = pce(
        crop(picture, path), device_fingerprint(crop(read_rgb(reference), reference) for reference in references)
    )
    return {"references": len(references), "pce": round(value, 1), "match": value > MATCH_PCE}
