"""How data sets say which camera took a photograph: a registry by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cama.core.errors import CamaError
from cama.jpeg.exif import MAKE, MODEL, SERIAL, read_exif
from cama.jpeg.segments import read_segments
from cama.storage.images import read_file

NAMED = ("IFD0", MAKE), ("IFD0", MODEL), ("Exif", SERIAL)
VISION = re.compile(
    r"(?P<device>D\d\d)_(?P<make>[^_/]+)_(?P<model>[^/]+)/images/nat/(?P=device)_I_nat_(?P<number>\d+)\.jpe?g"
)
# What stands beside the natural photographs: flat fields, and copies that went through networks.
VISION_OTHER = re.compile(r"D\d\d_[^/]+/(images/(flat|natFBH|natFBL|natWA)|videos)/.+")
SPCUP = re.compile(r"(?P<make>[^-/]+)-(?P<model>[^/]+)/\([^()/]+\)(?P<number>\d+)\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Who took a photograph: `model` as `Make_Model`, `device` as the data set calls it, which photograph, and of which scene
    (empty where unknown). Without a number photographs count in the order of their names.
    """

    model: str
    device: int | str
    number: int | None = None
    scene: str = ""


def dresden(name: str, path: Path) -> Origin:
    """`Make_Model_device_number.JPG` in any folder, parsed from the right; the device counts from 0 (Gloe and Boehme 2010)."""
    parts = path.stem.rsplit("_", 2)
    if len(parts) == 3 and parts[0].partition("_")[0] and parts[0].partition("_")[2]:
        model, device, number = parts
        if (device + number).isascii() and device.isdigit() and number.isdigit():
            return Origin(model, int(device), int(number))
    raise _outside(path, "Make_Model_device_number.JPG")


def simulated(name: str, path: Path) -> Origin:
    """As `dresden`; the number is that of the scene, of which no two photographs of one device are."""
    found = dresden(name, path)
    return Origin(found.model, found.device, found.number, str(found.number))


def vision(name: str, path: Path) -> Origin | None:
    """`D01_Make_Model/images/nat/D01_I_nat_0001.jpg` (Shullani et al. 2017); flat fields and shared copies are none of it."""
    found = VISION.fullmatch(name)
    if found:
        return Origin(f"{found['make']}_{found['model']}", found["device"], int(found["number"]))
    if VISION_OTHER.fullmatch(name):
        return None
    raise _outside(path, "D01_Make_Model/images/nat/D01_I_nat_0001.jpg")


def spcup2018(name: str, path: Path) -> Origin:
    """`Make-Model/(short name)1.jpg`, one device a model (IEEE Signal Processing Cup 2018)."""
    found = SPCUP.fullmatch(name)
    if not found:
        raise _outside(path, "Make-Model/(short name)1.jpg")
    return Origin(f"{found['make']}_{found['model']}", 0, int(found["number"]))


def folder(name: str, path: Path) -> Origin:
    """`Make Model/device/*.jpg`; or photographs beside each other, whose EXIF names make, model and serial number."""
    parts = name.split("/")
    if len(parts) == 3:
        make, _, model = parts[0].partition(" ")
        if not model:
            raise _outside(path, "Make Model/device/photograph.jpg, with a space in the first")
        return Origin(f"{make}_{model.replace(' ', '-')}", parts[1])
    if len(parts) > 1:
        raise _outside(path, "Make Model/device/photograph.jpg, or all photographs in one folder")
    segments = read_segments(read_file(path), str(path)).of_kind("Exif")
    exif = read_exif(segments[0].payload, str(path)) if segments else None
    make, model, serial = (str(exif.get(*key) or "").strip() if exif else "" for key in NAMED)
    if not (make and model and serial):
        lacking = [key for key, value in (("make", make), ("model", model), ("serial number", serial)) if not value]
        found = " and no ".join(lacking)
        raise CamaError(f"{path}: found no {found} in its EXIF, expected them, or folders Make Model/device")
    # `NIKON CORPORATION` with `NIKON D70` is NIKON_D70
    first = make.split()[0]
    rest = model.removeprefix(first).strip() or model
    return Origin(f"{first}_{rest.replace(' ', '-').replace('/', '-')}", serial)


CONVENTIONS: dict[str, Callable[[str, Path], Origin | None]] = {
    "simulated": simulated,
    "dresden": dresden,
    "vision": vision,
    "spcup2018": spcup2018,
    "folder": folder,
}


def _outside(path: Path, expected: str) -> CamaError:
    return CamaError(f"{path}: found a file name outside the convention, expected {expected}")
