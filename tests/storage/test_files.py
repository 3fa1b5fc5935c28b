"""Files that are whole or not there, what a killed process leaves, and hashes."""

import errno
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cama.core.errors import CamaError
from cama.storage.files import atomic, check_folder, delay_signals, file_hash, write_text
from cama.storage.tables import read_csv


def test_an_atomic_file_stands_under_its_name_only_when_complete(tmp_path):
    path = tmp_path / "deep" / "file.csv"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["file.csv"]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_who_may_read_a_file_is_what_the_umask_says(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing_behind_and_the_old_file_as_it_was(tmp_path, error):
    path = tmp_path / "file.csv"
    for before in (None, "old"):
        if before:
            path.write_text(before)
        with pytest.raises(error), atomic(path) as temporary:
            temporary.write_text("half")
            raise error
        assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])


def test_an_atomic_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        write_text(path, text)
    assert path.read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_hash_of_a_file_is_sha256(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert file_hash(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_what_a_killed_process_left_of_a_file_is_deleted_and_no_more(tmp_path):
    path = tmp_path / "file.csv"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    stays = [
        f".file.{host}.{os.getpid()}.x.csv",  # of a process that lives
        f".file.elsewhere.{dead.pid}.x.csv",  # of another machine's
        f".other.{host}.{dead.pid}.x.csv",  # of another file
        f".file.{host}.{dead.pid}.x.png",
        f".file.{host}.x.csv",  # not ours
    ]
    old = ".file.node7.example.org.12.x.csv"  # of another machine's, a week ago
    for name in (f".file.{host}.{dead.pid}.x.csv", old, *stays):
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / old, (time.time() - 8 * 24 * 3600,) * 2)
    write_text(path, "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*stays, "file.csv"])


def test_a_process_that_is_killed_leaves_the_old_file_and_its_successor_cleans_up(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("old")
    code = "import os, sys, pathlib; from cama.storage.files import atomic\n"
    code += "with atomic(pathlib.Path(sys.argv[1])) as t: t.write_text('half'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    write_text(path, "new")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["new"]


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    path = tmp_path / "file.csv"
    said = r"file\.csv: could not be written \(No space left on device\)"
    with pytest.raises(CamaError, match=said), atomic(path), open("/dev/full", "w") as full:
        full.write("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "folder").write_text("")
    with pytest.raises(CamaError, match=r"a\.csv: could not be written"):
        write_text(tmp_path / "folder" / "a.csv", "x")


def test_an_error_of_reading_meanwhile_stays_what_it_is(tmp_path):
    for error in (FileNotFoundError(errno.ENOENT, "no such file", "input.csv"), ConnectionError("reset")):
        with pytest.raises(type(error)), atomic(tmp_path / "a.csv"):
            raise error


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_until_a_library_is_done(kind):
    seen, before = [], signal.signal(kind, lambda number, _: seen.append(number))
    try:
        with delay_signals() as held:
            signal.raise_signal(kind)
            assert (held, seen) == ([kind], [])
        assert seen == [kind]
    finally:
        signal.signal(kind, before)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_is_the_same_however_a_program_saved_it(encoding, end, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(end.join(["path,number", "Größe.jpg,1", ""]).encode(encoding))
    assert read_csv(path).to_dict("list") == {"path": ["Größe.jpg"], "number": [1]}


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(tmp_path):
    check_folder(tmp_path / "not" / "yet" / "there")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (Path("/proc"), Path("/proc/new/er"), tmp_path / "file", tmp_path / "file" / "new"):
        with pytest.raises(CamaError, match=f"^{folder}: could not be written to"):
            check_folder(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_folder_without_the_right_to_write_is_named(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(CamaError, match=r"could not be written to .Permission denied"):
        check_folder(tmp_path)
    with pytest.raises(CamaError, match=r"a.csv: could not be written .Permission denied"):
        write_text(tmp_path / "a.csv", "x")
