"""The one error that a person is meant to read."""


class CamaError(Exception):
    """One line that names the file or key, what was found and what was expected."""
