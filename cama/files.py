"""Files that are either whole or not there, and their hashes."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pandas as pd

from cama.errors import CamaError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed to it on success and deleted on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table by pandas; what is missing or no table is an error that names it."""
    if not path.exists():
        raise CamaError(f"{path}: no such table")
    try:
        return pd.read_csv(path, **options)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise CamaError(f"{path}: not a table in CSV ({' '.join(str(error).split())})") from error


def open_hdf5(path: Path, *needed: str) -> h5py.File:
    """Open an HDF5 file for reading; what is missing or damaged, or lacks a data set, is an error that names it."""
    if not path.exists():
        raise CamaError(f"{path}: no such HDF5 file")
    try:
        file = h5py.File(path)
    except OSError as error:
        raise CamaError(f"{path}: not an HDF5 file, or damaged ({error})") from error
    for name in needed:
        if name not in file:
            file.close()
            raise CamaError(f"{path}: found no data set {name!r}, expected one of this project's files that has it")
    return file


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; of an HDF5 file, the hash that was stored when it was written, if it has one."""
    if path.suffix == ".h5":
        with open_hdf5(path) as file:
            if "sha256" in file.attrs:
                return str(file.attrs["sha256"])
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
