"""Which of the package's files a module's results depend on: its import graph, read from the source.

`cama.settings` and `cama.core.errors` are left out: what they decide reaches a stage through the values of its spec, which
are compared by themselves, so editing a description or another stage's default must not retrain a network.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
LEFT_OUT = ("cama", "cama.core.errors", "cama.settings")
DATA = (".json", ".jinja")  # suffixes of data files that belong to the module beside them that names them


def module_path(name: str) -> Path | None:
    """The file of a module of this package, or None where the name is not one."""
    base = PACKAGE.parent / name.replace(".", "/")
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def direct_imports(name: str) -> frozenset[str]:
    """Modules of this package that a module imports anywhere in its source."""
    path = module_path(name)
    if path is None:
        return frozenset()
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(m for m in found if m.startswith("cama") and module_path(m) and m != name)


def closure(name: str) -> list[str]:
    """The module and all of this package that it imports, directly or not, sorted, but for what is left out."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        module = todo.pop()
        if module not in seen and not left_out(module):
            seen.add(module)
            todo += direct_imports(module)
    return sorted(seen)


def left_out(name: str) -> bool:
    """Whether a module counts as no stage's code."""
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
    """SHA-256 over the files behind `closure`."""
    digest = hashlib.sha256()
    for path in code_files(name):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
