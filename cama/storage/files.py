"""Files that are either whole or not there, and their hashes."""

import contextlib
import hashlib
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cama.core.errors import CamaError

WEEK_S = 7 * 24 * 3600


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed to it on success and deleted on failure. What a killed process left of
    the same file is deleted. A full disk, or a folder that cannot be written, is an error that names `path`.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.stem[:100]}."
        _sweep(path.parent, prefix, path.suffix)
        whose = f"{socket.gethostname()}.{os.getpid()}."
        handle, name = tempfile.mkstemp(path.suffix, prefix + whose, path.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # or a machine that loses its power could keep the name and lose the content
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        # errors of writing name no file or these; all others are of what the caller read meanwhile
        if error.errno is None or error.filename not in (None, str(path.parent), str(temporary)):
            raise
        raise CamaError(f"{path}: could not be written ({os.strerror(error.errno)})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sweep(folder: Path, prefix: str, suffix: str) -> None:
    """Delete the temporary files of this name whose process, of this machine, is no more; of another machine, whose processes
    cannot be asked, those that nobody wrote to for a week.
    """
    if os.name != "posix":
        return
    for entry in os.scandir(folder):
        name = entry.name
        if name.startswith(prefix) and name.endswith(suffix):
            host, _, process = name.removeprefix(prefix).removesuffix(suffix).rpartition(".")[0].rpartition(".")
            if host and process.isdecimal():
                own = host == socket.gethostname()
                dead = not _lives(int(process)) if own else time.time() - entry.stat().st_mtime > WEEK_S
                if dead:
                    Path(entry.path).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


@contextlib.contextmanager
def signals_later() -> Iterator[list[int]]:
    """Hold SIGTERM and SIGINT back until the end: yields those that came, and then sends them again. In the midst of a library
    that calls Python from another language, what they raise would be lost, or be taken for damage.
    """
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda number, _: seen.append(number)) for kind in kinds]
    try:
        yield seen
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
        for number in seen:
            signal.raise_signal(number)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table by pandas; what is missing or no table is an error that names it."""
    if not path.exists():
        raise CamaError(f"{path}: no such table")
    try:
        with signals_later():
            return pd.read_csv(path, **options)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise CamaError(f"{path}: not a table in CSV ({' '.join(str(error).split())})") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
