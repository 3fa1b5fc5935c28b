"""What `inspect` and `anonymize` share: the JSON around their records, and the line of a photograph that failed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError, printable
from cama.core.text import to_json

VERSION = 3  # grows when a key goes, or comes to mean something else


def envelope(command: str, results: Sequence[dict[str, Any]]) -> str:
    """The records of a command as one JSON object; `docs/COMMAND.schema.json` is its schema."""
    return to_json({"format": f"cama {command}", "version": VERSION, "results": list(results)})


def failure_line(photo: Path, error: Exception) -> str:
    """One line that begins with the path of the photograph as it was given, and says why it failed. A fault of the program
    itself is named as one: it must not pass for damage of the file.
    """
    if isinstance(error, OSError) and error.errno is not None:
        text = f"{error.filename}: {os.strerror(error.errno)}" if error.filename else os.strerror(error.errno)
    elif isinstance(error, (CamaError, OSError)):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "found too little memory for it"
    else:
        text = f"the program failed ({type(error).__name__}: {error})"
    return f"{printable(str(photo))}: {' '.join(text.removeprefix(f'{photo}: ').split())}"
