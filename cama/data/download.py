"""Downloading a data set's photographs from a mirror that the user names; only files with the listed hash get their names."""

import re
import tempfile
from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Retry

from cama.core.errors import CamaError, printable
from cama.core.text import read_text
from cama.data.conventions import CONVENTIONS
from cama.data.listing import SUFFIXES
from cama.storage.files import file_hash
from cama.storage.images import MAX_BYTES

SUMS = "SHA256SUMS"
TOLD_INSIDE = "folder", "daxing"  # data sets whose photographs tell their model themselves, when they are there
LINE = re.compile(r"(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<path>.+)")
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
MAX_LIST_BYTES = 50_000_000
TIMEOUT_S = 30.0  # to connect, and between two parts of an answer
CHUNK = 1 << 16
ATTEMPTS = 5  # in a row without a new byte
RETRY = Retry(
    ATTEMPTS - 1,
    status_forcelist={408, 425, 429, 500, 502, 503, 504},
    backoff_factor=1,  # pauses of 0, 2, 4 and 8 seconds
    respect_retry_after_header=False,  # a server could ask for hours
    raise_on_status=False,
)


def fetch(name: str, url: str, out: Path, sums: Path | None = None, timeout_s: float = TIMEOUT_S) -> bool:
    """Download the photographs of the data set `name` from the folder `url` to the folder `out`; returns whether all are there.

    `sums` lists them, a line for each as `sha256sum` writes it. Without it the mirror's own `SHA256SUMS` does, which only shows
    that the files arrived as the mirror has them. A file that is there with the right hash is not downloaded again; a partial
    one is completed, and gets its name once its hash is right. Files that are no photographs are left out.
    """
    known = [other for other in CONVENTIONS if other != "simulated"]
    if name not in known:
        raise CamaError(f"found the data set {name!r}, expected one of {', '.join(known)}")
    if not re.match(r"https?://[^\s/\[\]]+", url):
        raise CamaError(f"--from: found {url!r}, expected the address of a folder, http or https")
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=RETRY))
        mirror = _Mirror(session, url.rstrip("/"), timeout_s)
        text = mirror.fetch_text(SUMS) if sums is None else _read_list(sums, str(sums))
        listed, other = read_sums(text, str(sums or f"{url}/{SUMS}"), name)
        if other:
            print(
                f"data fetch: {len(other)} files are no photographs and are left out, {other[0]} the first", flush=True
            )
        fetched = set()
        for done, (path, digest) in enumerate(listed.items(), start=1):
            try:
                result = mirror.fetch_file(path, digest, out / path)
                fetched.add(path)
            except (CamaError, OSError) as error:
                result = f"FAILED: {error}"
            print(printable(f"{done}/{len(listed)} {path}: {result}"), flush=True)
    print(_count(listed, name, fetched), flush=True)
    return len(fetched) == len(listed)


def read_sums(text: str, path: str, name: str) -> tuple[dict[str, str], list[str]]:
    """The photographs of the list `text` with their SHA-256, and the other files that it names. A path outside the folder, or
    outside the naming convention of the data set, is an error that names the list by its `path`.
    """
    listed, other = {}, []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        entry = LINE.fullmatch(line)
        if not entry:
            raise CamaError(f"{path}: found {line[:80]!r} in line {number}, expected a SHA-256, two spaces and a path")
        inner = PurePosixPath(entry["path"])
        if inner.is_absolute() or ".." in inner.parts or "\\" in entry["path"] or not entry["path"].isprintable():
            raise CamaError(
                f"{path}: found the path {entry['path']!r} in line {number}, expected one inside the folder"
            )
        is_photograph = inner.suffix.lower() in SUFFIXES
        try:
            named = is_photograph and (name in TOLD_INSIDE or CONVENTIONS[name](str(inner), Path(inner)) is not None)
        except CamaError as error:
            raise CamaError(f"{path}: {error}") from error
        if named:
            listed[str(inner)] = entry["sha256"].lower()
        else:
            other.append(str(inner))
    if not listed:
        raise CamaError(f"{path}: found no photograph, expected lines with a SHA-256, two spaces and a path")
    return listed, other


class _Mirror:
    """A folder of a web server. Requests are repeated by the session, and broken bodies by `_download`."""

    def __init__(self, session: requests.Session, url: str, timeout_s: float) -> None:
        self.session, self.url, self.timeout_s = session, url, timeout_s

    def fetch_text(self, path: str) -> str:
        """The text of a small file."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "list"
            self._download(path, file, MAX_LIST_BYTES)
            return _read_list(file, f"{self.url}/{path}")

    def fetch_file(self, path: str, digest: str, out: Path) -> str:
        """Download a file to `out`, if it is not there; returns what was done, in words."""
        if out.exists():
            if file_hash(out) == digest:
                return "is there"
            raise CamaError(f"{out}: there is another file of that name, expected SHA-256 {digest}")
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f".{out.name}.part")
        start = _size(part)
        for _ in range(2):  # once more from the first byte where the first bytes were of another file
            self._download(path, part, MAX_BYTES)
            found = file_hash(part)
            if found == digest:
                part.replace(out)
                return f"{_size(out)} bytes" + (f", from byte {start}" if start else "")
            part.unlink()
        raise CamaError(f"{self.url}/{path}: found SHA-256 {found}, expected {digest}, twice")

    def _download(self, path: str, part: Path, limit: int) -> None:
        """Complete `part`, a file of at most `limit` bytes. After a broken connection it goes on where it ended; `ATTEMPTS`
        in a row without a new byte are an error.
        """
        retry, largest = RETRY, _size(part)
        while True:
            try:
                self._append(path, part, limit)
                return
            except HTTPError as error:
                if _size(part) > largest:
                    retry, largest = RETRY, _size(part)
                if not retry.total:
                    raise CamaError(f"{self.url}/{path}: {error}, {ATTEMPTS} times in a row") from error
                retry = retry.increment("GET", path, error=error)
                retry.sleep()

    def _append(self, path: str, part: Path, limit: int) -> None:
        """Append what `part` lacks; a body that breaks is an HTTPError, and keeps what came before."""
        start = _size(part)
        with self._get(path, start) as answer:
            if answer.status_code == 416:  # nothing after `start`: the hash tells whether `part` is the whole file
                return
            if answer.status_code == 200:
                start = 0  # the server does not know ranges
                size = answer.raw.length_remaining or 0
            else:
                span = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if not span or int(span[1]) != start:
                    part.unlink(missing_ok=True)
                    raise ProtocolError("found another range than asked for")
                size = int(span[2])
            if size > limit:
                raise CamaError(f"{answer.url}: found {size} bytes, expected at most {limit}")
            with part.open("r+b" if start else "wb") as file:
                file.seek(start)
                while chunk := answer.raw.read1(CHUNK):  # unlike `read`, returns what came before a connection broke
                    file.write(chunk)
                    if file.tell() > limit:
                        raise CamaError(f"{answer.url}: found more than {limit} bytes, expected no more")
                if (
                    file.tell() < size
                ):  # where the server closed the connection early, without saying how much it would send
                    raise ProtocolError(f"found {file.tell()} bytes, expected {size}")

    def _get(self, path: str, start: int) -> requests.Response:
        """The answer to a request for a file from byte `start`, its body not read; any status but success is an error."""
        url = f"{self.url}/{quote(path)}"
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        try:
            answer = self.session.get(url, headers=headers, stream=True, timeout=self.timeout_s)
        except (requests.RequestException, HTTPError) as error:
            raise CamaError(f"{url}: {error}") from error
        if answer.status_code in (200, 206) or (answer.status_code == 416 and start):
            return answer
        answer.close()
        status = f"{answer.status_code} {answer.reason or ''}".strip()
        end = f"{ATTEMPTS} times in a row" if answer.status_code in RETRY.status_forcelist else "expected the file"
        raise CamaError(f"{url}: found the answer {status}, {end}")


def _read_list(path: Path, name: str) -> str:
    """The text of a list; errors call it `name`."""
    if not path.is_file():
        raise CamaError(f"{name}: no such list")
    return read_text(path, name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _count(listed: dict[str, str], name: str, fetched: set[str]) -> str:
    """The number of photographs of each device that are there and that are missing, as lines of text."""
    there, missing = Counter(), Counter()
    for path in listed:
        if name in TOLD_INSIDE:
            device = path.rpartition("/")[0] or "."
        else:
            origin = CONVENTIONS[name](path, Path(path))
            device = f"{origin.model} {origin.device}"
        (there if path in fetched else missing)[device] += 1
    lines = [
        f"{device}: {there[device]} photographs" + (f", {missing[device]} missing" if missing[device] else "")
        for device in sorted(there | missing)
    ]
    return "\n".join([*lines, f"{there.total()} photographs, {missing.total()} missing"])
