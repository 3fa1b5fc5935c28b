"""The command `inspect`: one or more photographs, each with a block of text or a record in JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import printable
from cama.photo.each import tell_each
from cama.photo.inputs import list_photographs
from cama.photo.inspect import Comparison, inspect_with
from cama.photo.summary import summary


def inspect_files(photos: Sequence[Path], comparison: Comparison, as_json: bool) -> bool:
    """Inspect photographs, as `tell_each` goes through them."""

    def about(path: Path) -> dict[str, Any]:
        return inspect_with(path, comparison)

    return tell_each("inspect", photos, about, summary, as_json)


def list_references(paths: Sequence[Path]) -> list[Path]:
    """The given photographs of a device, and those in folders; the first that cannot be read is an error."""
    return list_photographs(paths, lambda line: print(printable(f"cama inspect: {line}"), file=sys.stderr, flush=True))
