"""Tables of every key of the config, from the pydantic models in `cama/settings` and the values in `config.yaml`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

import pandas as pd
from pydantic import BaseModel, ValidationError

from cama.reporting.formats import to_markdown
from cama.settings.config import Config
from cama.settings.training import Ramp


@dataclass
class Section:
    """A kind of block with a table of its own, and the places in the config where such blocks stand."""

    kind: type[BaseModel]
    paths: list[str] = field(default_factory=list)
    several: bool = False  # whether such blocks stand in a mapping or a list
    title: str = ""

    @property
    def nested(self) -> bool:
        """Whether a block of this kind holds other blocks."""
        return any(_block_kind(key.annotation) for key in self.kind.model_fields.values())

    @property
    def link(self) -> str:
        """A Markdown link to the heading, whose anchor is formed as GitHub does."""
        anchor = re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")
        return f"[{self.title}](#{anchor})"


def settings_tables(config: Config) -> str:
    """The top level of the config, each of its blocks, and each kind of block that stands in several places."""
    sections = _sections()
    parts = ["### Top level", _table(Config, config, sections)]
    for section in sections.values():
        places = ", ".join(f"`{path}`" for path in section.paths)
        about = " ".join((section.kind.__doc__ or "").split())
        value = None
        if "." not in section.paths[0]:
            value = getattr(config, section.paths[0])
        elif (section.nested or section.several) and (example := _example(config, section.paths[0])):
            name, value = example
            about += f" Used as {places}; the values of `config.yaml` are those of `{name}`."
        else:
            about += f" Used as {places}."
        parts += [f"### {section.title}", about, _table(section.kind, value, sections)]
    return "\n\n".join(parts)


def keys_table(kind: type[BaseModel]) -> str:
    """The keys of a kind of block that stands in no config."""
    return _table(kind, None, {})


def _sections() -> dict[type[BaseModel], Section]:
    """The blocks of the top level, then the kinds of blocks that stand in several places."""
    sections: dict[type[BaseModel], Section] = {}
    for kind, path, several in _uses(Config, ""):
        section = sections.setdefault(kind, Section(kind))
        section.paths.append(path)
        section.several |= several
    kept = [s for s in sections.values() if s.several or len(s.paths) > 1 or "." not in s.paths[0]]
    kept.sort(key=lambda section: "." in section.paths[0])
    last = [{_ending(path, 1) for path in section.paths} for section in kept]
    for index, section in enumerate(kept):
        unique = not any(last[index] & other for other in last[:index] + last[index + 1 :])
        section.title = f"`{_ending(section.paths[0], 1 if unique else 2)}`"
    return {section.kind: section for section in kept}


def _uses(kind: type[BaseModel], prefix: str) -> Iterator[tuple[type[BaseModel], str, bool]]:
    """Each block in a kind of block: its own kind, its path, and whether it stands in a mapping or a list."""
    for name, key in kind.model_fields.items():
        inner = _block_kind(key.annotation)
        if inner:
            holder = get_origin(key.annotation)
            path = f"{prefix}{name}" + ("" if holder is None else ".NAME" if holder is dict else ".NUMBER")
            yield inner, path, holder is not None
            yield from _uses(inner, f"{path}.")


def _block_kind(annotation: Any) -> type[BaseModel] | None:
    """The kind of block that a key holds, by itself, in a mapping or in a list. A ramp counts as a value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None if annotation is Ramp else annotation
    return next((kind for inner in get_args(annotation) if (kind := _block_kind(inner))), None)


def _ending(path: str, parts: int) -> str:
    """The last keys of a path, with the names or numbers that stand after them."""
    keys = re.findall(r"[a-z_]+(?:\.[A-Z]+)?", path)
    return ".".join(keys[-parts:])


def _example(config: Config, path: str) -> tuple[str, BaseModel] | None:
    """The first block of `config.yaml` at a path, and its own path; None where there is none."""
    names, value = [], config
    for name in path.split("."):
        if name in ("NAME", "NUMBER"):
            if not value:
                return None
            key, value = next(iter(value.items() if isinstance(value, dict) else enumerate(value)))
            names.append(str(key))
        else:
            value = getattr(value, name)
            names.append(name)
    return ".".join(names), value


def _table(kind: type[BaseModel], value: BaseModel | None, sections: dict[type[BaseModel], Section]) -> str:
    rows = list(_rows(kind, value, _default(kind), sections, ""))
    table = pd.DataFrame(rows, columns=["key", "in `config.yaml`", "default", "meaning"])
    return to_markdown(table if value is not None else table.drop(columns="in `config.yaml`")).strip()


def _rows(
    kind: type[BaseModel], value: Any, default: Any, sections: dict[type[BaseModel], Section], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    for name, key in kind.model_fields.items():
        here, normal = getattr(value, name, None), getattr(default, name, None)
        inner = _block_kind(key.annotation)
        if inner and inner not in sections:
            yield from _rows(inner, here, normal, sections, f"{prefix}{name}.")
            continue
        meaning = key.description or ""
        choices = get_args(key.annotation) if get_origin(key.annotation) is Literal else ()
        if not all(str(choice) in meaning for choice in choices):
            meaning += " (" + ", ".join(f"`{_yaml(choice)}`" for choice in choices) + ")"
        if inner:
            about = meaning or " ".join((inner.__doc__ or "").split()).rstrip(".")
            meaning = f"{about}: {sections[inner].link}"
            if isinstance(here, dict):
                here, normal = list(here), None
            elif sections[inner].nested or kind is Config:
                here = normal = None
        default_text = "" if key.is_required() or normal is None else _text(normal)
        yield f"`{prefix}{name}`", "" if here is None else _text(here), default_text, meaning


def _default(kind: type[BaseModel]) -> BaseModel:
    try:
        return kind()
    except ValidationError:  # it has keys that must be given
        return kind.model_construct()


def _text(value: Any) -> str:
    """A value as it would stand in the config."""
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    if isinstance(value, Ramp) and value.start == value.end:
        return f"{value.start:g}"
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or '""'
