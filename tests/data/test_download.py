"""Tests of cama.data.download against a server on the loopback that stalls, truncates, redirects and errs."""

import hashlib
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from urllib3.util import Retry

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.data import download
from cama.data.download import ATTEMPTS, _count, fetch, read_sums

NAMES = ("Nikon_D70_0_1.JPG", "Nikon_D70_0_2.JPG", "sub folder/Nikon_D70_1_7.JPG")
DATA = {name: hashlib.sha256(name.encode()).digest() * 4000 for name in NAMES}  # 128 kB each
TARGET = NAMES[1]  # whom misfortune strikes
SUMS = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in DATA.items())


class Server(ThreadingHTTPServer):
    """Serves `DATA`; `faults` are what happens to requests for the target, one after the other."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.asked: list[tuple[str, str]] = []  # path and range
        self.ranges = True
        self.sums = SUMS.encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mirror"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        name = unquote(self.path).removeprefix("/mirror/").removeprefix("/elsewhere/")
        asked = self.headers.get("Range", "")
        self.server.asked.append((name, asked))
        data = {"SHA256SUMS": self.server.sums, **DATA}.get(name)
        if data is None:
            return self.send_error(404)
        strike = name == TARGET and self.path.startswith("/mirror") and bool(self.server.faults)
        fault = self.server.faults.pop(0) if strike else ""
        if fault.isdigit():
            return self.send_error(int(fault))
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", self.path.replace("/mirror", "/elsewhere"))
            return self.end_headers()
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start >= len(data):
            return self.send_error(416)
        body = b"<html>" * 99 if fault == "page" else data[::-1] if fault == "other" else data[start:]
        self.send_response(206 if start or fault == "shifted" else 200)
        if start or fault == "shifted":
            shown = start + 1 if fault == "shifted" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        said = {"unsaid": "", "short": "", "endless": "9" * 12, "nonsense": "1" * 5000}.get(fault, str(len(body)))
        if said:
            self.send_header("Content-Length", said)
        self.end_headers()
        if fault in ("cut", "stall", "short"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stall":
                time.sleep(1.5)
            return None
        self.wfile.write(body)
        return None


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


SILENCE_S = 0.5  # how long a server may be silent


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts, which take no time here."""
    asked = []
    monkeypatch.setattr(Retry, "sleep", lambda self, response=None: asked.append(self.get_backoff_time()))
    return asked


def complete(out: Path) -> bool:
    return all((out / name).read_bytes() == data for name, data in DATA.items())


def halves(out: Path) -> list[str]:
    return [path.name for path in out.rglob("*.part")]


def test_all_that_is_listed_is_fetched_once(server, tmp_path, capsys):
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert complete(tmp_path)
    assert not halves(tmp_path)
    said = capsys.readouterr().out
    assert "Nikon_D70 0: 2 photographs\nNikon_D70 1: 1 photographs\n3 photographs, 0 missing" in said
    server.asked.clear()
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert [name for name, _ in server.asked] == ["SHA256SUMS"]
    assert "is there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("faults", "asked"),
    [
        (["cut"], 2),
        (["stall"], 2),
        (["503"], 2),
        (["429", "500", "502", "504"], 5),
        (["redirect"], 2),
        (["page"], 2),
        (["other"], 2),
        (["unsaid"], 1),
        (["cut", "shifted"], 3),
        (["cut", "short", "short"], 4),  # without a length, which Content-Range gives all the same
        (["shifted"], 2),  # a range that nobody asked for
        (["cut"] * 9, 10),  # each brings half of what lacks
    ],
)
def test_what_passes_is_overcome(faults, asked, server, pauses, tmp_path):
    server.faults = list(faults)
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert complete(tmp_path)
    assert not halves(tmp_path)
    assert len([name for name, _ in server.asked if name == TARGET]) == asked
    if faults[0] == "429":
        assert pauses == [0, 2, 4, 8]


def test_a_download_goes_on_where_it_ended(server, tmp_path):
    server.faults = ["cut"]
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    half = len(DATA[TARGET]) // 2
    assert [asked for name, asked in server.asked if name == TARGET] == ["", f"bytes={half}-"]
    # another day, another run
    (tmp_path / TARGET).unlink()
    (tmp_path / f".{TARGET}.part").write_bytes(DATA[TARGET][:1000])
    server.asked.clear()
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert (TARGET, "bytes=1000-") in server.asked
    assert complete(tmp_path)


@pytest.mark.parametrize("begun", [b"not its beginning", DATA[TARGET], DATA[TARGET] + b"more"])
def test_what_was_begun_is_believed_no_more_than_its_hash(begun, server, tmp_path):
    (tmp_path / f".{TARGET}.part").write_bytes(begun)
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert complete(tmp_path)


def test_a_server_that_knows_no_ranges_is_started_over(server, tmp_path):
    server.ranges, server.faults = False, ["cut", "cut"]
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert complete(tmp_path)


@pytest.mark.parametrize(
    ("faults", "ranges", "expected", "asked"),
    [
        (["404"], True, "found the answer 404", 1),
        (["endless"], True, "found 999999999999 bytes, expected at most", 1),
        (["nonsense"], True, "", 1),
        (["403"], True, "found the answer 403", 1),
        (["503"] * 9, True, f"found the answer 503 Service Unavailable, {ATTEMPTS} times in a row", ATTEMPTS),
        (["page"] * 9, True, "found SHA-256", 2),
        (["cut"] * 99, False, f"{ATTEMPTS} times in a row", ATTEMPTS),
        (["shifted"] * 9, True, f"found another range than asked for, {ATTEMPTS} times in a row", ATTEMPTS),
        (["redirect"] + ["cut"] * 9, True, "", 2),
    ],
)
def test_what_does_not_pass_is_an_error_and_leaves_nothing_under_the_name(
    faults, ranges, expected, asked, server, tmp_path, capsys
):
    server.faults, server.ranges = list(faults), ranges
    whole = fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert whole == (not expected)
    assert (tmp_path / TARGET).exists() == (not expected)
    assert all((tmp_path / name).read_bytes() == DATA[name] for name in NAMES if name != TARGET)
    assert len([name for name, _ in server.asked if name == TARGET]) == asked
    said = capsys.readouterr().out
    if expected:
        assert f"{TARGET}: FAILED: {server.url}/{TARGET}: " in said
        assert expected in said
        assert "Nikon_D70 0: 1 photographs, 1 missing" in said


def test_a_server_that_cannot_be_reached_is_asked_again_with_growing_pauses(pauses, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    with pytest.raises(CamaError, match=f"^http://127.0.0.1:{port}/SHA256SUMS: .*Max retries exceeded"):
        fetch("dresden", f"http://127.0.0.1:{port}", tmp_path, timeout_s=SILENCE_S)
    assert pauses == [0, 2, 4, 8]


def test_a_broken_body_is_taken_up_again_with_growing_pauses_until_bytes_come(server, pauses, tmp_path):
    server.ranges, server.faults = False, ["cut"] * 99
    assert not fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert pauses == [0, 2, 4, 8]
    pauses.clear()
    server.ranges, server.faults = True, ["cut"] * 9
    assert fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert pauses == [0] * 9


def test_a_list_of_other_bytes_than_text_is_refused(server, tmp_path):
    server.sums = b"\xff\xff"
    with pytest.raises(CamaError, match=f"^{server.url}/SHA256SUMS: found no text in UTF-8"):
        fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_that_a_program_of_windows_saved_is_read(encoding, server, tmp_path):
    data = SUMS.replace("\n", "\r\n").encode(encoding)
    (tmp_path / "sums").write_bytes(data)
    assert fetch("dresden", server.url, tmp_path / "own", tmp_path / "sums")
    assert complete(tmp_path / "own")
    server.sums = data
    assert fetch("dresden", server.url, tmp_path / "mirror")
    assert complete(tmp_path / "mirror")


def test_a_list_that_is_too_long_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_LIST_BYTES", len(SUMS) - 1)
    with pytest.raises(CamaError, match=f"^{server.url}/SHA256SUMS: found {len(SUMS)} bytes, expected at most"):
        fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)


def test_another_file_of_that_name_is_kept(server, tmp_path, capsys):
    (tmp_path / TARGET).write_bytes(b"mine")
    assert not fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert (tmp_path / TARGET).read_bytes() == b"mine"
    assert "2 photographs, 1 missing" in capsys.readouterr().out


def test_a_folder_in_the_way_stops_that_file_alone(server, tmp_path, capsys):
    (tmp_path / f".{TARGET}.part").mkdir()
    assert not fetch("dresden", server.url, tmp_path, timeout_s=SILENCE_S)
    assert "2 photographs, 1 missing" in capsys.readouterr().out


def test_a_list_of_ones_own_is_obeyed(server, tmp_path):
    wrong = SUMS.replace(hashlib.sha256(DATA[TARGET]).hexdigest(), "0" * 64)
    (tmp_path / "sums").write_text(wrong)
    assert not fetch("dresden", server.url, tmp_path / "out", tmp_path / "sums", SILENCE_S)
    assert not (tmp_path / "out" / TARGET).exists()
    assert not halves(tmp_path)
    assert "SHA256SUMS" not in [name for name, _ in server.asked]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0" * 64 + "  ../Nikon_D70_0_1.JPG", "expected one inside the folder"),
        ("0" * 64 + "  /etc/Nikon_D70_0_1.JPG", "expected one inside the folder"),
        ("0" * 64 + "  a\\Nikon_D70_0_1.JPG", "expected one inside the folder"),
        ("0" * 64 + "  a\x1bNikon_D70_0_1.JPG", "expected one inside the folder"),
        ("0" * 63 + "  Nikon_D70_0_1.JPG", "in line 1, expected a SHA-256, two spaces and a path"),
        ("0" * 64 + "  holiday.JPG", "outside the convention"),
        ("", "found no photograph"),
        ("0" * 64 + "  README.txt", "found no photograph"),
    ],
)
def test_a_list_that_leaves_the_folder_or_the_convention_is_refused(line, expected):
    with pytest.raises(CamaError, match=f"^sums: .*{expected}"):
        read_sums(line + "\n", "sums", "dresden")


def test_other_files_are_named_and_left_out():
    one, two = "0" * 64, "F" * 64
    text = (
        f"{one}  D01_A_B/images/nat/D01_I_nat_0001.jpg\n{two} *D01_A_B/images/flat/D01_I_flat_0001.jpg\n{one}  a.txt\n"
    )
    listed, other = read_sums(text, "sums", "vision")
    assert listed == {"D01_A_B/images/nat/D01_I_nat_0001.jpg": one}
    assert other == ["D01_A_B/images/flat/D01_I_flat_0001.jpg", "a.txt"]


def test_photographs_that_tell_their_model_inside_are_listed_before_they_are_there():
    listed, _ = read_sums(f"{'0' * 64}  image/1101-1104/1101/90/a.jpg\n", "sums", "daxing")
    assert _count(listed, "daxing", set(listed)).startswith("image/1101-1104/1101/90: 1 photographs\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["simulated", "--from", "http://127.0.0.1:1/"], "found the data set 'simulated', expected one of dresden"),
        (["dresden", "--from", "file:///etc"], "--from: found 'file:///etc', expected the address of a folder"),
        (["dresden", "--from", "http://[::1/x"], "--from: found 'http://[::1/x', expected the address of a folder"),
        (["dresden", "--from", "http://127.0.0.1:1/", "--sums", "nowhere"], "nowhere: no such list"),
        (["dresden", "--from", "http://127.0.0.1:1/", "--sums", sys.executable], "found no text in UTF-8"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, expected, tmp_path, capsys):
    assert main(["data", "fetch", *arguments, "--out", str(tmp_path)]) == 1
    assert expected in capsys.readouterr().err


def test_the_command_ends_with_its_result(server, tmp_path, capsys):
    command = ["data", "fetch", "dresden", "--from", server.url, "--out", str(tmp_path)]
    assert main(command) == 0
    assert complete(tmp_path)
    (tmp_path / TARGET).unlink()
    server.faults = ["404"]
    assert main(command) == 1
    assert "1 missing" in capsys.readouterr().out
