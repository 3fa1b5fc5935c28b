"""The record of what a photograph reveals about its photographer, place, time and camera: metadata, file structure, pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cama.core.errors import CamaError, TooLargeError
from cama.core.packages import needed_by
from cama.jpeg.coding import Coding
from cama.jpeg.profile import Profile, match_profile
from cama.jpeg.quantisation import standard_quality
from cama.jpeg.segments import Jpeg
from cama.jpeg.tolerant import Reading, read_tolerant
from cama.photo.containers.container import Container
from cama.photo.containers.reading import read_container
from cama.photo.containers.telling import tell
from cama.photo.decoding import decode
from cama.photo.leaks import Leaks
from cama.photo.profile import read_profile
from cama.storage.images import Held, read_file

if TYPE_CHECKING:
    from cama.judges.judge import Judge
    from cama.photo.attribution import Attributor
    from cama.photo.references import References


@dataclass(frozen=True)
class Comparison:
    """What photographs are compared with: classifiers, references of one device, container profiles by file name, judges."""

    attributors: "tuple[Attributor, ...]" = ()
    references: "References | None" = None
    profiles: tuple[tuple[str, Profile], ...] = ()
    judges: "tuple[Judge, ...]" = ()

    @property
    def needs_pixels(self) -> bool:
        """Whether the pixels of a photograph are compared with something."""
        return bool(self.attributors or self.judges or self.references)

    @classmethod
    def load(
        cls,
        classifiers: Sequence[Path] | None = None,
        references: Sequence[Path] | None = None,
        profiles: Sequence[Path] | None = None,
        judges: Sequence[Path] | None = None,
    ) -> "Comparison":
        """`classifiers`: model files whose classifiers attribute the pixels to camera models. `references`: other photographs
        of one device, whose fingerprint is correlated with the pixels. `profiles`: container profiles that the file is
        compared with. `judges`: YAML files of classifiers and fingerprint extractors that others trained.
        """
        attributors, device, others = (), None, ()
        if classifiers:
            from cama.photo.attribution import load_attributor

            attributors = tuple(map(load_attributor, classifiers))
        if references:
            with needed_by("--reference"):
                from cama.photo.references import References
            device = References(references)
        if judges:
            from cama.photo.judging import load_judge

            others = tuple(map(load_judge, judges))
        return cls(attributors, device, tuple((path.name, read_profile(path)) for path in profiles or ()), others)


def inspect(
    path: Path,
    classifiers: Sequence[Path] | None = None,
    references: Sequence[Path] | None = None,
    profiles: Sequence[Path] | None = None,
    judges: Sequence[Path] | None = None,
) -> dict[str, Any]:
    """What the photograph at `path` reveals, compared with what `Comparison.load` takes, as a record of values for JSON;
    `docs/inspect.md` has its keys.
    """
    return inspect_with(path, Comparison.load(classifiers, references, profiles, judges))


def inspect_with(path: Path | Held, comparison: Comparison) -> dict[str, Any]:
    """The record of `inspect`, with what is the same for several photographs loaded before."""
    data = read_file(path)
    container = read_container(data, str(path))
    file = read_tolerant(data, str(path)) if container is None else container
    picture, faults, warnings = _decode(path, file, comparison.needs_pixels)
    told = _jpeg(file, picture, path) if isinstance(file, Reading) else tell(file, picture, str(path))
    about = {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    record = {"input": str(path), "error": None, **about, **told, "warnings": warnings}
    record["faults"] = [*faults, *record["faults"]]
    if isinstance(file, Container):
        record["decodes"] = "whole" if picture is not None else "no" if faults else None
    if comparison.profiles:
        if isinstance(file, Reading) and file.coding is not None:
            record["profiles"] = [
                _match(file.jpeg, file.coding, name, profile) for name, profile in comparison.profiles
            ]
        else:  # what else it tells must not be withheld
            found = (
                "its coding is damaged" if isinstance(file, Reading) else f"it is a {file.kind} file, and not a JPEG"
            )
            record["warnings"].append(f"not compared with container profiles: {found}")
    if comparison.attributors:
        from cama.photo.attribution import attribute

        record["attribution"] = attribute(picture, comparison.attributors)
    if comparison.judges:
        from cama.photo.judging import judged_by_all

        record["judges"] = judged_by_all(picture, comparison.judges, path)
    if comparison.references is not None:
        record["fingerprint"] = comparison.references.compare(picture, path)
    return record


def _decode(
    path: Path | Held, file: Reading | Container, required: bool
) -> tuple[np.ndarray | None, list[str], list[str]]:
    """The picture, faults and warnings. Where it is not `required` there is no picture of a file that does not decode whole, or
    is too large.
    """
    if isinstance(file, Reading) and file.decodes in ("partly", "no") and not required:
        return None, [], []  # the reading's damage says why
    try:
        photograph = decode(file, str(path))
        return photograph.rgb(), [], list(photograph.warnings)
    except CamaError as error:
        if required:
            raise
        return (None, [], [str(error)]) if isinstance(error, TooLargeError) else (None, [str(error)], [])


def _jpeg(reading: Reading, picture: np.ndarray | None, path: Path | Held) -> dict[str, Any]:
    """What a JPEG tells, and how it is built and damaged."""
    metadata = Leaks(reading.jpeg, picture, str(path))
    return {
        "width": reading.width or None,
        "height": reading.height or None,
        "container": "JPEG",
        "coding": None if reading.coding is None else _coding(reading.coding),
        "decodes": reading.decodes,
        "damage": [{"offset": place.offset, "what": place.what} for place in reading.damage],
        "segments": [
            {"name": segment.name, "offset": segment.offset, "bytes": len(segment.to_bytes())}
            for segment in reading.jpeg.segments
        ],
        "trailing_bytes": len(reading.jpeg.trailer),
        "leaks": metadata.leaks,
        "thumbnails": metadata.thumbnails,
        "faults": metadata.faults,
    }


def _coding(coding: Coding) -> dict[str, Any]:
    return {
        "process": coding.process,
        "subsampling": coding.subsampling,
        "standard_quality": standard_quality([coding.quantisation[c.table] for c in coding.components]),
        "quantisation": {str(name): list(table) for name, table in sorted(coding.quantisation.items())},
        "precision": coding.precision,
        "restart_interval": coding.restart,
        "scans": len(coding.scans),
    }


def _match(jpeg: Jpeg, coding: Coding, name: str, profile: Profile) -> dict[str, Any]:
    return {"profile": name, **profile.camera.model_dump(), "matches": match_profile(jpeg, coding, profile)}
