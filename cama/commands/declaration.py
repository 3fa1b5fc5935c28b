"""How a command is declared, and how its declaration becomes a parser."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def path_argument(text: str) -> Path:
    """The type of an argument that is a path. An empty text, as an unset variable of a shell gives it, is none: `Path` takes it
    for the working folder.
    """
    if not text:
        raise ArgumentTypeError("found an empty name, expected a path")
    return Path(text)


FILE: dict[str, Any] = {"type": path_argument, "metavar": "FILE"}  # of `add_argument`
FILES = {**FILE, "nargs": "+"}


@dataclass(frozen=True)
class Command:
    """One command: either it runs, or it has commands below it.

    `example`: what follows its name in the example at the end of its help; `add_arguments`: adds its arguments to its parser;
    `run`: takes the parsed arguments, and returns False where the exit status is 1 though no error was raised.
    """

    name: str
    help: str
    example: str
    add_arguments: Callable[[ArgumentParser], None] = lambda parser: None
    run: Callable[[Namespace], bool | None] | None = None
    commands: tuple["Command", ...] = ()

    def add_to(self, parsers: Any, above: str = "") -> None:
        """Add its parser and those below it to `parsers`, the result of `add_subparsers`. `above`: the command above it."""
        full_name = f"{above} {self.name}".strip()
        parser = parsers.add_parser(
            self.name,
            help=self.help,
            description=f"{self.help[0].upper()}{self.help[1:]}.",
            epilog=f"example:\n  cama {full_name} {self.example}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        if self.commands:
            below = parser.add_subparsers(required=True, metavar="COMMAND")
            for command in self.commands:
                command.add_to(below, full_name)
        else:
            self.add_arguments(parser)
            parser.set_defaults(run=self.run, command=full_name)
