"""What anonymized photographs are called, and the private list of which became which."""

import csv
import io
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.storage.files import check_folder

NEUTRAL, SAME = "neutral", "same"


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
        root = next((folder for folder in given if folder.is_dir() and folder in photo.parents), photo.parent)
        name = photo.relative_to(root).with_suffix(suffix)
        if name in taken:
            yield CamaError(f"{photo}: found the name of {taken[name]}, expected one of its own: {name}")
        else:
            taken[name] = photo
            yield name


def check_map(path: Path, force: bool) -> None:
    """An error, before the work, where the list cannot be written."""
    if path.is_dir():
        raise CamaError(f"--map: found the folder {path}, expected the name of a file")
    if path.exists() and not force:
        raise CamaError(f"--map: there is a file {path} already, expected none without --force")
    check_folder(path.parent)


def write_map(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write which photograph became which file, as CSV that its owner alone may read."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("photograph", "file"))
    table.writerows((record["input"], record["output"]) for record in records if not record["error"])
    path.unlink(missing_ok=True)  # whose permissions would stay
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text.getvalue())
