"""Specs: frozen blocks of settings that refuse unknown keys, and reading them with errors of one line."""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from cama import plugins
from cama.core.errors import CamaError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_+][A-Za-z0-9]+)*")
# words that tables or files of the workflow have another meaning for
RESERVED = {"all", "na", "nan", "null", "none", "controls", "photographs", "cameras"}

# what pydantic puts into the place of a fault where a block may be one of several specs
ALTERNATIVE = re.compile(r"\w+Spec|function-\w+\[.*Spec\]")


class Spec(BaseModel):
    """A frozen block of settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    RENAMED: ClassVar[Mapping[str, str]] = {}  # earlier names of keys of this block, and what they are called now

    def to_json(self) -> str:
        """One string with sorted keys: what a rule passes, and what Snakemake compares."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


S = TypeVar("S", bound=Spec)


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"found {value}, expected an odd number")
    return value


def without_null(value: Any) -> Any:
    """A mapping without what an overlay took out by setting it to null."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value


def plain_names(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping whose keys may become names of files and be told apart in tables; another is a ValueError."""
    for name in value:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"found the name {name!r}, expected a letter, then letters and digits, joined by -, _ or +"
            )
        if name.lower() in RESERVED:
            raise ValueError(f"found the name {name!r}, which has another meaning, expected another")
    return value


def registered(group: str, *builtin: str) -> Any:
    """The type of a key whose value is a name in a registry: a built-in one, or one of an installed package."""

    def check(value: str) -> str:
        known = plugins.names(group, builtin)
        if value not in known:
            raise ValueError(f"found {value!r}, expected one of {', '.join(map(repr, known))}")
        return value

    return Annotated[str, AfterValidator(check)]


Odd = Annotated[int, AfterValidator(_odd)]
# Blocks by a name that becomes a file's; an overlay takes one out by setting it to null.
Named = Annotated[dict[str, S], BeforeValidator(without_null), AfterValidator(plain_names)]


def parse(kind: type[S], values: Mapping[str, Any], source: str) -> S:
    """Check `values`; the first fault becomes one line that names `source`, the key, what was found and expected."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        location = tuple(part for part in fault["loc"] if not ALTERNATIVE.fullmatch(str(part)))
        key = ".".join(map(str, location))
        if fault["type"] == "extra_forbidden":
            block, name = _block_of(kind, location), str(location[-1])
            if name in block.RENAMED:
                raise CamaError(f"{source}: {key} is now called {block.RENAMED[name]!r}") from None
            near = difflib.get_close_matches(name, block.model_fields, n=1, cutoff=0.5)
            known = f"the nearest known key is {near[0]!r}" if near else f"expected one of {list(block.model_fields)}"
            raise CamaError(f"{source}: unknown key {key!r}, {known}") from None
        message = fault["msg"].removeprefix("Value error, ")
        found = "" if fault["type"] in ("value_error", "missing") else f", found {fault['input']!r}"
        raise CamaError(f"{source}: {key + ': ' if key else ''}{message}{found}") from None


def parse_json(kind: type[S], text: str) -> S:
    """A stage's spec from the string that its rule passes; `{}` gives the defaults."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise CamaError(f"--spec: found text that is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise CamaError(f"--spec: found {text!r}, expected a JSON object")
    return parse(kind, values, "--spec")


def _block_of(kind: type[Spec], location: tuple[int | str, ...]) -> type[Spec]:
    """The block in which the last key of `location` stands."""
    named = False  # whether the next part is a block's name or the place in a list, and no key
    for part in location[:-1]:
        if named:
            named = False
            continue
        todo, inner = [kind.model_fields[str(part)].annotation], []
        named = get_origin(todo[0]) in (dict, tuple, list)
        while todo:
            annotation = todo.pop()
            todo += get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, Spec):
                inner.append(annotation)
        kind = inner[0] if inner else kind
    return kind
