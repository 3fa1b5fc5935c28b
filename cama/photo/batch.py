"""Several photographs, one line each."""

import json
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from cama.core.errors import CamaError, printable
from cama.core.progress import Progress
from cama.photo.anonymize import Plan, anonymize

BELIEVED = 0.5  # E's mean probability of the target from which it takes a picture for that camera's
SEEN_BELOW = 35.0  # dB: a person who looks for it sees a louder change, in flat parts first
Found = tuple[Path, dict[str, Any] | None, str]  # a photograph, its record, or what went wrong


def anonymize_all(
    photos: Sequence[Path], out: Path | None, settings: dict[str, Any], force: bool, as_json: bool, jobs: int = 1
) -> bool:
    """Anonymize several photographs, `jobs` at a time; says each result on standard output, each failure on standard error, and
    whether there was none. `settings`: of `Plan.load`. `out`: a file for one photograph, a folder for more; None for neutral
    names in the working folder.
    """
    plan = Plan.load(**settings)  # what is wrong with it ends all
    folder = out is None or len(photos) > 1 or out.is_dir()
    if folder and out is not None and not out.is_dir():
        raise CamaError(f"--out: found no folder {out}, expected one for {len(photos)} photographs")
    places = [(out or Path()) / f"picture-{secrets.token_hex(4)}.jpg" if folder else out for _ in photos]
    tasks = list(zip(photos, places, strict=True))
    records, failed = [], 0
    results = _results(tasks, plan, settings, force, jobs)
    try:
        # a bar where a person sees it, and none in a log
        for photo, record, wrong in tqdm(results, "photographs", len(tasks), disable=None if len(tasks) > 1 else True):
            if record is None:
                failed += 1
                named = wrong if str(photo) in wrong else f"{photo}: {wrong}"
                tqdm.write(printable(f"cama anonymize: {named}"), file=sys.stderr)
            else:
                records.append(record)
                if not as_json:
                    tqdm.write(printable(_line(record)))
    finally:
        if as_json:  # of those that are written, also where the rest was interrupted: nothing else says which is which
            print(json.dumps(records, indent=2, ensure_ascii=True))
    if not as_json:
        said = [f"{len(records)} written, {failed} failed."]
        doubted = sum(record["after"]["target"] < BELIEVED for record in records)
        if doubted:
            said.append(f"{doubted} NOT taken for {plan.target} even by the model's own evaluator.")
        loud = sum(record["psnr"] < SEEN_BELOW for record in records)
        if loud:
            said.append(f"{loud} changed so much that it can be seen (below {SEEN_BELOW:g} dB): look before you share.")
        print(" ".join([*said, *([plan.caution] if records else [])]))
    return not failed


def _results(
    tasks: list[tuple[Path, Path]], plan: Plan, settings: dict[str, Any], force: bool, jobs: int
) -> Iterator[Found]:
    """What came of each photograph, in their order."""
    if len(tasks) == 1:
        yield _one(plan, force, tasks[0], Progress("tiles", 0))
        return
    if jobs == 1:
        yield from (_one(plan, force, task) for task in tasks)
        return
    # fresh processes, since torch's threads do not survive a fork
    begin = partial(_begin, settings, force, max(1, torch.get_num_threads() // jobs))
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), begin)
    try:
        for task, future in [(task, pool.submit(_in_process, task)) for task in tasks]:
            try:
                yield future.result()
            except BrokenProcessPool:  # of one photograph, and of all that were waiting
                yield _alone(task, begin)
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(task: tuple[Path, Path], begin: Callable[[], None]) -> Found:
    """What comes of a photograph in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn"), begin) as pool:
        try:
            return pool.submit(_in_process, task).result()
        except BrokenProcessPool:
            return task[0], None, "found its process ended, perhaps for lack of memory"


def _one(plan: Plan, force: bool, task: tuple[Path, Path], progress: Progress | None = None) -> Found:
    photo, out = task

    def at(done: int, total: int) -> None:
        if progress:
            progress.total = total
            progress.update(done)

    try:
        return photo, anonymize(photo, out, plan, force, at), ""
    except Exception as error:  # whatever a hostile file raises must not stop the others
        return photo, None, " ".join(str(error).split()) or type(error).__name__


_process: dict[str, Any] = {}  # a process's own plan


def _begin(settings: dict[str, Any], force: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    _process.update(plan=Plan.load(**settings), force=force)


def _in_process(task: tuple[Path, Path]) -> Found:
    return _one(_process["plan"], _process["force"], task)


def _line(record: dict[str, Any]) -> str:
    before, after = record["before"], record["after"]
    said = [f"the evaluator gives {record['target']} {before['target']:.2f} before, {after['target']:.2f} after"]
    said += [
        f"{old['classifier']}: {_first(old)} before, {_first(new)} after"
        for old, new in zip(before["classifiers"], after["classifiers"], strict=True)
    ]
    with_exif = ", minimal EXIF" if record["metadata"] == "target" else ""
    coded = f"{record['encoding']} encoding{with_exif}"
    return f"{record['photo']} -> {record['out']}: {record['psnr']} dB, {coded}; {'; '.join(said)}"


def _first(found: dict[str, Any]) -> str:
    name, share = next(iter(found["probabilities"].items()))
    return f"{name} {share:.2f}"
