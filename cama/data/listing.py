"""Which files of a folder are photographs, with every other one by the reason why it is none: nothing is left out silently."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cama.core.errors import CamaError, printable

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
# What systems and network drives put beside files; names in small letters.
LEFTOVERS = {
    "$recycle.bin", "#recycle", "#snapshot", ".appledouble", ".ds_store", ".fseventsd", ".spotlight-v100", ".temporaryitems",
    ".trashes", "@eadir", "__macosx", "desktop.ini", "ehthumbs.db", "picasa.ini", ".picasa.ini", "system volume information",
    "thumbs.db",
}  # fmt: skip
MOST_FILES = 2_000_000  # and folders; links that cross each other lead to the same ones again and again
EXAMPLES = 3  # names that a line gives

NO_PHOTOGRAPHS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # formats for which Pillow needs another program
OTHER = f"with another ending than {', '.join(SUFFIXES)}"
SYSTEM = "that systems leave beside photographs"
LOOP = "that are links back to a folder around them"
NO_FILE = "that are no files"
NO_PICTURE = "of no format that Pillow reads"


@dataclass
class Listing:
    """The photographs of a folder in the order of their names; links that lead nowhere but may have led to some; and all other
    files and folders by the reason why they are left out. `suffixes`: the endings of a photograph, in small letters.
    """

    suffixes: Collection[str] = SUFFIXES
    photographs: list[Path] = field(default_factory=list)
    dead_links: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    seen: int = 0  # files and folders


def list_photographs(folder: Path) -> Listing:
    """List a folder with its subfolders. Links are followed, and keep the names that they have here."""
    return _list(folder, SUFFIXES)


def list_pictures(folder: Path) -> Listing:
    """List the pictures of a folder in any format that Pillow reads, as `list_photographs` does."""
    from PIL import Image  # which the plan of a run without such a folder does not need

    Image.init()
    kinds = Image.OPEN.keys() - NO_PHOTOGRAPHS
    return _list(folder, {suffix for suffix, kind in Image.EXTENSION.items() if kind in kinds})


def list_scenes(folder: Path, least: int) -> Listing:
    """List the pictures of a folder as `list_pictures` does.

    Raises CamaError where there is no such folder, or where it has fewer pictures than `least`, the number of devices.
    """
    if not folder.is_dir():
        raise CamaError(f"simulation.scenes: found no folder {str(folder)!r}, expected one with photographs")
    listing = list_pictures(folder)
    found = len(listing.photographs) + len(listing.dead_links)
    if found < least:
        raise CamaError(
            f"simulation.scenes: found {found} pictures in {str(folder)!r}, expected at least {least}, one for each device"
        )
    return listing


def _list(folder: Path, suffixes: Collection[str]) -> Listing:
    listing = Listing(suffixes)
    _add(listing, folder, frozenset())
    listing.photographs.sort()
    return listing


def left_out_line(reason: str, paths: Iterable[Path], root: Path) -> str:
    """A line that says how many files are left out, why, and gives some names, relative to `root`."""
    names = sorted(path.relative_to(root).as_posix() for path in paths)
    more = ", ..." if len(names) > EXAMPLES else ""
    return printable(f"left out {len(names)} {reason}: {', '.join(names[:EXAMPLES])}{more}")


def _add(listing: Listing, folder: Path, around: frozenset[tuple[int, int]]) -> None:
    """Add what a folder holds, `around` which are folders of these devices and inodes."""
    try:
        status = folder.stat()
        with os.scandir(folder) as found:  # which mostly knows what is a file without asking for each
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise CamaError(f"{folder}: found a folder that cannot be read ({error.strerror})") from error
    place = (status.st_dev, status.st_ino)
    if place in around:
        listing.left_out.setdefault(LOOP, []).append(folder)
        return
    listing.seen += len(entries)
    if listing.seen > MOST_FILES:
        raise CamaError(f"{folder}: found more than {MOST_FILES} files, expected fewer: do links cross each other?")
    for entry in entries:
        path, ending = folder / entry.name, Path(entry.name).suffix.lower()
        if entry.name.casefold() in LEFTOVERS or entry.name.startswith("._"):
            reason = SYSTEM
        elif entry.is_symlink() and not os.path.exists(path) and ending in (*listing.suffixes, ""):
            listing.dead_links.append(path)
            continue
        elif os.path.isdir(path) if entry.is_symlink() else entry.is_dir():
            _add(listing, path, around | {place})
            continue
        elif ending not in listing.suffixes:
            reason = OTHER if listing.suffixes is SUFFIXES else NO_PICTURE
        elif os.path.isfile(path) if entry.is_symlink() else entry.is_file():
            listing.photographs.append(path)
            continue
        else:
            reason = NO_FILE
        listing.left_out.setdefault(reason, []).append(path)
