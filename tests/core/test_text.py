"""Texts of other programs are read, and JSON is strict."""

import json
import math

import pytest

from cama.core.errors import CamaError
from cama.core.text import read_text, to_json

SAVED = {
    "plain": lambda text: text.encode(),
    "bom": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: "\ufeff".encode("utf-16-be") + text.encode("utf-16-be"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "bom and crlf": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
}


@pytest.mark.parametrize("kind", SAVED)
def test_a_text_is_the_same_however_it_was_saved(kind, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(SAVED[kind]("ß, 1\nä, 2\n"))
    assert read_text(path) == "ß, 1\nä, 2\n"


@pytest.mark.parametrize("data", [b"\xe9t\xe9", b"\xff\xfea"])
def test_another_encoding_is_an_error_that_names_the_file(data, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(CamaError, match=f"^{path}: found no text in UTF-8"):
        read_text(path)
    with pytest.raises(CamaError, match=r"^list: found no text in UTF-8"):
        read_text(path, "list")


def refuse(constant: str) -> float:
    raise AssertionError(constant)


def test_json_is_such_as_every_reader_takes():
    name = b"\xe9t\xe9.jpg".decode("utf-8", "surrogateescape")  # a file's name that is no text
    value = {"a": [math.nan, math.inf, (-math.inf, 1.5)], name: {name: "ä"}, "n": None, "b": True, "i": 1}
    text = to_json(value)
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == {
        "a": [None, None, [None, 1.5]],
        "\\xe9t\\xe9.jpg": {"\\xe9t\\xe9.jpg": "ä"},
        "n": None,
        "b": True,
        "i": 1,
    }
    assert "\\ud" not in text
