"""What makes the tool part of a desktop."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cama.commands.main import parser as command_parser

PACKAGING = Path(__file__).parents[1] / "packaging"
ENTRY = PACKAGING / "cama.desktop"
DOLPHIN = PACKAGING / "dolphin" / "cama.desktop"
NEMO = PACKAGING / "nemo" / "cama.nemo_action"
(NAUTILUS,) = (PACKAGING / "nautilus").iterdir()
CHECKER = shutil.which("desktop-file-validate")


def group(path: Path, name: str) -> configparser.SectionProxy:
    entries = configparser.ConfigParser(interpolation=None, delimiters="=")
    entries.optionxform = str
    entries.read(path, encoding="utf-8")
    return entries[name]


@pytest.mark.parametrize(
    "line",
    [group(ENTRY, "Desktop Entry")["Exec"], group(DOLPHIN, "Desktop Action open")["Exec"].removeprefix("konsole -e ")],
)
def test_entries_run_a_command_that_there_is(line):
    words = shlex.split(line)
    assert words[0] == "cama"
    assert "%F" in words
    options = command_parser().parse_args([word.replace("%F", "photo.jpg") for word in words[1:]])
    assert options.photos == [Path("photo.jpg")]


def test_the_other_file_managers_start_the_entry(tmp_path):
    assert shlex.split(group(NEMO, "Nemo Action")["Exec"]) == ["gtk-launch", ENTRY.stem, "%F"]
    launcher = tmp_path / "gtk-launch"
    launcher.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    launcher.chmod(0o755)
    command = [str(NAUTILUS), "my photo.jpg", "$(x).jpg"]
    done = subprocess.run(
        command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [ENTRY.stem, "my photo.jpg", "$(x).jpg"]


@pytest.mark.skipif(CHECKER is None, reason="desktop-file-validate is not installed")
def test_the_entry_follows_its_standard():
    assert subprocess.run([CHECKER, ENTRY], capture_output=True, text=True, check=True).stdout == ""
