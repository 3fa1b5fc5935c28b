"""Which of the package's files a module's results depend on: its import graph, read from the source.

`cama.settings` and `cama.core.errors` are left out. The settings reach a stage as the values of its spec, which are compared
by themselves; an edited description, or another stage's default, must not retrain a network.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cama import plugins

PACKAGE = Path(__file__).parents[1]
# Modules with a registry: what uses one depends on the packages that extend it.
REGISTRIES = {
    "cama.models.frontends": plugins.FRONTENDS,
    "cama.models.classifiers": plugins.ARCHITECTURES,
    "cama.attacks.classical": plugins.ATTACKS,
    "cama.data.conventions": plugins.CONVENTIONS,
    "cama.judges.judge": plugins.JUDGES,
}
LEFT_OUT = ("cama", "cama.core.errors", "cama.settings")
DATA = (".json", ".jinja")  # suffixes of data files that belong to the module beside them that names them


def module_path(name: str) -> Path | None:
    """The file of a module of this package, or None if there is no such module."""
    base = PACKAGE.parent / name.replace(".", "/")
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def direct_imports(name: str) -> frozenset[str]:
    """Modules of this package that a module imports, anywhere in its source."""
    path = module_path(name)
    if path is None:
        return frozenset()
    names: set[str] = set()
    for node in _statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # what is imported from a package may be a module of it
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(other for other in names - {name} if other.startswith("cama") and module_path(other))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that can be or hold an import: a walk of all expressions too takes seconds at each start of the workflow."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo += getattr(node, part, ())


def closure(name: str) -> list[str]:
    """The module and all modules of this package that it imports, directly or through others, sorted; without `left_out`."""
    modules: set[str] = set()
    todo = [name]
    while todo:
        module = todo.pop()
        if module not in modules and not left_out(module):
            modules.add(module)
            todo += direct_imports(module)
    return sorted(modules)


def left_out(name: str) -> bool:
    """Whether a module is not counted as a stage's code."""
    return name in LEFT_OUT or name.startswith("cama.settings.")


def code_files(name: str) -> list[Path]:
    """The files behind `closure`, the data files beside them that they name, and the files of packages that extend their
    registries; empty package files are left out.
    """
    modules = closure(name)
    paths = [path for path in map(module_path, modules) if path is not None and path.stat().st_size]
    added = {path for module in modules if module in REGISTRIES for path in plugins.source_files(REGISTRIES[module])}
    data = {
        other
        for path in paths
        for other in path.parent.iterdir()
        if other.suffix in DATA and other.name in path.read_text()
    }
    return sorted({*paths, *data, *added})


def code_digest(name: str) -> str:
    """SHA-256 over the names and contents of `code_files`."""
    digest = hashlib.sha256()
    # sorted by names within the package, since where a package is installed must not matter
    for text, path in sorted((_short_name(path), path) for path in code_files(name)):
        digest.update(text.encode() + path.read_bytes())
    return digest.hexdigest()


def _short_name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix() if PACKAGE in path.parents else path.name
