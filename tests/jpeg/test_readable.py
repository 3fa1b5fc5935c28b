"""Tests of cama.jpeg.readable."""

import numpy as np
import pytest

from cama.jpeg.readable import decode_text, describe, texts, visible


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_text_of_any_usual_encoding_is_read(encoding):
    assert decode_text("Zoë Müller".encode(encoding) + b"\0\0") == "Zoë Müller"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_plain_text_of_two_bytes_a_letter_is_read_without_a_mark(encoding):
    assert decode_text("Jorunn Dahl".encode(encoding) + b"\0\0") == "Jorunn Dahl"


def test_dashes_and_quotes_of_windows_are_read():
    assert decode_text("“north” – 5 €".encode("cp1252")) == "“north” – 5 €"


def test_texts_between_other_bytes_are_found():
    data = (
        bytes(range(1, 20))
        + b"Serial NO= 20025295\0"
        + b"\xff\xd8\x9b"
        + "Jorunn Dahl".encode("utf-16-le")
        + b"\x80\x81"
    )
    assert texts(data) == ["Serial NO= 20025295", "Jorunn Dahl"]


def test_chance_is_hardly_ever_taken_for_text():
    noise = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    assert len(texts(noise)) <= 2
    assert texts(bytes(range(256)) * 4) == []  # tables of codes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bytes(200), "200 bytes, all 00"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom" + bytes(range(128, 200)), "92 bytes with a video: ftypmp42"),
        (b"PK\x03\x04\x14\0\0\0\x08\0holiday.txt", "21 bytes with a ZIP file: holiday.txt"),
        (b"by \x1b[31mJ. D.\x9b\x80\xc8", "16 bytes"),
        (b"", "0 bytes"),
    ],
)
def test_bytes_are_described(data, said):
    assert describe(data) == said


def test_control_characters_never_reach_a_terminal():
    assert visible("a\x1b[2Jb\r\n\u202ec") == "a [2Jb c"
    assert len(visible("x" * 5000)) == 1000
