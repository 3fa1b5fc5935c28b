"""Which of the package's files a module's results depend on: its import graph, read from the source.

`cama.settings` and `cama.core.errors` are left out. The settings reach a stage as the values of its spec, which are compared
by themselves; an edited description, or another stage's default, must not retrain a network.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
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
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # what is imported from a package may be a module of it
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(other for other in names - {name} if other.startswith("cama") and module_path(other))


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
    """The files behind `closure`, and the data files beside them that they name; empty package files are left out."""
    paths = [path for path in map(module_path, closure(name)) if path is not None and path.stat().st_size]
    data = {
        other
        for path in paths
        for other in path.parent.iterdir()
        if other.suffix in DATA and other.name in path.read_text()
    }
    return sorted({*paths, *data})


def code_digest(name: str) -> str:
    """SHA-256 over the names and contents of `code_files`."""
    digest = hashlib.sha256()
    for path in code_files(name):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
