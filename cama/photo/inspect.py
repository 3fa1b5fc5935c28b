"""The record of what a JPEG reveals about its photographer, place, time and camera: metadata, file structure and pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.coding import Coding
from cama.jpeg.profile import match_profile
from cama.jpeg.quantisation import standard_quality
from cama.jpeg.segments import Jpeg
from cama.jpeg.tolerant import Reading, read_tolerant, require_whole
from cama.photo.leaks import Leaks
from cama.photo.profile import read_profile
from cama.storage.images import centre_crop, decode_rgb, read_file, read_rgb

FINGERPRINT_CROP = 1024  # pixels a side of the centre crop that fingerprints compare


def inspect(
    path: Path,
    classifiers: Sequence[Path] | None = None,
    references: Sequence[Path] | None = None,
    profiles: Sequence[Path] | None = None,
) -> dict[str, Any]:
    """What the JPEG at `path` reveals, as a record of values for JSON; `docs/inspect.md` has its keys.

    `classifiers`: model files whose classifiers attribute the pixels to camera models. `references`: other photographs of one
    device, whose fingerprint is correlated with the pixels. `profiles`: container profiles that the file is compared with.
    """
    data = read_file(path)
    reading = read_tolerant(data, str(path))
    jpeg, coding = reading.jpeg, reading.coding
    picture, faults = _decode(path, reading, required=bool(classifiers or references))
    metadata = Leaks(jpeg, picture, str(path))
    record = {
        "file": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": reading.width or None,
        "height": reading.height or None,
        "coding": None if coding is None else _coding(coding),
        "decodes": reading.decodes,
        "damage": [{"offset": place.offset, "what": place.what} for place in reading.damage],
        "segments": [
            {"name": segment.name, "offset": segment.offset, "bytes": len(segment.to_bytes())}
            for segment in jpeg.segments
        ],
        "trailing_bytes": len(jpeg.trailer),
        "leaks": metadata.leaks,
        "thumbnails": metadata.thumbnails,
        "faults": [*faults, *metadata.faults],
    }
    if profiles:
        if coding is None:
            raise CamaError(f"{path}: found no whole coding of a picture, expected one to compare with profiles")
        record["profiles"] = [_match(jpeg, coding, file) for file in profiles]
    if classifiers:
        from cama.photo.attribution import attribute, load_attributor  # imports torch, which takes seconds

        record["attribution"] = [result for file in classifiers for result in attribute(picture, load_attributor(file))]
    if references:
        record["fingerprint"] = _fingerprint(picture, references, path)
    return record


def _decode(path: Path, reading: Reading, required: bool) -> tuple[np.ndarray | None, list[str]]:
    """The picture; or None with the fault where it cannot be decoded and is not `required`. Grey and CMYK pictures are only
    decoded, to an error, where required. A picture that does not decode whole is none.
    """
    if required:
        require_whole(reading, str(path))
    elif reading.decodes in ("partly", "no") or (reading.coding and len(reading.coding.components) != 3):
        return None, []
    try:
        return decode_rgb(reading.picture, path), []
    except CamaError as error:
        if required:
            raise
        return None, [str(error)]


def _coding(coding: Coding) -> dict[str, Any]:
    return {
        "process": coding.process,
        "subsampling": coding.subsampling,
        "standard_quality": standard_quality(coding.quantisation[coding.components[0].table]),
        "quantisation": {str(name): list(table) for name, table in sorted(coding.quantisation.items())},
        "precision": coding.precision,
        "restart_interval": coding.restart,
        "scans": len(coding.scans),
    }


def _match(jpeg: Jpeg, coding: Coding, file: Path) -> dict[str, Any]:
    profile = read_profile(file)
    return {"profile": file.name, **profile.camera.model_dump(), "matches": match_profile(jpeg, coding, profile)}


def _fingerprint(picture: np.ndarray, references: Sequence[Path], path: Path) -> dict[str, Any]:
    from cama.forensics.fingerprint import device_fingerprint, pce
    from cama.forensics.thresholds import MATCH_PCE

    def crop(image: np.ndarray, source: Path) -> np.ndarray:
        if image.shape != picture.shape:
            found, expected = (f"{shape[1]}x{shape[0]}" for shape in (image.shape, picture.shape))
            raise CamaError(
                f"{source}: found {found} pixels, expected {expected} as in {path}: fingerprints compare the same pixels"
            )
        return centre_crop(image, FINGERPRINT_CROP, 2)

    if path.resolve() in {reference.resolve() for reference in references}:
        raise CamaError(f"{path}: found it among its own references, expected other photographs of the device")
    fingerprint = device_fingerprint(crop(read_rgb(reference), reference) for reference in references)
    value = pce(crop(picture, path), fingerprint)
    return {"references": len(references), "pce": round(value, 1), "match": value > MATCH_PCE}
