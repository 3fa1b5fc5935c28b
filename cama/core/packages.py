"""Packages that research needs and a photograph does not: they are large, and are installed with `cama[workflow]` alone."""

import contextlib
from collections.abc import Iterator

from cama.core.errors import CamaError

INSTALL = "pip install 'cama[workflow]'"


@contextlib.contextmanager
def needed_by(what: object) -> Iterator[None]:
    """A CamaError where an import within does not find its package, which `what` needs."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise CamaError(f"{what}: found no package {error.name}, expected it: {INSTALL}") from error
