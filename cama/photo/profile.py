"""A camera model's container profile: how its JPEG files are built, learnt from photographs as the camera wrote them."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cama.container.coding import Coding, describe, read_coding
from cama.container.exif import MAKE, MODEL, Exif, read_exif
from cama.container.segments import Jpeg, read_segments
from cama.errors import CamaError
from cama.files import write_text
from cama.images import read_file

KIND, VERSION = "container profile", 1
# Entries whose values say something of the camera's firmware, and nothing of a photograph, a device or a person.
FIRMWARE = {
    *("Make", "Model", "Software", "YCbCrPositioning", "XResolution", "YResolution", "ResolutionUnit", "Compression"),
    *(
        "ExifVersion",
        "FlashPixVersion",
        "ComponentsConfiguration",
        "ColorSpace",
        "SensingMethod",
        "FileSource",
        "SceneType",
    ),
    *("CFAPattern", "InteroperabilityIndex", "InteroperabilityVersion", "GPSVersionID"),
}


def learn_profile(photographs: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the profile of the camera model that took `photographs` to `out`, and give it. All must name the same make and
    model in their EXIF. `docs/inspect.md` has its keys.
    """
    if not photographs:
        raise CamaError("profile: found no photographs, expected some of one camera model")
    cameras: dict[tuple[str, str], Path] = {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("codings", "segments", "dimensions")}
    seen: dict[tuple[str, int, int], list[str]] = {}
    names: dict[tuple[str, int, int], str] = {}
    orders: Counter[str] = Counter()
    for path in photographs:
        jpeg, coding, exif = _read(path)
        cameras.setdefault(_camera(exif, path), path)
        counts["codings"][_key(describe(coding))] += 1
        counts["segments"][_key([segment.name for segment in jpeg.segments])] += 1
        counts["dimensions"][_key([coding.width, coding.height])] += 1
        orders["little" if exif.order == "<" else "big"] += 1
        for entry in exif.entries:
            place = (entry.group, entry.tag, entry.kind)
            names[place] = entry.name
            seen.setdefault(place, []).append(_key(_plain(entry.value)))
    if len(cameras) > 1:
        (first, path), (second, other) = list(cameras.items())[:2]
        raise CamaError(f"{other}: found the camera {' '.join(second)}, expected {' '.join(first)} as in {path}")
    ((make, model),) = cameras
    profile = {
        "kind": KIND,
        "version": VERSION,
        "camera": {"make": make, "model": model},
        "photographs": len(photographs),
        **{
            name: [{"count": n, "value": json.loads(key)} for key, n in _ranked(count)]
            for name, count in counts.items()
        },
        "exif": {
            "byte_order": [{"count": n, "value": key} for key, n in _ranked(orders)],
            "entries": [
                {"group": place[0], "tag": place[1], "type": place[2], "name": names[place], "count": len(values)}
                | ({"value": json.loads(values[0])} if names[place] in FIRMWARE and len(set(values)) == 1 else {})
                for place, values in seen.items()
            ],
        },
    }
    write_text(out, json.dumps(profile, indent=1, ensure_ascii=False) + "\n")
    return profile


def read_profile(path: Path) -> dict[str, Any]:
    """A profile that `learn_profile` wrote."""
    try:
        profile = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CamaError(f"{path}: not a container profile ({error})") from error
    if not isinstance(profile, dict) or profile.get("kind") != KIND or profile.get("version") != VERSION:
        raise CamaError(f"{path}: found no container profile of version {VERSION}, expected what `cama profile` writes")
    return profile


def match_profile(jpeg: Jpeg, coding: Coding, profile: dict[str, Any]) -> dict[str, Any]:
    """Which traits of a file this camera model's photographs share: `quantisation`, `subsampling`, `huffman`, `segments`,
    `dimensions` (either way round), each true or false.
    """
    own = describe(coding)
    codings = [entry["value"] for entry in profile["codings"]]
    sizes = [sorted(entry["value"]) for entry in profile["dimensions"]]
    orders = [entry["value"] for entry in profile["segments"]]
    return {
        **{
            trait: any(other[trait] == own[trait] for other in codings)
            for trait in ("quantisation", "subsampling", "huffman")
        },
        "segments": [segment.name for segment in jpeg.segments] in orders,
        "dimensions": sorted([coding.width, coding.height]) in sizes,
    }


def _read(path: Path) -> tuple[Jpeg, Coding, Exif]:
    jpeg = read_segments(read_file(path), str(path))
    segments = jpeg.holding("Exif")
    if not segments:
        raise CamaError(f"{path}: found no EXIF, expected a photograph as a camera wrote it")
    return jpeg, read_coding(jpeg, str(path)), read_exif(segments[0].payload, str(path))


def _camera(exif: Exif, path: Path) -> tuple[str, str]:
    make, model = (str(exif.get("IFD0", tag) or "").strip() for tag in (MAKE, MODEL))
    if not (make and model):
        raise CamaError(f"{path}: found no make and model in its EXIF, expected a photograph as a camera wrote it")
    return make, model


def _plain(value: Any) -> Any:
    """A value of EXIF as JSON has it: bytes as hexadecimal text."""
    return value.hex() if isinstance(value, bytes) else value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, then in their own order, which does not hang on that of the files."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
