"""The command `inspect`: one or more photographs, each with a block of text or a record in JSON."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import printable
from cama.photo.inputs import Input, list_inputs, list_photographs
from cama.photo.inspect import Comparison, inspect_with
from cama.photo.records import envelope, failure_line
from cama.photo.summary import summary


def inspect_files(photos: Sequence[Path], comparison: Comparison, as_json: bool) -> bool:
    """Inspect photographs, and those in folders, and return whether all could be inspected.

    Results go to standard output: a block of text for each photograph, or one JSON object with their records `as_json`. Errors,
    and a line for each file of a folder that is left out, go to standard error.
    """
    results: list[dict[str, Any]] = []
    inputs = list_inputs(photos, _say)
    try:
        for number, photo in enumerate(inputs):
            record = _record(photo, comparison)
            results.append(record)
            if record["error"]:
                _say(record["error"])
            elif not as_json:
                print("\n" * (number > 0) + summary(record), flush=True)
    finally:
        if as_json:  # also after an interruption
            print(envelope("inspect", results))
    return not any(record["error"] for record in results)


def list_references(paths: Sequence[Path]) -> list[Path]:
    """The given photographs of a device, and those in folders; the first that cannot be read is an error."""
    return list_photographs(paths, _say)


def _record(photo: Input, comparison: Comparison) -> dict[str, Any]:
    path, error = photo
    try:
        if error is not None:
            raise error
        return inspect_with(path, comparison)
    except Exception as fault:  # any error of one file must not stop the others
        return {"input": str(path), "error": failure_line(path, fault)}


def _say(line: str) -> None:
    print(printable(f"cama inspect: {line}"), file=sys.stderr, flush=True)
