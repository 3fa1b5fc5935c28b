"""Photographs as a camera wrote them, and which of several are not: damaged, edited, or another camera's."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cama.core.errors import CamaError
from cama.jpeg.coding import Coding, read_coding
from cama.jpeg.exif import Exif, read_exif
from cama.jpeg.names import camera_name, clean, same_camera, split_name
from cama.jpeg.segments import Jpeg, read_segments
from cama.storage.images import read_file

SOFTWARE = (0x0131, 0x000B)  # tags of IFD0: Software, ProcessingSoftware
CREATOR = re.compile(rb"CreatorTool(?:\s*=\s*[\"']|>)([^\"'<]*)")  # in XMP
EDITORS = re.compile(
    r"acdsee|adobe|affinity|aperture|capture (nx|one)|corel|darktable|digikam|digital photo professional|facetune|faststone"
    r"|fotor|gimp|google photos|gthumb|image ?magick|graphicsmagick|instagram|iphoto|irfanview|lightroom|luminar|paint"
    r"|photo ?(editor|filtre|scape|shop|viewer|works)|picasa|picsart|pixelmator|pixlr|polarr|raw ?therapee|shotwell|silkypix"
    r"|snapseed|viewnx|vsco|xnview",
    re.IGNORECASE,
)
MAKER_NOTE = ("Exif", 0x927C)
PROGRAMS = ("Adobe", "Photoshop")  # kinds of segments that programs write, and few cameras


@dataclass(frozen=True)
class Original:
    """A photograph with the make and model in its EXIF."""

    path: Path
    jpeg: Jpeg
    coding: Coding
    exif: Exif
    make: str
    model: str


def read_original(path: Path, label: str = "") -> Original:
    """Read a photograph; one that is damaged, or has no EXIF with make and model, is an error. With a `label`, Make_Model, one
    without EXIF is that camera's: data sets say so by folders and names, and many take metadata off.
    """
    jpeg = read_segments(read_file(path), str(path))
    segments = jpeg.of_kind("Exif")
    if not segments and label:
        make, _, model = label.partition("_")
        return Original(path, jpeg, read_coding(jpeg, str(path)), Exif("<"), make, model)
    if not segments:
        raise CamaError(f"{path}: found no EXIF, expected a photograph as a camera wrote it")
    exif = read_exif(segments[0].payload, str(path))
    make, model = camera_name(exif)
    if not (make and model):
        raise CamaError(f"{path}: found no make and model in its EXIF, expected a photograph as a camera wrote it")
    return Original(path, jpeg, read_coding(jpeg, str(path)), exif, make, model)


def find_odd(files: Sequence[Original]) -> dict[Path, str]:
    """The photographs that are not as the camera of most of them wrote them, each with the reason: another camera, an editor
    that names itself, or a trait that hardly varies within a model: of the encoding (not its quality, subsampling or restart
    interval, which cameras change), of EXIF, or segments that programs write.

    Raises CamaError where no camera took more than a half.
    """
    cameras = Counter(same_camera(file.make, file.model) for file in files)
    camera, count = min(cameras.items(), key=lambda item: (-item[1], item[0]))
    names = {key: next(file for file in files if same_camera(file.make, file.model) == key) for key in cameras}
    first = names[camera]
    if 2 * count <= len(files):
        other = next(file for key, file in names.items() if key != camera)
        raise CamaError(f"{other.path}: {_another(other, first)}")
    odd = {f.path: _another(f, first) for f in files if same_camera(f.make, f.model) != camera}
    own = [file for file in files if file.path not in odd]
    odd |= {file.path: f"found the editor {name!r}" for file in own if (name := _editor(file))}
    own = [file for file in own if file.path not in odd]
    for trait, values in _traits(own).items():
        counts = Counter(values)
        (most, count), *_ = counts.most_common(1) or [("", 0)]
        for file, value in zip(own, values, strict=True):
            if value != most and 2 * count > len(own):
                odd.setdefault(file.path, f"found {trait} {value}, expected {most} as in most of the others")
    return odd


def _another(file: Original, expected: Original) -> str:
    found, wanted = (" ".join(split_name(one.make, one.model)) for one in (file, expected))
    return f"found the camera {found}, expected {wanted} as in {expected.path}"


def _editor(file: Original) -> str:
    """What the metadata call the program that edited the photograph; empty if they name none."""
    tools = [clean(file.exif.get("IFD0", tag)) for tag in SOFTWARE]
    for segment in file.jpeg.of_kind("XMP"):
        tools += [clean(tool.decode("utf-8", "replace")) for tool in CREATOR.findall(segment.payload)]
    return next((tool for tool in tools if EDITORS.search(tool)), "")


def _traits(files: Sequence[Original]) -> dict[str, list[str]]:
    """For each trait what the photographs have, as words for a person."""
    found: dict[str, list[str]] = {}
    for file in files:
        coding = file.coding
        has_note = file.exif.get(*MAKER_NOTE) is not None
        programs = [kind for kind in PROGRAMS if file.jpeg.of_kind(kind)]
        traits = {
            "the process": coding.process,
            "the components": " ".join(str(component.identifier) for component in coding.components),
            "the Huffman tables": "standard" if coding.standard_huffman else "of its own",
            "the segments of tables": ", ".join(part for part in coding.layout if part != "DRI"),
            "the byte order of EXIF": "little-endian" if file.exif.order == "<" else "big-endian",
            "the JFIF header": "present" if file.jpeg.of_kind("JFIF") else "absent",
            "the maker's note": "present" if has_note else "absent",
            "segments of programs": " ".join(programs) or "absent",
        }
        for trait, value in traits.items():
            found.setdefault(trait, []).append(value)
    return found
