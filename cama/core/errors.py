"""The error that is shown to the user as one line, and text that is safe to print."""


class CamaError(Exception):
    """One line that names the file or key, what was found and what was expected."""


class TooLargeError(CamaError):
    """The error of a file that is not damaged, but larger than what is read or decoded."""


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
