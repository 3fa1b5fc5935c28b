"""Pictures that another program attacks: the test photographs for it to begin from, and the scores of what it made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cama.core.errors import CamaError
from cama.core.names import PAIRS
from cama.core.progress import Progress
from cama.core.text import to_json
from cama.data.attacked import open_attacked
from cama.data.foreign import COLUMNS, picture_name
from cama.data.patches import Patches
from cama.reporting.result import result_record
from cama.settings.attacks import MethodSpec
from cama.settings.judges import FitJudgeSpec, JudgeStageSpec, read_judge
from cama.settings.spec import parse, plain_names
from cama.settings.stages import AttackStageSpec, EvaluateStageSpec, PatchesStageSpec, TablesStageSpec
from cama.stages.attack import attack
from cama.stages.evaluate import evaluate
from cama.stages.fit_judge import fit_judge
from cama.stages.judge import judge
from cama.stages.patches import patches
from cama.stages.tables import tables
from cama.storage.files import check_folder, read_csv, write_text
from cama.workflow.provenance import Record, find_record

UNTOUCHED = "untouched"  # the folder of the photographs to begin from
BESIDE = ("identity", "oracle")  # whose rows stand beside those of a folder, where a run has them


class Finished:
    """A finished run, as the record of its untouched photographs' rows tells it."""

    def __init__(self, results: Path) -> None:
        """`results`: the folder of the run, of several catalogues that of one."""
        self.results = results
        path = results / "rows" / "identity.csv"
        if not path.exists():
            raise CamaError(
                f"--results: found no {path}, expected the folder of a finished run, or of one of its catalogues"
            )
        self.record = _recorded(path)
        inputs = [path for path in self.record.absolute(self.record.inputs) if path.parts]
        self.spec = parse(EvaluateStageSpec, self.record.spec, str(path))
        roles = {name: role for name, role in self.spec.roles.items() if role != "informed"}
        self.spec = self.spec.model_copy(update={"roles": roles})
        self.classifiers = [path for path in inputs if path.suffix == ".safetensors" and path.stem in roles]
        self.tests = {
            kind: next(path for path in inputs if path.name.startswith(f"{role}-"))
            for kind, role in (("in", "test"), ("out", "test_outdist"))
        }
        self.profiles = next((path for path in inputs if path.name == "profiles"), None)
        self.untouched = self.record.outputs.get(path.name, "")
        self.attacked = {name: results / "attacks" / f"{name}.h5" for name in BESIDE}
        with open_attacked(self.attacked["identity"]) as file:
            self.targets = file.targets
            self.rows = list(zip(file.sets, map(int, file.rows), strict=True))

    def references(self, out: Path) -> Path:
        """The examiner's photographs, cut as those of the test are: the run's own, or cut now, to a file in `out`."""
        there = self.results / "patches" / "examiner-whole.h5"
        cut = out / "patches" / there.name
        if there.exists() or cut.exists():
            return there if there.exists() else cut
        record = _recorded(self.tests["in"])
        spec = parse(PatchesStageSpec, record.spec, str(self.tests["in"]))
        size = {"size": spec.patches.crop, "phase": "aligned"}
        whole = {"role": "examiner", "fields": ("rgb",), "patches": spec.patches.model_copy(update=size)}
        inputs = list(record.absolute(record.inputs))
        splits = next(path for path in inputs if path.suffix == ".csv")
        root = next(path for path in inputs if path.is_dir())
        patches(spec.model_copy(update=whole), splits, root, cut)
        return cut


def write_test_pictures(results: Path, out: Path) -> int:
    """Write the test photographs of a run that its methods attack to `out`/untouched as PNG, and `out`/pairs.csv: what is to be
    made of them. Returns the number of pairs.
    """
    run = Finished(results)
    check_folder(out)
    if (out / PAIRS).exists():
        raise CamaError(f"{out / PAIRS}: found it already, expected a new folder")
    tests = {kind: Patches.read(path, "rgb") for kind, path in run.tests.items()}
    progress, rows = Progress("photographs", len(run.rows)), []
    for done, (kind, row) in enumerate(run.rows, start=1):
        test = tests[kind]
        photograph, source = test.photograph[row], test.labels[test.label[row]]
        path = out / picture_name(photograph, UNTOUCHED)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(test.arrays["rgb"][row].numpy()).save(path)
        rows += [(photograph, source, target) for target in run.targets if target != source]
        progress.update(done)
    write_text(out / PAIRS, pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False))
    return len(rows)


def evaluate_folder(folder: Path, results: Path, out: Path, name: str, judges: Sequence[Path]) -> dict[str, Any]:
    """Score the pictures of a folder under the target classifiers of a finished run, and under judges, and write rows, tables
    and `result.json` to `out`; returns that record. The pictures are saved and cut as those of the run's own methods.
    """
    try:
        plain_names({name: None})
    except ValueError as error:
        raise CamaError(f"--name: {error}") from None
    if name in BESIDE:
        raise CamaError(f"--name: found {name!r}, expected another than those of the run")
    for path in judges:
        read_judge(path)  # for its errors, before the long work
    run = Finished(results)
    check_folder(out)
    attacked = out / "attacked.h5"
    method = MethodSpec(kind="folder", folder=str(folder))
    spec = AttackStageSpec(name=name, method=method, targets=run.targets, compute=run.spec.compute)
    attack(spec, *run.tests.values(), None, None, None, None, None, attacked)
    own = out / "rows" / f"{name}.csv"
    scored = run.spec.model_copy(update={"name": name, "oracle": False})
    evaluate(scored, attacked, *run.tests.values(), run.profiles, run.classifiers, own)
    beside = [results / "rows" / f"{other}.csv" for other in BESIDE if (results / "rows" / f"{other}.csv").exists()]
    rows = [*beside, own]
    for path in judges:
        rows += _judged(path, run, out, {**run.attacked, name: attacked}, rows)
    readers = results / "controls" / "scene_readers.csv"
    tables(TablesStageSpec(), rows, None, readers, None, None, out / "tables")
    about = {"targets": list(run.targets), "untouched": [run.untouched], "versions": run.record.versions}
    record = result_record(out / "tables", name, about)
    write_text(out / "result.json", to_json(record) + "\n")
    return record


def _recorded(path: Path) -> Record:
    """How a file of a run was made; a file without a record, or an unfinished run, is a CamaError."""
    record = find_record(path.absolute())
    if record is None:
        raise CamaError(f"{path}: found no record of it, expected the folder of a finished run")
    return record


def _judged(path: Path, run: Finished, out: Path, attacked: dict[str, Path], rows: list[Path]) -> list[Path]:
    """The rows of a judge for each method of `rows`."""
    described, fingerprints = read_judge(path), None
    network = path.parent / described.network if described.network else None
    if described.kind == "fingerprint":
        fingerprints = out / "judges" / f"{path.stem}.safetensors"
        fit_judge(FitJudgeSpec(), path, network, None if described.references else run.references(out), fingerprints)
    found = []
    for measured in rows:
        name = measured.stem
        if measured.parent.name != "rows":
            continue
        found.append(out / "judgements" / path.stem / f"{name}.csv")
        spec = JudgeStageSpec(
            seed=run.spec.seed, name=name, judge=path.stem, oracle=name == "oracle", saves=run.spec.evaluation.saves
        )
        judge(spec, path, network, fingerprints, measured, attacked[name], *run.tests.values(), run.profiles, found[-1])
    return found


def result_of(results: Path, method: str) -> dict[str, Any]:
    """The record of a method of a finished run; of several catalogues over all of them."""
    folder = results / "tables"
    if not folder.is_dir():
        raise CamaError(f"{results}: found no tables, expected the folder of a finished run")
    rows = sorted(results.glob("catalogue-*/rows/identity.csv")) or [results / "rows" / "identity.csv"]
    records = [_recorded(path) for path in rows]
    about = {
        "targets": sorted({target for path in rows for target in read_csv(path).target.unique()}),
        "untouched": [record.outputs.get("identity.csv", "") for record in records],
        "versions": records[0].versions,
    }
    return result_record(folder, method, about)
