"""Text in bytes whose encoding nobody declares, and what bytes that no standard names seem to be."""

import re
from collections import Counter
from itertools import islice, pairwise

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
MIN_WIDE, WIDE_SHARE = (
    3,
    0.9,
)  # letters, and the share of them with a zero byte, that are taken for UTF-16 without a mark
# Text among other bytes: ASCII, or ASCII as UTF-16. Runs of a few characters arise by chance, longer ones in more bytes.
MIN_TEXT, LONGER = 6, ((256, 8), (65_536, 10))  # by the number of bytes
TEXTS = re.compile(rb"[\x20-\x7e]{%d,}|(?:[\x20-\x7e]\0){%d,}|(?:\0[\x20-\x7e]){%d,}" % ((MIN_TEXT,) * 3))
MIN_LETTERS = 0.6  # share of letters, digits and blanks in a text
LONG = 16  # characters: chance and tables of numbers have hardly ever a word in so many of which most are letters
WORD, WORD_OF_LONG = (re.compile(rf"[A-Za-z][a-z]{{{n - 1},}}|[A-Z]{{{n},}}|[0-9]{{{n},}}") for n in (4, 3))
MAX_TEXT = 1000  # characters that are told of one place
SEARCHED = 1_000_000  # bytes in which texts are looked for
VIDEO = re.compile(rb"ftyp(?:isom|iso[2-9]|mp4[12]|qt  |avc1|3gp|M4V )")
KINDS = (
    (re.compile(rb"SEFT\s*\Z"), "data of a Samsung phone"),
    (VIDEO, "a video"),
    (re.compile(rb"\APK\x03\x04"), "a ZIP file"),
    (re.compile(rb"\A%PDF-"), "a PDF file"),
    (re.compile(rb"\ARar!\x1a\x07|\A7z\xbc\xaf\x27\x1c"), "an archive"),
    (re.compile(rb"\AOggS|\AID3|\ARIFF....WAVE", re.DOTALL), "a sound"),
    (re.compile(rb"\A\x89PNG|\AGIF8|\ARIFF....WEBP", re.DOTALL), "a picture"),
)


def decode_text(data: bytes) -> str:
    """Text of UTF-8, UTF-16, Windows' or ISO's Latin-1, whichever it can be, without zeros at its end."""
    mark = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), "")
    wide = wide_encoding(data)
    for encoding in filter(None, (mark, wide, "utf-8", "cp1252")):
        even = data[: len(data) // 2 * 2] if encoding.startswith("utf-16") else data
        try:
            return even.decode(encoding).rstrip("\0")
        except UnicodeError:
            continue
    return data.decode("latin-1").rstrip("\0")


def wide_encoding(data: bytes) -> str:
    """The encoding of text in UTF-16 without a mark, most of whose letters are Latin; empty for other text."""
    text = data.rstrip(b"\0")
    text += b"\0" * (len(text) % 2)
    first, second = text[::2], text[1::2]
    if len(first) < MIN_WIDE:
        return ""
    if second.count(0) >= WIDE_SHARE * len(second) and 0 not in first:
        return "utf-16-le"
    return "utf-16-be" if first.count(0) >= WIDE_SHARE * len(first) and 0 not in second else ""


def visible(text: str, length: int = MAX_TEXT) -> str:
    """A text in one line of at most `length` characters, without control characters, which a terminal would obey."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * length])
    return " ".join(line.split())[:length]


def texts(data: bytes) -> list[str]:
    """What can be read in bytes: runs of characters too long to be chance, without those said before."""
    least = max([MIN_TEXT, *(length for size, length in LONGER if len(data) > size)])
    runs = (run.group().replace(b"\0", b"").decode("ascii").strip() for run in TEXTS.finditer(data[:SEARCHED]))
    found = dict.fromkeys(text for text in islice(runs, MAX_TEXT) if len(text) >= least and _is_text(text))
    return list(found)


def _is_text(run: str) -> bool:
    plain = sum(c.isalnum() or c == " " for c in run) >= MIN_LETTERS * len(run)
    in_order = sum(ord(second) - ord(first) == 1 for first, second in pairwise(run))  # as in tables of codes
    varied = 2 * in_order < len(run) and 2 * Counter(run).most_common(1)[0][1] <= len(run)
    return plain and varied and bool((WORD_OF_LONG if len(run) >= LONG else WORD).search(run))


def kinds(data: bytes) -> list[str]:
    """What bytes hold besides text, where their form tells it."""
    return [kind for pattern, kind in KINDS if pattern.search(data)]


def said(data: bytes) -> str:
    """What can be read in bytes, in one line: all of them where they are a text, and the texts between others."""
    whole = decode_text(data[: 4 * MAX_TEXT]).strip()
    plain = all(c.isprintable() or c in "\t\r\n" for c in whole)
    return visible(whole if plain else " ".join(texts(data)))


def describe(data: bytes, of: str = "", readable: bytes | None = None) -> str:
    """The number of bytes, `of` whatever is known of them, what they hold where their form tells it, and what can be read in
    them, or in the `readable` ones of them.
    """
    readable = data if readable is None else readable
    held = " and ".join(kinds(readable))
    size = f"{len(data)} bytes{of}{' with ' * bool(held)}{held}"
    if len(data) > 1 and data.count(data[:1]) == len(data):
        return f"{size}, all {data[0]:02x}"
    text = said(readable)
    return f"{size}: {text}" if text else size
