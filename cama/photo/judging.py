"""What judges, which others trained, say of a photograph."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cama.core.errors import CamaError, printable
from cama.data.listing import LEFTOVERS
from cama.judges.judge import Judge
from cama.photo.decoding import read_photograph
from cama.photo.each import tell_each
from cama.photo.inputs import list_photographs
from cama.photo.summary import judgement
from cama.settings.judges import JudgeSpec
from cama.storage.images import Held


def load_judge(path: Path) -> Judge:
    """The judge of a YAML file; of a fingerprint extractor the residuals of its `references` are taken first."""
    judge = Judge(path)
    if judge.spec.kind == "fingerprint":
        if not judge.spec.references:
            raise CamaError(f"{path}: references: found none, expected a folder of photographs of camera models")
        judge.learn(reference_pictures(path, judge.spec))
    return judge


def reference_pictures(path: Path, spec: JudgeSpec) -> dict[str, Iterator[np.ndarray]]:
    """The photographs (H, W, 3), uint8, of each camera model that the references of the judge at `path` have."""
    folder = path.parent / spec.references
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    folders = [
        one for one in folders if one.is_dir() and not one.name.startswith(".") and one.name.casefold() not in LEFTOVERS
    ]
    if not folders:
        raise CamaError(f"{path}: references: found no folders in {folder}, expected one for each camera model")
    return {one.name: _pictures(one) for one in folders}


def judged(picture: np.ndarray, judge: Judge) -> dict[str, Any]:
    """The record of a judge's scores of a picture (H, W, 3), uint8: its name, what they are, why there are none, or None, and
    the scores, the highest first.
    """
    scores = judge.scores(picture)
    order = np.argsort(-scores, kind="stable")
    found = {judge.labels[place]: round(float(scores[place]), 4) for place in order}
    return {"judge": judge.name, "measure": judge.measure, "error": None, "scores": found}


def judged_by_all(picture: np.ndarray, judges: Sequence[Judge], path: Path | Held) -> list[dict[str, Any]]:
    """The records of several judges; one that cannot score the picture, which is of the photograph at `path`, says so in its
    own, without scores. So does one that has it among its references.
    """
    found = []
    for judge in judges:
        try:
            folder = judge.spec.references and (judge.path.parent / judge.spec.references).resolve()
            if folder and isinstance(path, Path) and folder in path.resolve().parents:
                raise CamaError(f"found it among the references of {judge.name}, expected another photograph")
            found.append(judged(picture, judge))
        except CamaError as error:
            found.append({"judge": judge.name, "measure": judge.measure, "error": str(error), "scores": {}})
    return found


def judge_files(photos: Sequence[Path], paths: Sequence[Path], as_json: bool) -> bool:
    """The command `judge`: what the judges of these YAML files say of photographs, as `tell_each` goes through them."""
    judges = [load_judge(path) for path in paths]

    def about(path: Path) -> dict[str, Any]:
        records = judged_by_all(read_photograph(path).rgb(), judges, path)
        failed = next((record["error"] for record in records if record["error"]), None)
        if failed and all(record["error"] for record in records):
            raise CamaError(f"{path}: {failed}")
        return {"input": str(path), "error": None, "judges": records}

    def text(record: dict[str, Any]) -> str:
        return "\n".join(printable(line) for line in (record["input"], *map(judgement, record["judges"])))

    return tell_each("judge", photos, about, text, as_json)


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    for path in list_photographs([folder], lambda line: print(printable(line), file=sys.stderr, flush=True)):
        yield read_photograph(path).rgb()
