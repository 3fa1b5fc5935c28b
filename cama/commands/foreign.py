"""Pictures that another program attacks: the test photographs for it to begin from, and the scores of what it made of them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from cama.core.errors import CamaError
from cama.core.names import PAIRS
from cama.core.progress import Progress
from cama.core.text import to_json
from cama.data.attacked import open_attacked
from cama.data.foreign import COLUMNS, photographs_apart, picture_name
from cama.data.patches import Patches
from cama.judges.judge import Judge
from cama.photo.judging import reference_pictures
from cama.reporting.formats import merge_intervals, to_markdown
from cama.reporting.result import result_record
from cama.reporting.tables import read_rows
from cama.settings.attacks import MethodSpec
from cama.settings.judges import FitJudgeSpec, JudgeStageSpec, check_targets, read_judge
from cama.settings.spec import parse, plain_names
from cama.settings.stages import AttackStageSpec, EvaluateStageSpec, PatchesStageSpec, TablesStageSpec
from cama.stages.attack import attack
from cama.stages.evaluate import evaluate
from cama.stages.fit_judge import fit_judge
from cama.stages.judge import judge
from cama.stages.patches import patches
from cama.stages.tables import tables
from cama.storage.files import check_folder, write_text
from cama.storage.hdf5 import content_hash
from cama.storage.tables import read_csv
from cama.workflow.provenance import Record, find_record

PAIR = ["set", "photograph", "target"]
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
                f"{results}: found no rows/identity.csv, expected the folder of a finished run; of several catalogues name one,"
                " such as results/catalogue-1"
            )
        self.record = _recorded(path)
        inputs = [path for path in self.record.absolute(self.record.inputs) if path.parts]
        self.spec = parse(EvaluateStageSpec, self.record.spec, str(path))
        roles = {name: role for name, role in self.spec.roles.items() if role != "informed"}
        self.spec = self.spec.model_copy(update={"roles": roles})
        self.classifiers = [path for path in inputs if path.suffix == ".safetensors" and path.stem in roles]
        self.tests = {
            kind: _only(inputs, f"patches of the role {role}", lambda path, role=role: path.name.startswith(f"{role}-"))
            for kind, role in (("in", "test"), ("out", "test_outdist"))
        }
        self.profiles = next((path for path in inputs if path.name == "profiles"), None)
        self.untouched = self.record.outputs.get(path.name, "")
        self.attacked = {name: results / "attacks" / f"{name}.h5" for name in BESIDE}
        with open_attacked(self.attacked["identity"]) as file:
            self.targets = file.targets
            self.rows = list(zip(file.sets, map(int, file.rows), strict=True))

    def read_tests(self) -> dict[str, Patches]:
        """The test photographs by set."""
        return {kind: Patches.read(path, "rgb") for kind, path in self.tests.items()}

    def tables_spec(self) -> TablesStageSpec:
        """The settings of the run's own tables, which compare with no baseline."""
        path = self.results / "tables" / "summary.csv"
        if not path.exists():
            return TablesStageSpec()
        spec = parse(TablesStageSpec, _recorded(path).spec, str(path))
        return spec.model_copy(update={"tables": spec.tables.model_copy(update={"baseline": ""})})

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
        splits = _only(inputs, "table of roles", lambda path: path.suffix == ".csv")
        root = _only(inputs, "folder of photographs", Path.is_dir)
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
    tests = run.read_tests()
    photographs_apart(tests)
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
    run = Finished(results)
    if results.resolve() in (out.resolve(), *out.resolve().parents):
        raise CamaError(f"--out: found {out}, expected a folder outside of the run")
    taken = {path.stem for path in (results / "rows").glob("*.csv")}
    _check_name("--name", name, taken)
    _check_judges(judges, run)
    check_folder(out)
    if (out / "rows").exists():
        raise CamaError(f"--out: found results in {out} already, expected a new folder")
    readers = results / "controls" / "scene_readers.csv"
    read_rows([results / "rows" / "identity.csv"])  # for its errors, before the long work
    read_csv(readers)
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
    # the untouched photographs and the oracle as far as this attack went
    compared = [_of_pairs(path, own, out / "compared" / f"{number}.csv") for number, path in enumerate(rows)]
    tables(run.tables_spec(), compared, None, readers, None, None, out / "tables")
    about = {"targets": list(run.targets), "untouched": [run.untouched], "versions": run.record.versions}
    about |= _pairs([own], [results / "rows" / "identity.csv"])
    record = result_record(out / "tables", name, about)
    write_text(out / "result.json", to_json(record) + "\n")
    return record


def _only(paths: Iterable[Path], what: str, fits: Callable[[Path], bool]) -> Path:
    """The first path that fits; where none does, a CamaError that names what was looked for."""
    found = next((path for path in paths if fits(path)), None)
    if found is None:
        raise CamaError(
            f"the run's record: found no {what}, expected the results and photographs where the run had them"
        )
    return found


def _check_name(option: str, name: str, taken: Collection[str]) -> None:
    try:
        plain_names({name: None})
    except ValueError as error:
        raise CamaError(f"{option}: {error}") from None
    if name in taken:
        raise CamaError(f"{option}: found {name!r}, expected another than {', '.join(sorted(taken))}")


def _check_judges(judges: Sequence[Path], run: Finished) -> None:
    """Refuse judges that would be mixed up with others, do not know the targets, or do not fit the pictures."""
    side = min(run.read_tests()["in"].arrays["rgb"].shape[1:3])
    taken = {*run.spec.roles, *run.record.spec["roles"]}
    for path in judges:
        _check_name("--judge", path.stem, taken)
        taken.add(path.stem)
        one = Judge(path)  # for its network's errors, before the long work
        if one.spec.kind == "classifier":
            check_targets(path, one.spec.labels, run.targets)
        if one.spec.patch > side:
            raise CamaError(f"{path}: patch: found {one.spec.patch}, expected at most {side}, the side of the pictures")
        if one.spec.references:
            check_targets(path, tuple(reference_pictures(path, one.spec)), run.targets, "references")
        one.try_on(np.full((side, side, 3), 128, np.uint8))


def as_table(judges: list[dict[str, Any]]) -> str:
    """The figures of judges in a record, in Markdown."""
    shown = [
        "classifier",
        "set",
        "save",
        "clean_accuracy",
        "targeted",
        "targeted_low",
        "targeted_high",
        "chance",
        "oracle",
    ]
    table = pd.DataFrame(judges)
    table = table[[name for name in shown if name in table]].rename(columns={"classifier": "judge"})
    return to_markdown(merge_intervals(table))


def _of_pairs(path: Path, own: Path, out: Path) -> Path:
    """A table of rows with those alone whose photograph and target the rows of `own` have, as the file `out`."""
    rows, wanted = read_csv(path), read_csv(own)[PAIR].drop_duplicates()
    write_text(out, rows.merge(wanted, on=PAIR).to_csv(index=False))
    return out


def _pairs(own: Iterable[Path], untouched: Iterable[Path]) -> dict[str, int]:
    """How many pairs of photograph and target were scored, and how many the untouched photographs give."""
    both = (sum(len(read_csv(path)[PAIR].drop_duplicates()) for path in paths) for paths in (own, untouched))
    return dict(zip(("pairs", "pairs_of"), both, strict=True))


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
    targets = sorted({target for path in rows for target in read_csv(path).target.unique()})
    record = find_record(rows[0].absolute())  # kept rows have none
    untouched = [content_hash(path) for path in rows]
    about = {"targets": targets, "untouched": untouched, "versions": record.versions if record else {}}
    own = [path.with_name(f"{method}.csv") for path in rows]
    if all(path.exists() for path in own):
        about |= _pairs(own, rows)
    return result_record(folder, method, about)
