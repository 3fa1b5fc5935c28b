"""Learning a camera model's container profile from original photographs, and reading and writing profiles as JSON."""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.core.text import encoding_of
from cama.jpeg.coding import describe
from cama.jpeg.profile import Profile
from cama.photo.originals import Original, find_odd, read_original
from cama.settings.spec import parse
from cama.storage.files import write_text

# EXIF entries whose values depend on the camera's firmware alone, and not on a photograph, a device or a person.
FIRMWARE_TAGS = {
    "Make", "Model", "Software", "YCbCrPositioning", "XResolution", "YResolution", "ResolutionUnit", "Compression",
    "ExifVersion", "FlashPixVersion", "ComponentsConfiguration", "ColorSpace", "SensingMethod", "FileSource", "SceneType",
    "CFAPattern", "InteroperabilityIndex", "InteroperabilityVersion", "GPSVersionID",
}  # fmt: skip


def learn_profile(photographs: Sequence[Path], say: Callable[[str], None] = print, label: str = "") -> Profile:
    """The profile of the camera model that took `photographs`. One that is damaged, edited or another camera's is left out, and
    `say` gets a line that names it and says why; it is an error if that is more than a half. With a `label`, Make_Model, those
    without EXIF are that camera's.
    """
    if not photographs:
        raise CamaError("profile: found no photographs, expected some of one camera model")
    photographs = list(dict.fromkeys(photographs))
    files, odd = [], {}
    for path in photographs:
        try:
            files.append(read_original(path, label))
        except (CamaError, OSError) as error:
            odd[path] = str(error).removeprefix(f"{path}: ")
    if files:
        odd |= find_odd(files)
    if 2 * len(odd) > len(photographs):
        path, reason = next(iter(odd.items()))
        many = f"; {len(odd)} of {len(photographs)} are odd, expected at most a half" if len(photographs) > 1 else ""
        raise CamaError(f"{path}: {reason}{many}")
    for path, reason in odd.items():
        say(f"left out {path}: {reason}")
    return _count([file for file in files if file.path not in odd], len(odd))


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile as JSON; `docs/inspect.md` has its keys."""
    values = profile.model_dump(mode="json", exclude_none=True)
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_profile(path: Path) -> Profile:
    """A profile that `write_profile` wrote."""
    try:
        values = json.loads(path.read_text(encoding=encoding_of(path)))
    except OSError as error:
        raise CamaError(f"{path}: could not be read ({os.strerror(error.errno or 0)})") from error
    except (ValueError, RecursionError) as error:
        raise CamaError(f"{path}: not a container profile ({error})") from error
    if not isinstance(values, dict) or values.get("kind") != "container profile":
        raise CamaError(f"{path}: found no container profile, expected what `cama profile` writes")
    return parse(Profile, values, str(path))


def read_profiles(folder: Path, labels: Sequence[str]) -> dict[str, Profile]:
    """The profiles LABEL.json of a folder, of the labels that have one."""
    paths = {label: folder / f"{label}.json" for label in labels}
    return {label: read_profile(path) for label, path in paths.items() if path.exists()}


def _count(files: Sequence[Original], left_out: int) -> Profile:
    """The profile of photographs that are all of one camera."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("codings", "segments", "dimensions")}
    values: dict[tuple[str, int, int], list[str]] = {}  # of EXIF entries, by directory, tag and type
    names: dict[tuple[str, int, int], str] = {}
    orders: Counter[str] = Counter()
    for file in files:
        counts["codings"][_key(describe(file.coding))] += 1
        counts["segments"][_key([segment.name for segment in file.jpeg.segments])] += 1
        counts["dimensions"][_key([file.coding.width, file.coding.height])] += 1
        orders[_key("little" if file.exif.order == "<" else "big")] += 1
        for entry in file.exif.entries:
            key = (entry.group, entry.tag, entry.kind)
            names[key] = entry.name
            values.setdefault(key, []).append(_key(_json_value(entry.value)))
    entries = [
        {"group": key[0], "tag": key[1], "type": key[2], "name": names[key], "count": len(seen)}
        | ({"value": json.loads(seen[0])} if names[key] in FIRMWARE_TAGS and len(set(seen)) == 1 else {})
        for key, seen in values.items()
    ]
    camera = _ranked(Counter(_key([file.make, file.model]) for file in files))[0]["value"]
    return Profile(
        camera={"make": camera[0], "model": camera[1]},
        photographs=len(files),
        left_out=left_out,
        exif={"byte_order": _ranked(orders), "entries": entries},
        **{name: _ranked(count) for name, count in counts.items()},
    )


def _json_value(value: Any) -> Any:
    """A value of EXIF for JSON: bytes become hexadecimal text."""
    return value.hex() if isinstance(value, bytes) else value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _ranked(counts: Counter[str]) -> list[dict[str, Any]]:
    """Values with their counts, the most frequent first; ties are sorted, so that the order of the files does not matter."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"count": count, "value": json.loads(key)} for key, count in ranked]
