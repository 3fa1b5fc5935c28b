"""Learning a camera model's container profile from original photographs, and reading and writing profiles as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.core.text import encoding_of
from cama.jpeg.coding import Coding, describe, read_coding
from cama.jpeg.exif import MAKE, MODEL, Exif, read_exif
from cama.jpeg.profile import Profile
from cama.jpeg.segments import Jpeg, read_segments
from cama.settings.spec import parse
from cama.storage.files import write_text
from cama.storage.images import read_file

# EXIF entries whose values depend on the camera's firmware alone, and not on a photograph, a device or a person.
FIRMWARE_TAGS = {
    "Make", "Model", "Software", "YCbCrPositioning", "XResolution", "YResolution", "ResolutionUnit", "Compression",
    "ExifVersion", "FlashPixVersion", "ComponentsConfiguration", "ColorSpace", "SensingMethod", "FileSource", "SceneType",
    "CFAPattern", "InteroperabilityIndex", "InteroperabilityVersion", "GPSVersionID",
}  # fmt: skip


def learn_profile(photographs: Sequence[Path]) -> Profile:
    """The profile of the camera model that took `photographs`; the EXIF of all must have the same make and model."""
    if not photographs:
        raise CamaError("profile: found no photographs, expected some of one camera model")
    cameras: dict[tuple[str, str], Path] = {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("codings", "segments", "dimensions")}
    values: dict[tuple[str, int, int], list[str]] = {}  # of EXIF entries, by directory, tag and type
    names: dict[tuple[str, int, int], str] = {}
    orders: Counter[str] = Counter()
    for path in photographs:
        jpeg, coding, exif = _read(path)
        cameras.setdefault(_camera(exif, path), path)
        counts["codings"][_key(describe(coding))] += 1
        counts["segments"][_key([segment.name for segment in jpeg.segments])] += 1
        counts["dimensions"][_key([coding.width, coding.height])] += 1
        orders[_key("little" if exif.order == "<" else "big")] += 1
        for entry in exif.entries:
            key = (entry.group, entry.tag, entry.kind)
            names[key] = entry.name
            values.setdefault(key, []).append(_key(_json_value(entry.value)))
    if len(cameras) > 1:
        (first, path), (second, other) = list(cameras.items())[:2]
        raise CamaError(f"{other}: found the camera {' '.join(second)}, expected {' '.join(first)} as in {path}")
    ((make, model),) = cameras
    entries = [
        {"group": key[0], "tag": key[1], "type": key[2], "name": names[key], "count": len(seen)}
        | ({"value": json.loads(seen[0])} if names[key] in FIRMWARE_TAGS and len(set(seen)) == 1 else {})
        for key, seen in values.items()
    ]
    return Profile(
        camera={"make": make, "model": model},
        photographs=len(photographs),
        exif={"byte_order": _ranked(orders), "entries": entries},
        **{name: _ranked(count) for name, count in counts.items()},
    )


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile as JSON; `docs/inspect.md` has its keys."""
    values = profile.model_dump(mode="json", exclude_none=True)
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_profile(path: Path) -> Profile:
    """A profile that `write_profile` wrote."""
    try:
        values = json.loads(path.read_text(encoding=encoding_of(path)))
    except (OSError, ValueError) as error:
        raise CamaError(f"{path}: not a container profile ({error})") from error
    if not isinstance(values, dict) or values.get("kind") != "container profile":
        raise CamaError(f"{path}: found no container profile, expected what `cama profile` writes")
    return parse(Profile, values, str(path))


def _read(path: Path) -> tuple[Jpeg, Coding, Exif]:
    jpeg = read_segments(read_file(path), str(path))
    segments = jpeg.of_kind("Exif")
    if not segments:
        raise CamaError(f"{path}: found no EXIF, expected a photograph as a camera wrote it")
    return jpeg, read_coding(jpeg, str(path)), read_exif(segments[0].payload, str(path))


def _camera(exif: Exif, path: Path) -> tuple[str, str]:
    make, model = (str(exif.get("IFD0", tag) or "").strip() for tag in (MAKE, MODEL))
    if not (make and model):
        raise CamaError(f"{path}: found no make and model in its EXIF, expected a photograph as a camera wrote it")
    return make, model


def _json_value(value: Any) -> Any:
    """A value of EXIF for JSON: bytes become hexadecimal text."""
    return value.hex() if isinstance(value, bytes) else value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _ranked(counts: Counter[str]) -> list[dict[str, Any]]:
    """Values with their counts, the most frequent first; ties are sorted, so that the order of the files does not matter."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"count": count, "value": json.loads(key)} for key, count in ranked]
