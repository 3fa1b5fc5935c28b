"""The record of what a photograph reveals about its photographer, place, time and camera: metadata, file structure, pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.coding import Coding, read_coding
from cama.jpeg.profile import match_profile
from cama.jpeg.quantisation import standard_quality
from cama.jpeg.segments import Jpeg, read_segments
from cama.photo.containers.reading import read_container
from cama.photo.containers.telling import tell
from cama.photo.decoding import read_photograph
from cama.photo.leaks import Leaks
from cama.photo.profile import read_profile
from cama.storage.images import centre_crop, read_file

FINGERPRINT_CROP = 1024  # pixels a side of the centre crop that fingerprints compare


def inspect(
    path: Path,
    classifiers: Sequence[Path] | None = None,
    references: Sequence[Path] | None = None,
    profiles: Sequence[Path] | None = None,
) -> dict[str, Any]:
    """What the photograph at `path` reveals, as a record of values for JSON; `docs/inspect.md` has its keys.

    `classifiers`: model files whose classifiers attribute the pixels to camera models. `references`: other photographs of one
    device, whose fingerprint is correlated with the pixels. `profiles`: container profiles that a JPEG is compared with.
    """
    data = read_file(path)
    record = {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    container = read_container(data, str(path))
    if container is None:
        jpeg = read_segments(data, str(path))
        coding = read_coding(jpeg, str(path))
    elif profiles:
        raise CamaError(f"{path}: found a {container.kind} file, expected a JPEG to compare with a container profile")
    picture, faults, warnings = _decode(path, required=bool(classifiers or references))
    record |= _jpeg(jpeg, coding, picture, path) if container is None else tell(container, picture, str(path))
    record["faults"] = [*faults, *record["faults"]]
    record["warnings"] = warnings
    if profiles:
        record["profiles"] = [_match(jpeg, coding, file) for file in profiles]
    if classifiers:
        from cama.photo.attribution import attribute, load_attributor  # imports torch, which takes seconds

        record["attribution"] = [result for file in classifiers for result in attribute(picture, load_attributor(file))]
    if references:
        record["fingerprint"] = _fingerprint(picture, references, path)
    return record


def _decode(path: Path, required: bool) -> tuple[np.ndarray | None, list[str], list[str]]:
    """The picture, faults and warnings: no picture and a fault where it cannot be decoded and is not `required`."""
    try:
        photograph = read_photograph(path)
        return photograph.rgb(), [], list(photograph.warnings)
    except CamaError as error:
        if required:
            raise
        return None, [str(error)], []


def _jpeg(jpeg: Jpeg, coding: Coding, picture: np.ndarray | None, path: Path) -> dict[str, Any]:
    metadata = Leaks(jpeg, picture, str(path))
    return {
        "width": coding.width,
        "height": coding.height,
        "container": "JPEG",
        "coding": _coding(coding),
        "segments": [
            {"name": segment.name, "offset": segment.offset, "bytes": len(segment.to_bytes())}
            for segment in jpeg.segments
        ],
        "trailing_bytes": len(jpeg.trailer),
        "leaks": metadata.leaks,
        "thumbnails": metadata.thumbnails,
        "faults": metadata.faults,
    }


def _coding(coding: Coding) -> dict[str, Any]:
    return {
        "process": coding.process,
        "subsampling": coding.subsampling,
        "standard_quality": standard_quality(coding.quantisation[coding.components[0].table]),
        "quantisation": {str(name): list(table) for name, table in sorted(coding.quantisation.items())},
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
    fingerprint = device_fingerprint(crop(read_photograph(reference).rgb(), reference) for reference in references)
    value = pce(crop(picture, path), fingerprint)
    return {"references": len(references), "pce": round(value, 1), "match": value > MATCH_PCE}
