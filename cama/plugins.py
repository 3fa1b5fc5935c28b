"""Registries that other packages extend through entry points.

A package offers a front-end, an architecture, an attack, a data-set convention or a judge of its own in its pyproject.toml:

    [project.entry-points."cama.frontends"]
    laplacian = "my_package:laplacian"

The name is then valid in a config like those that come with cama. The package is imported when the entry is used, not before.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from cama.core.errors import CamaError

FRONTENDS, ARCHITECTURES, ATTACKS, CONVENTIONS, JUDGES = (
    f"cama.{name}" for name in ("frontends", "architectures", "attacks", "conventions", "judges")
)
T = TypeVar("T")


class Registry(Mapping[str, T]):
    """The built-in entries of a group, and those of installed packages, by name; `adapt` makes an entry of a loaded object."""

    def __init__(self, group: str, builtin: Mapping[str, T], adapt: Callable[[Any], T] = lambda loaded: loaded) -> None:
        self.group, self.builtin, self._adapt = group, dict(builtin), adapt

    def __getitem__(self, name: str) -> T:
        """The entry of this name; KeyError where there is none, CamaError where its package cannot be imported."""
        return self.builtin[name] if name in self.builtin else self._adapt(load(self.group, name))

    def __contains__(self, name: object) -> bool:
        """Whether there is an entry of this name; imports nothing."""
        return name in names(self.group, tuple(self.builtin))

    def __iter__(self) -> Iterator[str]:
        return iter(names(self.group, tuple(self.builtin)))

    def __len__(self) -> int:
        return len(names(self.group, tuple(self.builtin)))


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; a name that two packages give is a CamaError."""
    by_name: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = by_name.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise CamaError(
                f"{group}: found {entry.name!r} in {_origin(other)} and in {_origin(entry)}, expected one of them"
            )
    return by_name


def names(group: str, builtin: tuple[str, ...]) -> tuple[str, ...]:
    """The built-in names, then those of installed packages; a package that gives a built-in name is a CamaError."""
    added = installed(group)
    for name in builtin:
        if name in added:
            raise CamaError(
                f"{group}: found {name!r} in {_origin(added[name])}, which is the name of a built-in one: expected another"
            )
    return (*builtin, *sorted(added))


def load(group: str, name: str) -> Any:
    """The object that a package offers under this name; KeyError where there is none."""
    entry = installed(group)[name]
    try:
        return entry.load()
    except Exception as error:  # whatever the package raises when it is imported
        raise CamaError(f"{group}: {name!r} of {_origin(entry)} cannot be imported ({error})") from error


def source_files(group: str) -> list[Path]:
    """The Python files of the packages behind a group's entry points, none of which is imported. A stage that can use the group
    depends on them as on cama's own code.
    """
    files: set[Path] = set()
    for module in {entry.module for entry in installed(group).values()}:
        top, *inner = module.split(".")
        spec = importlib.util.find_spec(top)
        if spec is not None and spec.submodule_search_locations is None:
            files |= {Path(spec.origin)} if spec.origin else set()
        elif spec is not None and spec.origin is not None:
            files |= set(Path(spec.origin).parent.rglob("*.py"))
        elif spec is not None:  # a namespace package, which others share: the folder of the module alone
            for place in spec.submodule_search_locations or ():
                files |= set(Path(place, *inner[:-1]).glob("*.py"))
    return sorted(files)


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
