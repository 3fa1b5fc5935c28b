"""A command that tells something of each photograph: the loop that `inspect` and `judge` share."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import printable
from cama.photo.inputs import Input, list_inputs
from cama.photo.records import envelope, failure_line

Record = dict[str, Any]


def tell_each(
    command: str,
    photos: Sequence[Path],
    about: Callable[[Path], Record],
    text: Callable[[Record], str],
    as_json: bool,
) -> bool:
    """Print what is told of photographs, and of those in folders, and return whether something was told of all.

    `about`: the record of a photograph; `text`: a record as a block of text. Results go to standard output: a block for each
    photograph, or one JSON object with their records `as_json`. Errors, and a line for each file of a folder that is left
    out, go to standard error.
    """

    def say(line: str) -> None:
        print(printable(f"cama {command}: {line}"), file=sys.stderr, flush=True)

    results: list[Record] = []
    inputs = list_inputs(photos, say)
    try:
        for number, photo in enumerate(inputs):
            record = _record(photo, about)
            results.append(record)
            if record["error"]:
                say(record["error"])
            elif not as_json:
                print("\n" * (number > 0) + text(record), flush=True)
    finally:
        if as_json:  # also after an interruption
            print(envelope(command, results))
    return not any(record["error"] for record in results)


def _record(photo: Input, about: Callable[[Path], Record]) -> Record:
    path, error = photo
    try:
        if error is not None:
            raise error
        return about(path)
    except Exception as fault:  # any error of one file must not stop the others
        return {"input": str(path), "error": failure_line(path, fault)}
