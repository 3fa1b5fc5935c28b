"""Text that people write or save with other programs, and text for other programs: JSON that every reader takes."""

import codecs
import json
import math
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError

# What the first bytes of a file say of its encoding; programs of Windows write them.
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding_of(path: Path) -> str:
    """The encoding of a text file: UTF-8, or what its byte order mark says."""
    with path.open("rb") as file:
        first = file.read(3)
    return next((name for mark, name in MARKS.items() if first.startswith(mark)), "utf-8")


def read_text(path: Path, name: str = "") -> str:
    r"""The text of a file in UTF-8, or in UTF-16 with a byte order mark, without the mark and with `\n` at the end of lines.
    Another encoding is an error that calls the file `name`, or by its path.
    """
    try:
        return path.read_text(encoding=encoding_of(path))
    except UnicodeError as error:
        raise CamaError(f"{name or path}: found no text in UTF-8 ({error})") from error


def to_json(value: Any) -> str:
    """A value as JSON in ASCII, indented. NaN and infinity, which JSON does not know, become null; bytes of a file's name that
    are no text become `\\xff` and the like.
    """
    return json.dumps(_strict(value), indent=2, ensure_ascii=True, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {_strict(key): _strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value
