"""The command line as a whole: its help, its examples, and the exit status of each outcome."""

import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from cama.commands import photo
from cama.commands.declaration import Command
from cama.commands.main import GROUPS, main, parser
from cama.commands.stage import STAGES
from tests.commands.helpers import PROJECT, cama, refusal

GROUPED = {
    "for a photograph": ["inspect", "anonymize", "app", "judge", "compare", "profile", "models"],
    "for research": [
        "data",
        "check-config",
        "spec",
        "cost",
        "bench",
        "paper-scale",
        "device-table",
        "test-pictures",
        "evaluate-folder",
        "result",
        "provenance",
        "reference",
    ],
    "for the rules of the workflow": ["stage"],
}


def all_words(commands: tuple[Command, ...], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words that call each command, and each command below it."""
    return [
        words
        for command in commands
        for words in [(*above, command.name), *all_words(command.commands, (*above, command.name))]
    ]


COMMANDS = [words for commands in GROUPS.values() for words in all_words(commands)]


def shown_help(capsys, *words: str) -> str:
    """The help of a command."""
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


# ---- help


HEAVY = """
import sys
from cama.commands.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code
names = {name.partition(".")[0] for name in sys.modules}
heavy = {"torch", "torchvision", "numpy", "scipy", "pandas", "h5py", "matplotlib", "skimage", "snakemake", "PIL"}
print(sorted(names & heavy), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["stage", "train-generator", "--help"],
        ["models", "show", "--help"],
        ["spec", "tables"],
        ["--version"],
    ],
)
def test_help_imports_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", HEAVY, *arguments], capture_output=True, text=True, cwd=PROJECT, check=True
    )
    assert done.stdout
    assert done.stderr == "[]\n"


def test_the_help_fits_a_screen(capsys):
    lines = shown_help(capsys).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_the_help_shows_every_command_in_its_group(capsys):
    sections = {}
    for section in shown_help(capsys).split("\n\n"):
        title, *lines = section.splitlines()
        sections[title.rstrip(":")] = [line.split()[0] for line in lines]
    assert {title: sections[title] for title in GROUPED} == GROUPED
    assert {title: [command.name for command in commands] for title, commands in GROUPS.items()} == GROUPED


def test_the_help_of_stage_names_every_stage(capsys):
    text = shown_help(capsys, "stage")
    assert [name for name in STAGES if f"    {name}" not in text] == []
    assert len(STAGES) == 23


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_every_help_ends_with_an_example_that_the_parser_accepts(words, capsys):
    text = shown_help(capsys, *words)
    example = re.search(r"\n\nexample:\n  (cama [^\n]+)\n$", text)
    assert example, text
    program, *arguments = shlex.split(example[1])
    assert (program, tuple(arguments[: len(words)])) == ("cama", words)
    options = parser().parse_args(arguments)
    assert callable(options.run)
    assert options.command.split() == arguments[: len(options.command.split())]


def test_a_command_is_added_by_one_entry(monkeypatch, capsys):
    def add_arguments(parser):
        parser.add_argument("folder")

    weigh = Command("weigh", "weigh a folder", "folder", add_arguments, lambda options: options.folder != "bad")
    monkeypatch.setitem(GROUPS, "for a photograph", (*photo.COMMANDS, weigh))
    assert f"  {'weigh':16}weigh a folder\n" in shown_help(capsys)
    assert shown_help(capsys, "weigh").endswith("\n\nexample:\n  cama weigh folder\n")
    assert (main(["weigh", "good"]), main(["weigh", "bad"])) == (0, 1)


def test_the_console_entry_is_main():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["cama"].partition(":")
    assert getattr(import_module(module), name) is main


# ---- the exit status of each outcome


def test_done_is_status_0(capsys):
    assert main(["spec", "tables"]) == 0
    assert capsys.readouterr().err == ""


def test_what_a_person_can_mend_is_one_line_and_status_1(tmp_path, capsys):
    gone = tmp_path / "gone.yaml"
    assert str(gone) in refusal(capsys, "check-config", gone)


def test_the_line_names_a_command_below_another(tmp_path, capsys):
    gone = tmp_path / "gone.safetensors"
    assert main(["models", "show", str(gone)]) == 1
    assert capsys.readouterr().err.startswith(f"cama models show: {gone}: ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "found too little memory, expected more memory"),
        (RuntimeError("CUDA out of memory"), "found too little memory, expected more memory"),
        (OSError(errno.ENOSPC, "No space left on device", "file.h5"), "file.h5: No space left on device"),
        (OSError("no connection"), "check-config: no connection"),
    ],
)
def test_memory_and_disks_are_one_line(error, expected, monkeypatch, capsys):
    monkeypatch.setattr("cama.settings.loading.load_config", raising(error))
    assert expected in refusal(capsys, "check-config", "config.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["profile", "gone.jpg", "--out", "/proc/p.json"],
        ["models", "export", "gone.safetensors", "--onnx", "/proc/g.onnx"],
        ["bench", "no-row", "--json", "/proc/b.json"],
        ["reference", "--photographs", "gone", "--out", "/proc/r.json"],
        ["data", "fetch", "no-set", "--from", "nowhere", "--out", "/proc/new"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_folder_that_cannot_be_written_to_is_named_before_the_work(arguments, capsys):
    assert main(arguments) == 1
    folder = arguments[-1] if arguments[0] == "data" else "/proc"
    assert f": {folder}: could not be written to (" in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr("cama.settings.loading.load_config", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        main(["check-config", "config.yaml"])


@pytest.mark.parametrize(
    "arguments",
    [[], ["judge"], ["stage"], ["stage", "train"], ["inspect"], ["inspect", "a.jpg", "--colour"], ["spec", "split"]],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: cama ")
    assert "error: " in err.splitlines()[-1]


def test_sigterm_is_status_143_and_its_handler_is_put_back(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("cama.settings.loading.load_config", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as end:
        main(["check-config", "config.yaml"])
    assert end.value.code == 143
    assert capsys.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGTERM) == before


def raising(error: BaseException):
    """A function that raises this error."""

    def call(*_):
        raise error

    return call


def test_an_interrupt_is_status_130_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr("cama.settings.loading.load_config", raising(KeyboardInterrupt()))
    assert main(["check-config", "config.yaml"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_shell_sees_the_same_statuses():
    assert cama("spec", "tables").returncode == 0
    assert cama("check-config", "gone.yaml").returncode == 1
    assert cama("judge").returncode == 2


# ---- standard output that cannot be written


def written_to(output, *arguments: str, unbuffered: str = "") -> tuple[int, str]:
    """Exit status and standard error of a process with this standard output."""
    command = [sys.executable, "-m", "cama", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=environment, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture
def closed():
    """A pipe whose reader has ended, as `head` does once it has read enough."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        yield pipe


@pytest.mark.parametrize("arguments", [["--help"], ["spec", "train-generator"], ["check-config", "config.yaml"]])
def test_a_reader_that_has_ended_is_no_traceback(arguments, closed):
    assert written_to(closed, *arguments) == (141, "")


def test_a_reader_that_has_ended_is_no_traceback_without_a_buffer(closed):
    assert written_to(closed, "spec", "tables", unbuffered="1") == (141, "")
    assert written_to(closed, "--help", unbuffered="1") == (0, "")  # argparse ignores it


@pytest.mark.parametrize("arguments", ["check-config config.yaml", "spec tables"])
def test_a_closed_standard_output_is_no_error(arguments):
    command = f'exec "{sys.executable}" -m cama {arguments} >&-'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, cwd=PROJECT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("unbuffered", "line"), [("", "cama: standard output"), ("1", "cama spec")])
def test_standard_output_on_a_full_disk_is_one_line(unbuffered, line):
    with open("/dev/full", "wb") as full:
        expected = (1, f"{line}: No space left on device\n")
        assert written_to(full, "spec", "tables", unbuffered=unbuffered) == expected


@pytest.mark.parametrize(
    "command", [["inspect", ""], ["anonymize", "", "--model", "m", "--to", "x"], ["profile", "", "--out", "p"]]
)
def test_an_empty_name_is_wrong_usage_and_not_the_working_folder(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "found an empty name, expected a path" in capsys.readouterr().err
