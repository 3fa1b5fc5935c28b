"""Files that are written completely or not at all, and hashes of files."""

import contextlib
import hashlib
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cama.core.errors import CamaError

WEEK_S = 7 * 24 * 3600


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`, which is renamed to `path` on success and deleted on failure. Temporary files that
    killed processes left of the same `path` are deleted. A full disk, or a folder without write access, is an error that
    names `path`.
    """
    temporary = None
    prefix = f".{os.fsdecode(os.fsencode(path.stem)[:100])}."  # a name has 255 bytes at most
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(path.parent, prefix, path.suffix)
        owner = f"{socket.gethostname()}.{os.getpid()}."
        temporary = new_file(path.parent, prefix + owner, path.suffix)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power failure could leave the new name without the content
        temporary.replace(path)
    except OSError as error:
        # an error of writing names no file, the folder or the temporary file; any other is of a file that the caller reads
        ours = error.filename in (None, str(path.parent)) or str(error.filename).startswith(str(path.parent / prefix))
        if error.errno is None or not ours:
            raise
        raise CamaError(f"{path}: could not be written ({os.strerror(error.errno)})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def new_file(folder: Path, prefix: str, suffix: str) -> Path:
    """A new empty file in `folder`, whose name goes on with something random behind `prefix`. Who may read it is as for any new
    file: what the folder and the umask say.
    """
    path = folder / f"{prefix}{secrets.token_hex(8)}{suffix}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path


def check_folder(folder: Path) -> None:
    """An error where no file can be written to `folder`, or to the nearest folder above it where it does not exist yet: long
    work asks before it begins.
    """
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        new_file(there, ".cama-", "").unlink()
    except OSError as error:
        raise CamaError(f"{folder}: could not be written to ({os.strerror(error.errno or 0)})") from error


def _delete_leftovers(folder: Path, prefix: str, suffix: str) -> None:
    """Delete the temporary files of this name whose process has ended. The processes of another machine are unknown here: its
    files are deleted a week after the last write.
    """
    if os.name != "posix":
        return
    for entry in os.scandir(folder):
        name = entry.name
        if name.startswith(prefix) and name.endswith(suffix):
            host, _, process = name.removeprefix(prefix).removesuffix(suffix).rpartition(".")[0].rpartition(".")
            if host and process.isdecimal():
                own = host == socket.gethostname()
                ended = not _is_running(int(process)) if own else time.time() - entry.stat().st_mtime > WEEK_S
                if ended:
                    Path(entry.path).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it runs, but belongs to another user
    return True


@contextlib.contextmanager
def delay_signals() -> Iterator[list[int]]:
    """Hold SIGTERM and SIGINT back until the block ends, and send them again then. Yields the list of those that came.

    Their exceptions must not be raised inside a library of another language that calls Python: it would swallow them, or
    report a damaged file.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda number, _: received.append(number)) for kind in kinds]
    try:
        yield received
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
        for number in received:
            signal.raise_signal(number)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
