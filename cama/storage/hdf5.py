"""HDF5 files that carry the hash of their content, which is checked when they are read.

Each data set has the SHA-256 of its values as its attribute `sha256`, checked when it is read whole. The file's own is
over the names, types, shapes and hashes of its data sets and over its other attributes, checked when it is opened. Images are
stored with a checksum for each chunk too (Fletcher-32), checked whenever part of them is read. Texts have a fixed length: HDF5
keeps those of any length on a heap without checksums, and a flipped bit there can make it read for ever.

A stage needs the hash of an input, and its content, in several places. So HDF5 files, once opened and checked, and the hashes
of other files are kept in this process until the file changes.
"""

import contextlib
import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import h5py
import numpy as np

from cama.core.errors import CamaError
from cama.storage.files import atomic, delay_signals, file_hash

HASH = "sha256"
BLOCK = 1 << 24  # bytes that are hashed at a time
FORMAT = "v110"  # the oldest whose own structures have checksums
MOST_KEPT = 64  # files
RECENT_S = 2.0  # the coarsest step of a file system's clock

T = TypeVar("T")


class _PerFile(Generic[T]):
    """Values that `make` gives for files. A value is kept until the inode, size or times of its file change. Where the same
    inode has other content it goes to `discard` then. No value is kept of a file that was modified within the last `RECENT_S`
    seconds, since it could be modified again without a change of its times.
    """

    def __init__(self, make: Callable[[Path], T], discard: Callable[[T], None] = lambda value: None) -> None:
        self._make, self._discard = make, discard
        self._kept: dict[str, tuple[tuple[int, ...], T]] = {}

    def __call__(self, path: Path) -> T:
        name, about = os.path.abspath(path), path.stat()
        stamp = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        before, value = self._kept.pop(name, (stamp, None))
        if value is not None and before != stamp:
            if before[:2] == stamp[:2]:  # a file that was replaced may still be read by whoever has it
                self._discard(value)
            value = None
        if not value:  # so is an HDF5 file that was closed
            value = self._make(path)
        if time.time() - about.st_mtime > RECENT_S:
            self._kept[name] = stamp, value
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]  # the one that was asked for longest ago
        return value


class Writer:
    """An HDF5 file that is being filled; a full disk is an OSError at the next call."""

    def __init__(self, file: h5py.File, stream: "_Stream") -> None:
        self._file, self._stream = file, stream

    def create_images(self, name: str, count: int, shape: tuple[int, ...], kind: type) -> None:
        """A data set of `count` images of this shape: one image a chunk, each with its checksum."""
        shapes = {"shape": (count, *shape), "maxshape": (None, *shape), "chunks": (1, *shape)}
        self._file.create_dataset(name, dtype=kind, fletcher32=True, **shapes)

    def put_images(self, name: str, first: int, images: np.ndarray) -> None:
        """Write images from the place `first` on; the data set grows where they end behind it."""
        dataset = self._file[name]
        if len(dataset) < first + len(images):
            dataset.resize(first + len(images), axis=0)
        dataset[first : first + len(images)] = images
        self._stream.check()

    def write_values(self, name: str, values: np.ndarray) -> None:
        """A data set of numbers."""
        self._file[name] = values

    def write_texts(self, name: str, texts: Sequence[str]) -> None:
        """A data set of texts."""
        self._file[name] = np.array([text.encode() for text in texts], np.bytes_)

    def write_attribute(self, name: str, value: Any) -> None:
        """An attribute of the file that JSON can hold."""
        self._file.attrs[name] = np.bytes_(json.dumps(value))

    def seal(self) -> None:
        """Write the hashes."""
        self._flush()  # what the disk did not take cannot be read again
        for name, dataset in self._file.items():
            dataset.attrs[HASH] = np.bytes_(_hash_blocks(self._file, name))
        self._file.attrs[HASH] = np.bytes_(_hash_file(self._file))
        self._flush()

    def _flush(self) -> None:
        self._file.flush()
        self._stream.check()


@contextlib.contextmanager
def write_hdf5(path: Path) -> Iterator[Writer]:
    """Yield a new file, to be filled; on success it gets its hashes and, atomically, its name."""
    with atomic(path) as temporary, delay_signals() as signals, _Stream(temporary, "w+") as stream:
        stream.signals = signals
        with h5py.File(stream, "w", libver=FORMAT) as file:
            writer = Writer(file, stream)
            yield writer
            writer.seal()
        stream.check()


class _Stream(io.FileIO):
    """A file that keeps its first error of writing to itself, and drops what is written after it. HDF5 would lose an error that
    it meets while it frees its objects, and crash at exit where it cannot close its file.
    """

    error: OSError | None = None
    signals: "list[int]"

    def write(self, data: memoryview) -> int:
        left = memoryview(data).cast("B")
        try:
            while self.error is None and left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return len(data)

    def check(self) -> None:
        """Raise the error that was kept, or leave as a signal asked to."""
        if self.error is not None:
            raise self.error
        if self.signals:
            raise SystemExit(128 + self.signals[0])


def read_attribute(file: h5py.File, name: str) -> Any:
    """An attribute of `write_attribute`; one that is missing is an error."""
    if name not in file.attrs:
        raise CamaError(f"{file.filename}: found no attribute {name!r}, expected one of this project's files")
    return json.loads(file.attrs[name])


def open_hdf5(path: Path, *needed: str) -> h5py.File:
    """An HDF5 file, open for reading; what is missing or damaged, or lacks a data set, is an error that names it.

    Later calls may give the same file, so nobody closes it: it closes when nothing refers to it.
    """
    if not path.exists():
        raise CamaError(f"{path}: no such HDF5 file")
    file = _opened(path)
    for name in needed:
        if name not in file:
            raise CamaError(f"{path}: found no data set {name!r}, expected one of this project's files that has it")
    return file


def _open(path: Path) -> h5py.File:
    """Open an HDF5 file and check its hash."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise CamaError(f"{path}: not an HDF5 file, or damaged ({error})") from error
    try:
        if file.attrs[HASH].decode() != _hash_file(file):
            raise CamaError(f"{path}: damaged: found content that is not what its hash says")
    except CamaError:
        file.close()
        raise
    except Exception as error:  # whatever h5py makes of damaged structures
        file.close()
        raise CamaError(f"{path}: not a file of this project, or damaged ({error})") from error
    return file


# closed where the file was changed in place, since HDF5 would share what it has read of it with the file opened anew
_opened = _PerFile(_open, h5py.File.close)
_file_hashes = _PerFile(file_hash)


def read_values(file: h5py.File, name: str) -> np.ndarray:
    """A whole data set, checked against its hash; texts as str."""
    values = _read(file, name, slice(None))
    _compare(file, name, hashlib.sha256(np.ascontiguousarray(values)).hexdigest())
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def read_rows(file: h5py.File, name: str, rows: slice | int) -> np.ndarray:
    """Some rows of a data set of images, each checked against its checksum."""
    return _read(file, name, rows)


def _read(file: h5py.File, name: str, rows: slice | int) -> np.ndarray:
    try:
        return file[name][rows]
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CamaError(f"{file.filename}: damaged: {name!r} cannot be read ({error})") from error


def _compare(file: h5py.File, name: str, digest: str) -> None:
    if digest != file[name].attrs[HASH].decode():
        raise CamaError(f"{file.filename}: damaged: found values of {name!r} that are not what their hash says")


def _hash_blocks(file: h5py.File, name: str) -> str:
    """The hash of a data set that may be larger than the memory."""
    dataset, digest = file[name], hashlib.sha256()
    rows = max(1, BLOCK // max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))))
    for first in range(0, len(dataset), rows):
        digest.update(np.ascontiguousarray(_read(file, name, slice(first, first + rows))))
    return digest.hexdigest()


def _hash_file(file: h5py.File) -> str:
    datasets = {name: [str(d.dtype), list(d.shape), d.attrs[HASH].decode()] for name, d in sorted(file.items())}
    attributes = {name: value.decode() for name, value in sorted(file.attrs.items()) if name != HASH}
    return hashlib.sha256(json.dumps([datasets, attributes]).encode()).hexdigest()


def check_content(path: Path) -> None:
    """Read all data sets of an HDF5 file; one that is not what its hash says is an error. Other files have nothing to check."""
    if path.suffix == ".h5":
        file = open_hdf5(path)
        for name in file:
            _compare(file, name, _hash_blocks(file, name))


def content_hashes(paths: Sequence[Path]) -> dict[str, str]:
    """The content hashes of files by their names, and by folder and name where two have one name."""
    names = Counter(path.name for path in paths)
    return {
        path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}": content_hash(path) for path in paths
    }


def content_hash(path: Path) -> str:
    """The hash that an HDF5 file carries; of any other file the SHA-256 of its bytes."""
    return open_hdf5(path).attrs[HASH].decode() if path.suffix == ".h5" else _file_hashes(path)
