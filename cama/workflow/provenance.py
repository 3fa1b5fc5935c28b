"""What each result was made of: a record beside it, and the chain of records from a table back to the photographs."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from cama import __version__
from cama.core.errors import CamaError
from cama.settings.training import ComputeSpec
from cama.storage.files import file_hash, read_csv, write_text
from cama.storage.hdf5 import check_content, content_hash
from cama.workflow.code import code_digest

SUFFIX = ".provenance.json"
LIBRARIES = ("colour-demosaicing", "h5py", "matplotlib", "numpy", "pandas", "pillow", "pywavelets", "pytorch-msssim")
LIBRARIES += ("safetensors", "scikit-image", "scikit-learn", "scipy", "snakemake", "torch", "torchvision")


@dataclass(frozen=True)
class Begun:
    """What is known of a stage before it runs: what all its records share, and its inputs' hashes."""

    shared: dict[str, Any]
    inputs: dict[Path, str | None]


def begin_record(stage: str, module: str, spec: Mapping[str, Any], threads: int, inputs: Sequence[Path]) -> Begun:
    """Hash a stage's code and inputs before it runs, since either may be changed meanwhile. What is missing or damaged has no
    hash: the stage itself will say so.
    """
    shared = {
        "computed": _computed(spec),
        "stage": stage,
        "spec": spec,
        "threads": threads,
        "code": code_digest(module),
        "versions": _versions(),
    }
    return Begun(shared, {path: _hash(path) for path in inputs})


def _computed(spec: Mapping[str, Any]) -> dict[str, str]:
    if "compute" not in spec:
        return {}
    from cama.compute.device import resolved  # torch takes seconds to import, and other stages do not need it

    try:
        return resolved(ComputeSpec(**spec["compute"]))
    except CamaError:  # no GPU here, which a stage says that needs it; an attack without networks does not
        return {}


def write_records(begun: Begun, outputs: Sequence[Path]) -> None:
    """Write a record beside each output, `NAME.provenance.json`: the stage, its spec, the SHA-256 of its code, of its inputs
    and of its outputs (of a folder's files), its threads, device and precision, and versions. Paths are relative to the record.
    """
    for output in outputs:
        files = sorted(p for p in output.rglob("*") if p.is_file()) if output.is_dir() else [output]
        record = {
            **begun.shared,
            "inputs": {os.path.relpath(path, output.parent): digest for path, digest in begun.inputs.items()},
            "outputs": {os.path.relpath(path, output.parent): content_hash(path) for path in files},
        }
        write_text(record_of(output), json.dumps(record, indent=1, sort_keys=True))


def _hash(path: Path) -> str | None:
    try:
        return content_hash(path) if path.is_file() else None
    except (CamaError, OSError):
        return None


def record_of(path: Path) -> Path:
    """Where the record of a result lies."""
    return path.with_name(path.name + SUFFIX)


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # installed by other means
            found[name] = metadata.version(name)
    return {"cama": __version__, "python": platform.python_version(), **found}


@dataclass(frozen=True)
class Node:
    """A file or folder of a chain: how deep, by which stage (empty where no record is), whether it is still what was recorded,
    and its record.
    """

    path: Path
    depth: int
    stage: str
    state: str
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Path]:
        """What it was made of."""
        return [_joined(self._folder, name) for name in self.record.get("inputs", {})]

    @property
    def _folder(self) -> Path:
        return Path(self.record["folder"]) if self.record else self.path.parent


def chain(path: Path) -> Iterator[Node]:
    """The result and all that it hangs on, absolute paths, depth first, each once. A result without a record is an error."""
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise CamaError(f"{path}: no such file")
    if not _read_record(path):
        raise CamaError(f"{path}: found no record {record_of(path).name}, expected a result of this project's workflow")
    yield from _chain(path, 0, None, set())


def _chain(
    path: Path, depth: int, expected: str | None, seen: set[tuple[Path, str | None]], above: Path | None = None
) -> Iterator[Node]:
    """`expected`: the hash that the record above names, which is that of the result `above`."""
    if (path, expected) in seen:
        return
    again = any(path == other for other, _ in seen)
    seen.add((path, expected))
    record = _read_record(path)
    state = (
        _photographs_state(path, above) if above and path.is_dir() and not record else _state(path, record, expected)
    )
    node = Node(path, depth, record.get("stage", ""), state, record)
    if again:  # it was made of another version of what is shown already, or of the same
        if "CHANGED" in node.state:
            yield node
        return
    yield node
    inputs = [(_joined(node._folder, name), digest) for name, digest in record.get("inputs", {}).items()]
    # folders last: that of the photographs says most below the manifest, which lists them
    for inner, digest in sorted(inputs, key=lambda one: one[0].is_dir()):
        yield from _chain(inner, depth + 1, digest, seen, path)


def _state(path: Path, record: Mapping[str, Any], expected: str | None) -> str:
    if not path.exists():
        return "missing"
    recorded = {_joined(Path(record["folder"]), name): digest for name, digest in record.get("outputs", {}).items()}
    if path.is_dir():
        kept = {p: d for p, d in recorded.items() if path in p.parents}
        if not kept:
            return "not recorded"
        changed = sum(not p.exists() or content_hash(p) != digest for p, digest in kept.items())
        return f"{len(kept)} files, " + (f"{changed} CHANGED since" if changed else "as recorded")
    wanted = {digest for digest in (recorded.get(path), expected) if digest}
    if not wanted:
        return "not recorded"
    try:
        check_content(path)
        return "as recorded" if wanted == {content_hash(path)} else "CHANGED since"
    except CamaError:  # a damaged file
        return "CHANGED since"


def _photographs_state(folder: Path, made: Path) -> str:
    """Whether a folder of photographs, which no stage filled, still holds what the manifest made of it lists."""
    try:
        listed = read_csv(made) if made.name == "manifest.csv" and made.is_file() else {}
    except CamaError:  # which its own line says
        return "a folder"
    if not {"path", "sha256"} <= set(listed):
        return "a folder"
    files = {folder / str(path): digest for path, digest in zip(listed.path, listed.sha256, strict=True)}
    changed = sum(not path.is_file() or file_hash(path) != digest for path, digest in files.items())
    return f"{len(files)} photographs, " + (f"{changed} CHANGED since" if changed else "as recorded")


def _read_record(path: Path) -> dict[str, Any]:
    """The record of a result, or of the folder that a stage filled with it; with the `folder` that its paths start from."""
    for place in (path, *path.parents):
        found = record_of(place) if place.name else None
        if found and found.is_file():
            try:
                record = json.loads(found.read_text())
                names = {_joined(found.parent, name) for name in record["outputs"]}
                if path == place or path in names:
                    return {**record, "folder": str(found.parent)}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CamaError(f"{found}: not a record of this project, or damaged ({error})") from error
    return {}


def _joined(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / name))


def photographs_of(table: Path, row: int) -> list[dict[str, str]]:
    """The photographs behind one row of a table (from 1, without the head): `photograph` and `sha256` of each, from the rows
    that have the same method, set, save, classifier, labels and target, and from the manifest.
    """
    nodes = list(chain(table))
    frame = read_csv(table)
    if not 1 <= row <= len(frame):
        raise CamaError(f"--row: found {row}, expected 1 to {len(frame)}, the rows of {table}")
    wanted = frame.iloc[row - 1]
    keys = ("method", "run", "set", "save", "classifier", "labels", "target", "source", "device")
    names: dict[str, None] = {}
    for path in nodes[0].inputs:
        rows = read_csv(path) if path.suffix == ".csv" else None
        if rows is None or "photograph" not in rows:
            continue
        for key in keys:
            if key in frame and key in rows and str(wanted[key]) != "all":
                rows = rows[rows[key].astype(str) == str(wanted[key])]
        names |= dict.fromkeys(rows.photograph)
    manifests = [node.path for node in nodes if node.stage == "manifest" and node.path.name == "manifest.csv"]
    if not names or not manifests:
        raise CamaError(
            f"{table}: found no photographs behind row {row}, expected a table made from rows of photographs"
        )
    listed = read_csv(manifests[0]).set_index("path").sha256
    return [{"photograph": name, "sha256": str(listed.get(name, "not in the manifest"))} for name in sorted(names)]
