"""Naming conventions of data sets, by which a photograph's camera is known: a registry of parsers by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cama import plugins
from cama.core.errors import CamaError
from cama.jpeg.exif import SERIAL, read_exif
from cama.jpeg.names import camera_name, clean, label, same_camera
from cama.jpeg.segments import read_segments
from cama.storage.images import read_file

VISION = re.compile(
    r"(?P<device>D\d\d)_(?P<make>[^_/]+)_(?P<model>[^/]+)/images/nat/(?P=device)_I_nat_(?P<number>\d+)\.jpe?g"
)
# Other files of VISION: flat fields, copies that were shared on social networks, and videos.
VISION_OTHER = re.compile(r"D\d\d_[^/]+/(images/(flat|natFBH|natFBL|natWA)|videos)/.+")
QUALITIES = ("orig", "facebook", "instagram", "telegram", "twitter", "whatsapp")
FORCHHEIM = re.compile(
    r"(?P<device>D\d\d)_(?P<make>[^_/]+)_(?P<model>[^/]+?)(_\d)?/(?P<quality>[a-z]+)/"
    r"(?P=device)_img_(?P=quality)_(?P<scene>\d+)\.jpe?g",
    re.IGNORECASE,
)
FLOREVIEW = re.compile(
    r"(?P<device>D\d\d)_(?P<make>[^_/]+)_(?P<model>[^/]+)/Nat/jpeg[^/]*/L\d+/S\d+/"
    r"(?P=device)_(?P<scene>L\d+S\d+)C(?P<number>\d+)\.jpe?g",
    re.IGNORECASE,
)
# Other files of FloreView: flat fields, and natural ones in other formats.
FLOREVIEW_OTHER = re.compile(r"D\d\d_[^/]+/.+")
DAXING = re.compile(r"(.+/)?image/(\d{4}-\d{4}/)?(?P<device>\d{4})/(?P<angle>\d+)/[^/]+\.jpe?g", re.IGNORECASE)
SPCUP = re.compile(r"(?P<make>[^-/]+)-(?P<model>[^/]+)/\([^()/]+\)(?P<number>\d+)\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """The origin of a photograph: `model` as `Make_Model`, `device` as the data set calls it, its `number`, and the name of its
    `scene` (empty if unknown). Photographs without a number are numbered in the order of their names. `camera`: the model's own
    name where `model` may not show all of it; two of one `model` are an error.
    """

    model: str
    device: int | str
    number: int | None = None
    scene: str = ""
    camera: str = field(default="", compare=False)


def dresden(name: str, path: Path) -> Origin:
    """`Make_Model_device_number.JPG` in any folder, parsed from the right; devices count from 0 (Gloe and Boehme 2010)."""
    parts = path.stem.rsplit("_", 2)
    if len(parts) == 3 and parts[0].partition("_")[0] and parts[0].partition("_")[2]:
        model, device, number = parts
        if (device + number).isascii() and device.isdigit() and number.isdigit():
            return Origin(model, int(device), int(number))
    raise _unexpected_name(path, "Make_Model_device_number.JPG")


def simulated(name: str, path: Path) -> Origin:
    """Names as in `dresden`; the number is also that of the scene, which a device photographs only once."""
    origin = dresden(name, path)
    return Origin(origin.model, origin.device, origin.number, str(origin.number))


def vision(name: str, path: Path) -> Origin | None:
    """`D01_Make_Model/images/nat/D01_I_nat_0001.jpg` (Shullani et al. 2017); None for flat fields, shared copies and videos."""
    match = VISION.fullmatch(name)
    if match:
        return Origin(f"{match['make']}_{match['model']}", match["device"], int(match["number"]))
    if VISION_OTHER.fullmatch(name):
        return None
    raise _unexpected_name(path, "D01_Make_Model/images/nat/D01_I_nat_0001.jpg")


def forchheim(quality: str) -> Callable[[str, Path], Origin | None]:
    """`D01_Motorola_E3_1/orig/D01_img_orig_0001.jpg`, of which the last number is the scene (Hadwiger and Riess 2020); of the
    originals, or of the copies that a social network made. Those of the other qualities are left out.
    """

    def convention(name: str, path: Path) -> Origin | None:
        match = FORCHHEIM.fullmatch(name)
        if not match or match["quality"] not in QUALITIES:
            raise _unexpected_name(path, f"D01_Make_Model_1/{quality}/D01_img_{quality}_0001.jpg")
        if match["quality"] != quality:
            return None
        return Origin(f"{match['make']}_{match['model']}", match["device"], int(match["scene"]), match["scene"])

    return convention


def floreview(name: str, path: Path) -> Origin | None:
    """`D01_Make_Model/Nat/jpeg-h264/L1/S1/D01_L1S1C1.jpg`: place, subject and capture, of which the first two are the scene
    (Baracchi et al. 2023); None for flat fields and other formats.
    """
    match = FLOREVIEW.fullmatch(name)
    if match:
        scene = match["scene"].upper()
        place, subject = re.findall(r"\d+", scene)
        number = int(f"{int(place):02}{int(subject):02}{int(match['number']):02}")
        return Origin(f"{match['make']}_{match['model']}", match["device"], number, scene)
    if FLOREVIEW_OTHER.fullmatch(name) and "/nat/jpeg" not in f"/{name}".lower():
        return None
    raise _unexpected_name(path, "D01_Make_Model/Nat/jpeg-h264/L1/S1/D01_L1S1C1.jpg")


def daxing(name: str, path: Path) -> Origin:
    """`image/1101-1104/1101/90/photograph.jpg`, or without the second folder: the device, and the angle at which it was held
    (Tian et al. 2019). Make and model are those in the EXIF of each photograph.
    """
    match = DAXING.fullmatch(name)
    if not match:
        raise _unexpected_name(path, "image/1101-1104/1101/90/photograph.jpg")
    make, model, _ = _by_exif(path)
    if not (make and model):
        raise CamaError(f"{path}: found no {'model' if make else 'make'} in its EXIF, expected them")
    return Origin(label(make, model), match["device"], camera=" ".join(same_camera(make, model)))


def spcup2018(name: str, path: Path) -> Origin:
    """`Make-Model/(short name)1.jpg`, with one device of each model (IEEE Signal Processing Cup 2018)."""
    match = SPCUP.fullmatch(name)
    if not match:
        raise _unexpected_name(path, "Make-Model/(short name)1.jpg")
    return Origin(f"{match['make']}_{match['model']}", 0, int(match["number"]))


def folder(name: str, path: Path) -> Origin:
    """`Make Model/device/*.jpg`; or all photographs in one folder, with make, model and serial number in their EXIF."""
    parts = name.split("/")
    if len(parts) == 3:
        make, _, model = parts[0].partition(" ")
        if not model:
            raise _unexpected_name(path, "Make Model/device/photograph.jpg, with a space in the first")
        return Origin(label(make, model), parts[1], camera=" ".join(same_camera(make, model)))
    if len(parts) > 1:
        raise _unexpected_name(path, "Make Model/device/photograph.jpg, or all photographs in one folder")
    make, model, serial = _by_exif(path)
    if not (make and model and serial):
        lacking = [key for key, value in (("make", make), ("model", model), ("serial number", serial)) if not value]
        missing = " and no ".join(lacking)
        raise CamaError(f"{path}: found no {missing} in its EXIF, expected them, or folders Make Model/device")
    return Origin(label(make, model), serial, camera=" ".join(same_camera(make, model)))


def _by_exif(path: Path) -> tuple[str, str, str]:
    """Make, model and serial number that the EXIF of a photograph has; empty where it has none."""
    segments = read_segments(read_file(path), str(path)).of_kind("Exif")
    exif = read_exif(segments[0].payload, str(path)) if segments else None
    return (*camera_name(exif), clean(exif.get("Exif", SERIAL))) if exif else ("", "", "")


_BUILTIN: dict[str, Callable[[str, Path], Origin | None]] = {
    "simulated": simulated,
    "dresden": dresden,
    "vision": vision,
    "spcup2018": spcup2018,
    "forchheim": forchheim("orig"),
    **{f"forchheim_{quality}": forchheim(quality) for quality in QUALITIES[1:]},
    "floreview": floreview,
    "daxing": daxing,
    "folder": folder,
}
CONVENTIONS = plugins.Registry(plugins.CONVENTIONS, _BUILTIN)


def _unexpected_name(path: Path, expected: str) -> CamaError:
    return CamaError(f"{path}: found a file name outside the convention, expected {expected}")
