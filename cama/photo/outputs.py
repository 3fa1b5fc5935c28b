"""Where `anonymize` writes, checked before the work begins."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from cama.core.errors import CamaError
from cama.photo.anonymize import check_free
from cama.photo.inputs import SUFFIXES
from cama.storage.files import check_folder

JPEG_SUFFIXES, PNG_SUFFIXES = ("", ".jpg", ".jpeg", ".jpe", ".jfif"), (".png",)


@contextlib.contextmanager
def plan_outputs(out: str | None, several: bool, force: bool, png: bool) -> Iterator[tuple[Path | None, Path]]:
    """The file to write, None for new names in the folder, and the folder. `out` is what `--out` says: a folder if it is one,
    if it ends with a slash, or if there are `several` photographs; the working folder where it is None.

    A folder that does not exist is made, and deleted again where nothing was written to it. One that cannot be written to, a
    file that is there already and not to be replaced by `force`, and a name of another kind of file than JPEG, or than `png`,
    are errors.
    """
    path = Path(out or ".")
    separators = tuple(filter(None, (os.sep, os.altsep)))
    if not (several or path.is_dir() or (out or "").endswith(separators)):
        _check_suffix(path, png)
        check_free(path, force)
        check_folder(path.parent)
        yield path, path.parent
        return
    if path.exists() and not path.is_dir():
        raise CamaError(f"--out: found the file {path}, expected a folder for several photographs")
    if not path.exists() and not (out or "").endswith(separators) and path.suffix.lower() in SUFFIXES:
        raise CamaError(f"--out: found {path}, expected a folder for several photographs")
    check_folder(path)
    with made_folder(path):
        yield None, path


@contextlib.contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """The folder, made where there is none, and deleted again where nothing was written to it."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it holds what was written
                folder.rmdir()


def _check_suffix(path: Path, png: bool) -> None:
    suffixes, kind, other = (PNG_SUFFIXES, "PNG", "") if png else (JPEG_SUFFIXES, "JPEG", ", or --encoding png")
    if path.suffix.lower() not in suffixes:
        raise CamaError(
            f"--out: found {path}, expected a name that ends with .{'png' if png else 'jpg'}: the output is a {kind}{other}"
        )
