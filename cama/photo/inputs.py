"""The photographs that a command was given: files, and folders with all that looks like a photograph in them."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cama.core.errors import CamaError

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".jps"),
    *(".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".gif", ".bmp", ".jp2", ".jxl"),
    *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srw", ".raf", ".orf", ".rw2", ".pef", ".x3f", ".3fr", ".iiq"),
}
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")  # JPEG, PNG, TIFF and most raw formats
BRANDS = set(b"heic heix heim heis hevc hevx mif1 mif2 msf1 heif avif avis".split())  # of HEIF
APPLE_DOUBLE = b"\0\5\x16\7"  # `._photo.jpg`: what macOS keeps about photo.jpg where it cannot keep it inside
Input = tuple[Path, CamaError | None]  # a photograph, and the error if there is none to read


def list_inputs(paths: Sequence[Path], leave_out: Callable[[str], None]) -> list[Input]:
    """The given files in their order, each folder replaced by its photographs, sorted, those of folders below it too. A folder
    without photographs, or one that cannot be read, is there with an error.

    `leave_out` is called with a line for each file and folder in a folder that is left out.
    """
    inputs: list[Input] = []
    for path in paths:
        inputs += _of_folder(path, leave_out) if path.is_dir() else [(path, None)]
    return inputs


def list_photographs(paths: Sequence[Path], leave_out: Callable[[str], None]) -> list[Path]:
    """As `list_inputs`, but what cannot be read is an error."""
    inputs = list_inputs(paths, leave_out)
    for _, error in inputs:
        if error:
            raise error
    return [path for path, _ in inputs]


def _of_folder(folder: Path, leave_out: Callable[[str], None]) -> list[Input]:
    inputs: list[Input] = []

    def refuse(error: OSError) -> None:
        path = Path(error.filename)
        inputs.append((path, CamaError(f"{path}: could not be read ({os.strerror(error.errno or 0)})")))

    for path in _walk(folder, leave_out, refuse):
        try:
            reason = "" if path.is_file() else "it is no file"
            reason = reason or _unlike_photograph(path)
        except OSError as error:
            refuse(error)
            continue
        if reason:
            leave_out(f"{path}: left out, {reason}")
        else:
            inputs.append((path, None))
    inputs.sort(key=lambda found: found[0])
    return inputs or [(folder, CamaError(f"{folder}: found a folder without photographs, expected some"))]


def _walk(folder: Path, leave_out: Callable[[str], None], refuse: Callable[[OSError], None]) -> Iterator[Path]:
    """What is no folder in a folder and those below it. Links are followed, but no folder is read twice, so that one that holds
    itself ends.
    """
    seen = {os.path.realpath(folder)}
    for above, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders.sort()
        for name in list(folders):
            real = os.path.realpath(os.path.join(above, name))
            if real in seen:
                folders.remove(name)
                leave_out(f"{os.path.join(above, name)}: left out, it is read under another path")
            seen.add(real)
        yield from (Path(above, name) for name in sorted(files))


def _unlike_photograph(path: Path) -> str:
    """Why a file does not look like a photograph, by its first bytes and its name; empty where it does."""
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(APPLE_DOUBLE):
        return "it holds what macOS knows of another file"
    webp = start[:4] == b"RIFF" and start[8:] == b"WEBP"
    heif = start[4:8] == b"ftyp" and start[8:] in BRANDS
    if start.startswith(STARTS) or webp or heif or path.suffix.lower() in SUFFIXES:
        return ""
    return "it does not look like a photograph"
