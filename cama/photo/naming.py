"""What anonymized photographs are called, and the private list of which became which."""

import csv
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.storage.files import check_folder

NEUTRAL = "neutral"


def output_names(photos: Sequence[Path], given: Sequence[Path], names: str, suffix: str) -> Iterator[Path | CamaError]:
    """For each photograph the name of its new file, relative to the folder of the output. `neutral` ones tell nothing; the
    `same` have the photograph's own, and its place in the given folder that it lies in. A second photograph of a name is an
    error.
    """
    taken: dict[Path, Path] = {}
    for photo in photos:
        if names == NEUTRAL:
            yield Path(f"picture-{secrets.token_hex(4)}{suffix}")
            continue
        name = _place(photo, given).with_suffix(suffix)
        if name in taken:
            yield CamaError(f"{photo}: found the name of {taken[name]}, expected one of its own: {name}")
        else:
            taken[name] = photo
            yield name


def _place(photo: Path, given: Sequence[Path]) -> Path:
    """Where a photograph lies in the given folder that holds it, or its name."""
    whole = Path(os.path.abspath(photo))  # with links as they are
    folders = (Path(os.path.abspath(folder)) for folder in given if folder.is_dir())
    root = next((folder for folder in folders if folder in whole.parents), whole.parent)
    return whole.relative_to(root)


def same_file(path: Path) -> tuple[int, int] | str:
    """A key that all names of a file share, also on file systems that do not tell capital letters apart; of what is not there
    its path without links.
    """
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def check_map(path: Path, others: Sequence[Path], force: bool) -> None:
    """An error, before the work, where the list cannot be written, or has the name of one of the `others`."""
    if path.is_dir():
        raise CamaError(f"--map: found the folder {path}, expected the name of a file")
    if path.exists() and not force:
        raise CamaError(f"--map: there is a file {path} already, expected none without --force")
    if same_file(path) in {same_file(other) for other in others}:
        raise CamaError(f"--map: found {path}, which is a photograph or its result, expected another name")
    check_folder(path.parent)


def write_map(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write which photograph became which file, as CSV that its owner alone may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        # names of files need not be text
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("photograph", "file"))
            table.writerows((record["input"], record["output"]) for record in records if not record["error"])
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
