"""The entry of the command line: the parser of all commands, and the exit status of each outcome."""

import argparse
import io
import os
import signal
import sys

from cama import __version__
from cama.commands import photo, research, stage
from cama.core.errors import CamaError, printable

# A new command is one entry in the COMMANDS of its group. Nothing heavy is imported before a command runs.
GROUPS = {
    "for a photograph": photo.COMMANDS,
    "for research": research.COMMANDS,
    "for the rules of the workflow": stage.COMMANDS,
}
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143  # 128 and the signal's number, as in a shell
ENDING = """
`cama COMMAND --help` shows the arguments of a command and an example.
exit status: 0 done, 1 error (see the message), 2 wrong usage, 143 terminated

example:
  cama inspect photo.jpg"""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands. Its help lists them by group, which argparse itself cannot."""
    groups = [
        "\n".join([f"{title}:", *(f"  {command.name:16}{command.help}" for command in commands)])
        for title, commands in GROUPS.items()
    ]
    top = argparse.ArgumentParser(
        prog="cama",
        usage="cama [-h] [--version] COMMAND ...",
        description="Conditional adversarial camera model anonymization.",
        epilog="\n\n".join(groups) + "\n" + ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"cama {__version__}")
    parsers = top.add_subparsers(prog="cama", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for commands in GROUPS.values():
        for command in commands:
            command.add_to(parsers)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; wrong usage, `--help` and SIGTERM raise SystemExit."""
    before = signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # what a terminal without Unicode cannot show, it sees escaped
    try:
        try:
            return _run(parser().parse_args(arguments))
        finally:
            if sys.stdout is not None:  # None where it is closed
                sys.stdout.flush()  # here, since at the interpreter's end a failure would be a traceback
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # of standard output: `_run` handles others
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # its reader has ended, as `head` does
            return BROKEN_PIPE
        print(f"cama: standard output: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(options: argparse.Namespace) -> int:
    """Run the command. An error that a person can mend becomes one line and status 1."""
    try:
        return 1 if options.run(options) is False else 0
    except CamaError as error:
        message = str(error)
    except BrokenPipeError:  # of standard output; libraries turn one of a network into an error of their own
        raise
    except OSError as error:
        if sys.stdout is not None:
            sys.stdout.flush()  # fails again, for `main` to handle, if standard output is what failed
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        message = "found too little memory, expected more memory (`mem_mb`), or a smaller `batch`, network or picture"
    print(printable(f"cama {options.command}: {message}"), file=sys.stderr)
    return 1


def _terminate(*_: object) -> None:
    """End on SIGTERM as on an error, so that no half-written file stays."""
    raise SystemExit(TERMINATED)


def _lacks_memory(error: Exception) -> bool:
    """Whether the error means that no memory is left: Python's own, or torch's on the CPU or on a GPU."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in ("allocate memory", "out of memory"))
