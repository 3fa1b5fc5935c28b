"""The one error that a person is meant to read, and text that is safe to print."""


class CamaError(Exception):
    """One line that names the file or key, what was found and what was expected."""


def printable(text: str) -> str:
    """Text of which nothing commands the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
