"""Downloading a data set's photographs from a mirror that the user names: whole and right, or not under their names."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import requests
import urllib3

from cama.core.errors import CamaError, printable
from cama.data.conventions import CONVENTIONS
from cama.data.manifest import SUFFIXES
from cama.storage.files import file_hash
from cama.storage.images import MAX_BYTES

SUMS = "SHA256SUMS"
LINE = re.compile(r"(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<path>.+)")
LIST_BYTES = 50_000_000  # of the list, at most
ATTEMPTS = 5  # in a row without a byte that is new
CHUNK = 1 << 16
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
LENGTH = re.compile(r"[0-9]{1,15}")
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")


class Again(Exception):
    """What may go better the next time."""


@dataclass
class Patience:
    """How long to wait for a server, in seconds."""

    silence: float = 30.0  # without a byte
    first: float = 1.0  # before the second attempt; twice as long before each further one
    most: float = 60.0
    sleep: Callable[[float], None] = time.sleep


def fetch(name: str, url: str, out: Path, sums: Path | None = None, patience: Patience | None = None) -> bool:
    """Download the photographs of the data set `name` from the folder `url` to the folder `out`; whether all are there.

    `sums` lists them, a line each as `sha256sum` writes it; without it the mirror's own `SHA256SUMS` does, which proves that
    they came as the mirror has them and no more. A file that is there and right is not fetched again; one that was begun
    goes on from where it ended, and gets its name once its hash is right. Other files than photographs are left out.
    """
    known = [other for other in CONVENTIONS if other != "simulated"]
    if name not in known:
        raise CamaError(f"data fetch: found the data set {name!r}, expected one of {', '.join(known)}")
    if not re.match(r"https?://[^\s/\[\]]+", url):
        raise CamaError(f"--from: found {url!r}, expected the address of a folder, http or https")
    with requests.Session() as session:
        client = _Client(session, url.rstrip("/"), patience or Patience())
        text = client.text(SUMS, LIST_BYTES) if sums is None else _text(sums)
        listed, other = read_sums(text, str(sums or f"{url}/{SUMS}"), name)
        if other:
            print(
                f"data fetch: {len(other)} files are no photographs and are left out, {other[0]} the first", flush=True
            )
        there = set()
        for done, (path, digest) in enumerate(listed.items(), start=1):
            try:
                said = client.file(path, digest, out / path)
                there.add(path)
            except (CamaError, OSError) as error:
                said = f"FAILED: {error}"
            print(printable(f"{done}/{len(listed)} {path}: {said}"), flush=True)
    print(_counted(listed, name, there), flush=True)
    return len(there) == len(listed)


def _text(path: Path) -> str:
    if not path.is_file():
        raise CamaError(f"{path}: no such list")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CamaError(f"{path}: found no text in UTF-8 ({error})") from error


def read_sums(text: str, path: str, name: str) -> tuple[dict[str, str], list[str]]:
    """The photographs of the list `text` with their SHA-256, and the other files that it names. A path that leaves the
    folder, or that the data set's convention does not understand, is an error that names the list by its `path`.
    """
    listed, other = {}, []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = LINE.fullmatch(line)
        if not found:
            raise CamaError(f"{path}: found {line[:80]!r} in line {number}, expected a SHA-256, two spaces and a path")
        inner = PurePosixPath(found["path"])
        if inner.is_absolute() or ".." in inner.parts or "\\" in found["path"] or not found["path"].isprintable():
            raise CamaError(
                f"{path}: found the path {found['path']!r} in line {number}, expected one inside the folder"
            )
        if inner.suffix.lower() not in SUFFIXES:
            other.append(str(inner))
            continue
        if name == "folder" or CONVENTIONS[name](str(inner), Path(inner)) is not None:
            listed[str(inner)] = found["sha256"].lower()
        else:
            other.append(str(inner))
    if not listed:
        raise CamaError(f"{path}: found no photograph, expected lines with a SHA-256, two spaces and a path")
    return listed, other


class _Client:
    """A mirror's folder."""

    def __init__(self, session: requests.Session, url: str, patience: Patience) -> None:
        self.session, self.url, self.patience = session, url, patience
        self.tried = 0  # attempts in a row without a new byte

    def text(self, path: str, most: int) -> str:
        """A small file of UTF-8."""
        parts: list[bytes] = []

        def attempt() -> str:
            parts.clear()
            with self._get(path, 0) as answer:
                for chunk in answer.iter_content(CHUNK):
                    parts.append(chunk)
                    if sum(map(len, parts)) > most:
                        raise CamaError(f"{answer.url}: found more than {most} bytes, expected a list")
            return b"".join(parts).decode("utf-8")

        try:
            return self._persist(path, attempt)
        except UnicodeDecodeError as error:
            raise CamaError(f"{self.url}/{path}: found no text in UTF-8 ({error})") from error

    def file(self, path: str, digest: str, out: Path) -> str:
        """Fetch one file to `out`; says what was done."""
        if out.exists():
            if file_hash(out) == digest:
                return "is there"
            raise CamaError(f"{out}: there is another file of that name, expected SHA-256 {digest}")
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f".{out.name}.part")
        begun = furthest = part.stat().st_size if part.exists() else 0
        wrong = 0

        def attempt() -> str:
            nonlocal furthest, wrong
            try:
                self._append(path, part)
            finally:
                reached = part.stat().st_size if part.exists() else 0
                if reached > furthest:
                    furthest = reached
                    self.tried = 0
            found = file_hash(part)
            if found != digest:
                part.unlink()
                wrong += 1
                text = f"found SHA-256 {found}, expected {digest}"
                raise CamaError(f"{self.url}/{path}: {text}, twice") if wrong == 2 else Again(text)
            part.replace(out)
            return f"{out.stat().st_size} bytes" + (f", from byte {begun}" if begun else "")

        return self._persist(path, attempt)

    def _append(self, path: str, part: Path) -> None:
        """Fetch what `part` lacks."""
        begun = part.stat().st_size if part.exists() else 0
        with self._get(path, begun) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if LENGTH.fullmatch(length) else None
            if (
                answer.status_code == 416
            ):  # nothing behind what is there: whole, or not its beginning, which the hash tells
                return
            if answer.status_code == 206:
                given = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if not given or int(given[1]) != begun:
                    part.unlink(missing_ok=True)
                    raise Again("found another range than asked for")
                total = int(given[2])
            else:
                begun = 0
            if (total or 0) > MAX_BYTES:
                raise CamaError(f"{answer.url}: found {total} bytes, expected at most {MAX_BYTES}")
            with part.open("r+b" if begun else "wb") as file:
                file.seek(begun)
                while chunk := answer.raw.read1(CHUNK):  # keeps what came before a connection broke
                    file.write(chunk)
                    if file.tell() > (total or MAX_BYTES):
                        raise CamaError(f"{answer.url}: found more than {total or MAX_BYTES} bytes, expected no more")
                size = file.tell()
        if total is not None and size < total:
            raise Again(f"found {size} bytes, expected {total}")

    def _get(self, path: str, begun: int) -> requests.Response:
        """The answer to a request, from byte `begun`; an HTTP error is an error."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={begun}-"} if begun else {})}
        address = f"{self.url}/{quote(path)}"
        answer = self.session.get(address, headers=headers, stream=True, timeout=self.patience.silence)
        if answer.status_code in (200, 206) or (answer.status_code == 416 and begun):
            return answer
        answer.close()
        said = f"{answer.status_code} {answer.reason or ''}".strip()
        if answer.status_code in TRY_AGAIN:
            raise Again(f"found the answer {said}")
        raise CamaError(f"{address}: found the answer {said}, expected the file")

    def _persist(self, path: str, attempt: Callable[[], str]) -> str:
        """Try until it works, or fails `ATTEMPTS` times in a row without a new byte; waits longer each time."""
        self.tried = 0
        while True:
            try:
                return attempt()
            except (Again, requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if isinstance(error, (requests.exceptions.InvalidURL, requests.TooManyRedirects)):
                    raise CamaError(f"{self.url}/{path}: {error}") from error
                self.tried += 1
                if self.tried >= ATTEMPTS:
                    raise CamaError(f"{self.url}/{path}: {error}, {ATTEMPTS} times in a row") from error
                self.patience.sleep(min(self.patience.first * 2 ** (self.tried - 1), self.patience.most))


def _counted(listed: dict[str, str], name: str, fetched: set[str]) -> str:
    """How many photographs of each device are there."""
    there, missing = Counter(), Counter()
    for path in listed:
        if name == "folder":
            place = path.rpartition("/")[0] or "."
        else:
            origin = CONVENTIONS[name](path, Path(path))
            place = f"{origin.model} {origin.device}"
        (there if path in fetched else missing)[place] += 1
    lines = [
        f"{place}: {there[place]} photographs" + (f", {missing[place]} missing" if missing[place] else "")
        for place in sorted(there | missing)
    ]
    return "\n".join([*lines, f"{there.total()} photographs, {missing.total()} missing"])
