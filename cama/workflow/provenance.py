"""What each result was made of: a record beside it, and the chain of records from a result back to the photographs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from cama import __version__
from cama.core.errors import CamaError
from cama.settings.training import ComputeSpec
from cama.storage.files import write_text
from cama.storage.hdf5 import check_content, content_hash
from cama.storage.tables import read_csv
from cama.workflow.code_inputs import code_digest

SUFFIX = ".provenance.json"
LIBRARIES = ("colour-demosaicing", "h5py", "matplotlib", "numpy", "pandas", "pillow", "pywavelets", "pytorch-msssim")
LIBRARIES += ("safetensors", "scikit-image", "scikit-learn", "scipy", "snakemake", "torch", "torchvision")
ROW_KEYS = ("method", "run", "set", "save", "classifier", "labels", "target", "source", "device")


class Record(BaseModel):
    """How a result was made. Paths in `inputs` and `outputs` are relative to `folder`; hashes are SHA-256, none for a folder
    and for a file that was missing or damaged.
    """

    code: str
    computed: dict[str, str] = {}
    inputs: dict[str, str | None]
    outputs: dict[str, str]
    spec: dict[str, Any]
    stage: str
    threads: int
    versions: dict[str, str]
    folder: Path = Field(Path(), exclude=True)  # where the record lies; not written

    def absolute(self, hashes: Mapping[str, str | None]) -> dict[Path, str | None]:
        """`inputs` or `outputs` with paths that start from the root."""
        return {Path(os.path.normpath(self.folder / name)): digest for name, digest in hashes.items()}


def record_path(path: Path) -> Path:
    """Where the record of a result lies."""
    return path.with_name(path.name + SUFFIX)


def begin_record(stage: str, module: str, spec: Mapping[str, Any], threads: int, inputs: Sequence[Path]) -> Record:
    """A stage's record before it runs, still without outputs: code and inputs are hashed now, since they may change
    meanwhile. Paths are relative to the working folder.
    """
    return Record(
        code=code_digest(module),
        computed=_computed(spec),
        inputs={str(path): _hash(path) for path in inputs},
        outputs={},
        spec=spec,
        stage=stage,
        threads=threads,
        versions={
            "cama": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in LIBRARIES},
        },
    )


def _version(library: str) -> str:
    """The version of a library; a stage that was started without Snakemake has none of that."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


def write_records(begun: Record, outputs: Sequence[Path]) -> None:
    """Write a record `NAME.provenance.json` beside each output; that of a folder has the hash of each file in it."""
    for output in outputs:
        files = sorted(p for p in output.rglob("*") if p.is_file()) if output.is_dir() else [output]
        inputs = {os.path.relpath(path, output.parent): digest for path, digest in begun.inputs.items()}
        hashes = {os.path.relpath(path, output.parent): content_hash(path) for path in files}
        record = begun.model_copy(update={"inputs": inputs, "outputs": hashes})
        write_text(record_path(output), json.dumps(record.model_dump(), indent=1, sort_keys=True))


def _computed(spec: Mapping[str, Any]) -> dict[str, str]:
    """The device and precision of a stage with networks."""
    if "compute" not in spec:
        return {}
    from cama.compute.device import resolved  # torch takes seconds to import, and other stages do not need it

    try:
        return resolved(ComputeSpec(**spec["compute"]))
    except CamaError:  # no GPU here: a stage that needs one raises this error itself
        return {}


def _hash(path: Path, whole: bool = False) -> str | None:
    """The hash of a file; none of a folder or a damaged file. An HDF5 file has it within; `whole` compares all its content."""
    try:
        if whole:
            check_content(path)
        return content_hash(path) if path.is_file() else None
    except (CamaError, OSError):
        return None


class State(Enum):
    """Whether a file, or what a folder holds, is still what was recorded. The values are what is printed."""

    AS_RECORDED = "as recorded"
    CHANGED = "CHANGED since"
    MISSING = "missing"
    NOT_RECORDED = "not recorded"
    PLAIN_FOLDER = "a folder"  # that no stage filled and no manifest lists


@dataclass(frozen=True)
class Link:
    """A file or folder in a chain. `depth` is 0 for the result itself and grows towards the photographs; `files` of a folder
    were recorded, and `changed` of them are no longer the same; `record` is None where no stage made it.
    """

    path: Path
    depth: int
    record: Record | None
    state: State
    files: int | None = None
    changed: int = 0

    @property
    def intact(self) -> bool:
        """Whether nothing is known to have changed."""
        return self.state not in (State.CHANGED, State.MISSING)

    @property
    def state_text(self) -> str:
        """The state in words, with the numbers of a folder's files."""
        if self.files is None:
            return self.state.value
        count = f"{self.files} {'files' if self.record else 'photographs'}, "
        return count + (f"{self.changed} " if self.changed else "") + self.state.value

    def as_text(self) -> str:
        """The line that is printed."""
        record = self.record
        seed = f", seed {record.spec['seed']}" if record and "seed" in record.spec else ""
        stage = f"{record.stage}{seed}: " if record else ""
        return f"{'  ' * self.depth}{os.path.relpath(self.path)}  [{stage}{self.state_text}]"

    def as_json(self) -> dict[str, Any]:
        """The same for programs, with the whole record."""
        record = {**self.record.model_dump(), "folder": str(self.record.folder)} if self.record else {}
        return {"path": str(self.path), "depth": self.depth, "state": self.state_text, "record": record}


def chain(path: Path) -> list[Link]:
    """The result and all that it was made from, absolute paths, each followed by its own inputs. A result that several were
    made from is there once, and once more for each other version that a record names. A result without a record is an error.
    """
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise CamaError(f"{path}: no such file")
    if not find_record(path):
        raise CamaError(
            f"{path}: found no record {record_path(path).name}, expected a result of this project's workflow"
        )
    links: list[Link] = []
    visited: dict[Path, set[str | None]] = {}  # with the hashes by which records name it
    todo: list[tuple[Path, int, str | None, Path | None]] = [(path, 0, None, None)]
    while todo:
        path, depth, named, user = todo.pop()
        hashes = visited.setdefault(path, set())
        if named in hashes:
            continue
        first = not hashes
        hashes.add(named)
        link = _link(path, depth, named, user)
        if first or link.state is State.CHANGED:
            links.append(link)
        if first and link.record:
            inputs = link.record.absolute(link.record.inputs).items()
            # folders last: that of the photographs then stands below the manifest, by which it is checked
            ordered = sorted(inputs, key=lambda item: item[0].is_dir())
            todo += [(inner, depth + 1, digest, path) for inner, digest in reversed(ordered)]
    return links


def find_record(path: Path) -> Record | None:
    """The record of a result, or of the folder that a stage filled with it."""
    for owner in [path, *path.parents][:-1]:  # but for the root
        file = record_path(owner)
        if not file.is_file():
            continue
        try:
            record = Record.model_validate_json(file.read_bytes())
        except ValidationError as error:
            fault = error.errors()[0]
            reason = ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
            raise CamaError(f"{file}: not a record of this project, or damaged ({reason})") from error
        record = record.model_copy(update={"folder": file.parent})
        if path == owner or path in record.absolute(record.outputs):
            return record
    return None


def _link(path: Path, depth: int, named: str | None, user: Path | None) -> Link:
    """`named`: the hash by which the record of `user`, which was made from it, names this path."""
    record = find_record(path)
    if not path.exists():
        return Link(path, depth, record, State.MISSING)
    if path.is_file():
        own = record.absolute(record.outputs).get(path) if record else None
        recorded = {own, named} - {None}
        state = State.AS_RECORDED if recorded == {_hash(path, whole=True)} else State.CHANGED
        return Link(path, depth, record, state if recorded else State.NOT_RECORDED)
    files = _recorded_files(path, record, user)
    if not files:
        return Link(path, depth, record, State.NOT_RECORDED if record else State.PLAIN_FOLDER)
    changed = sum(_hash(file) != digest for file, digest in files.items())
    return Link(path, depth, record, State.CHANGED if changed else State.AS_RECORDED, len(files), changed)


def _recorded_files(folder: Path, record: Record | None, user: Path | None) -> dict[Path, str | None]:
    """The hashes of a folder's files by its record, or of its photographs by the manifest that was made from it."""
    if record:
        return {file: digest for file, digest in record.absolute(record.outputs).items() if folder in file.parents}
    if not user or user.name != "manifest.csv":
        return {}
    try:
        table = read_csv(user)
    except CamaError:  # the manifest's own line shows it
        return {}
    if not {"path", "sha256"} <= set(table):
        return {}
    return {folder / str(name): digest for name, digest in zip(table.path, table.sha256, strict=True)}


def photographs_of(links: Sequence[Link], row: int) -> list[dict[str, str]]:
    """The photographs behind one row (from 1, without the head) of the table that this chain begins with: `photograph` and
    `sha256` of each. They are those of the rows that agree with it in `ROW_KEYS`; the hashes are the manifest's.
    """
    table, record = links[0].path, links[0].record
    frame = read_csv(table)
    if not 1 <= row <= len(frame):
        raise CamaError(f"--row: found {row}, expected 1 to {len(frame)}, the rows of {table}")
    wanted = frame.iloc[row - 1]
    names: set[str] = set()
    for path in record.absolute(record.inputs) if record else {}:
        rows = read_csv(path) if path.suffix == ".csv" else None
        if rows is None or "photograph" not in rows:
            continue
        for key in ROW_KEYS:
            if key in frame and key in rows and str(wanted[key]) != "all":
                rows = rows[rows[key].astype(str) == str(wanted[key])]
        names |= set(rows.photograph)
    manifests = [link.path for link in links if link.record and link.record.stage == "manifest"]
    if (found := len(set(manifests))) > 1:  # the photographs of several catalogues share their names
        raise CamaError(f"{table}: found {found} manifests behind it, expected a table of one catalogue")
    if not names or not manifests:
        raise CamaError(
            f"{table}: found no photographs behind row {row}, expected a table made from rows of photographs"
        )
    hashes = read_csv(manifests[0]).set_index("path").sha256
    return [{"photograph": name, "sha256": str(hashes.get(name, "not in the manifest"))} for name in sorted(names)]
