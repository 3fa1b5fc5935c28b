"""The command `anonymize`: one or more photographs, in parallel if asked, with a line of text or a JSON record for each."""

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

from cama.core.errors import CamaError, printable
from cama.core.progress import Progress
from cama.photo.anonymize import PhotoAnonymizer, anonymize

CONVINCING = 0.5  # the evaluator's mean probability of the target from which a result counts as attributed to it
VISIBLE_BELOW = 35.0  # dB PSNR: a person who looks for a larger change sees it, in flat areas first
Result = tuple[Path, dict[str, Any] | None, str]  # a photograph, its record or None, and the error


def anonymize_files(
    photos: Sequence[Path], out: Path | None, settings: dict[str, Any], force: bool, as_json: bool, jobs: int = 1
) -> bool:
    """Anonymize photographs, `jobs` at a time, and return whether all succeeded. `settings`: arguments of
    `PhotoAnonymizer.load`. `out`: a file for one photograph, a folder for several; None for new names in the working folder.

    Results go to standard output: a line for each photograph and a last line, or one list of records `as_json`. Errors and
    progress go to standard error.
    """
    anonymizer = PhotoAnonymizer.load(**settings)
    folder = out is None or len(photos) > 1 or out.is_dir()
    if folder and out is not None and not out.is_dir():
        raise CamaError(f"--out: found no folder {out}, expected one for {len(photos)} photographs")
    outs = [(out or Path()) / f"picture-{secrets.token_hex(4)}.jpg" if folder else out for _ in photos]
    tasks = list(zip(photos, outs, strict=True))
    records: list[dict[str, Any]] = []
    progress = Progress("photographs", len(tasks))
    try:
        for done, (photo, record, error) in enumerate(_results(tasks, anonymizer, settings, force, jobs), start=1):
            if record is None:
                message = error if str(photo) in error else f"{photo}: {error}"
                print(printable(f"cama anonymize: {message}"), file=sys.stderr, flush=True)
            else:
                records.append(record)
                for warning in record["warnings"]:
                    print(printable(f"cama anonymize: {photo}: {warning}"), file=sys.stderr, flush=True)
                if not as_json:
                    print(printable(_line(record)), flush=True)
            if len(tasks) > 1:
                progress.update(done)
    finally:
        if as_json:  # also after an interruption, since only the records say which photograph became which file
            print(json.dumps(records, indent=2, ensure_ascii=True))
    if not as_json:
        print(_last_line(records, len(tasks) - len(records), anonymizer))
    return len(records) == len(tasks)


def _results(
    tasks: list[tuple[Path, Path]], anonymizer: PhotoAnonymizer, settings: dict[str, Any], force: bool, jobs: int
) -> Iterator[Result]:
    """The result of each photograph, in order."""
    if len(tasks) == 1:
        yield _run(anonymizer, force, tasks[0], Progress("tiles", 0))
        return
    if jobs == 1:
        yield from (_run(anonymizer, force, task) for task in tasks)
        return
    # spawned, since torch's threads do not survive a fork
    initialize = partial(_initialize, settings, force, max(1, torch.get_num_threads() // jobs))
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), initialize)
    try:
        for task, future in [(task, pool.submit(_run_in_process, task)) for task in tasks]:
            try:
                yield future.result()
            except BrokenProcessPool:  # one photograph's process ended, and with it the whole pool
                yield _run_alone(task, initialize)
    finally:
        pool.shutdown(cancel_futures=True)


def _run_alone(task: tuple[Path, Path], initialize: Callable[[], None]) -> Result:
    """The result of a photograph in a new process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn"), initialize) as pool:
        try:
            return pool.submit(_run_in_process, task).result()
        except BrokenProcessPool:
            return task[0], None, "found that its process had ended, perhaps for lack of memory"


def _run(anonymizer: PhotoAnonymizer, force: bool, task: tuple[Path, Path], progress: Progress | None = None) -> Result:
    photo, out = task

    def report(done: int, total: int) -> None:
        if progress:
            progress.total = total
            progress.update(done)

    try:
        return photo, anonymize(photo, out, anonymizer, force, report), ""
    except Exception as error:  # any error of one file must not stop the others
        return photo, None, " ".join(str(error).split()) or type(error).__name__


_process: dict[str, Any] = {}  # the anonymizer of a process of the pool


def _initialize(settings: dict[str, Any], force: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    _process.update(anonymizer=PhotoAnonymizer.load(**settings), force=force)


def _run_in_process(task: tuple[Path, Path]) -> Result:
    return _run(_process["anonymizer"], _process["force"], task)


def _line(record: dict[str, Any]) -> str:
    before, after = record["before"], record["after"]
    results = [f"the evaluator gives {record['target']} {before['target']:.2f} before, {after['target']:.2f} after"]
    results += [
        f"{old['classifier']}: {_most_probable(old)} before, {_most_probable(new)} after"
        for old, new in zip(before["classifiers"], after["classifiers"], strict=True)
    ]
    exif = ", minimal EXIF" if record["metadata"] == "target" else ""
    file = f"{record['photo']} -> {record['out']}: {record['psnr']} dB, {record['encoding']} encoding{exif}"
    return f"{file}; {'; '.join(results)}"


def _last_line(records: list[dict[str, Any]], failed: int, anonymizer: PhotoAnonymizer) -> str:
    sentences = [f"{len(records)} written, {failed} failed."]
    unconvincing = sum(record["after"]["target"] < CONVINCING for record in records)
    if unconvincing:
        sentences.append(f"{unconvincing} NOT taken for {anonymizer.target} even by the model's own evaluator.")
    visible = sum(record["psnr"] < VISIBLE_BELOW for record in records)
    if visible:
        sentences.append(
            f"{visible} changed so much that it can be seen (below {VISIBLE_BELOW:g} dB): look before you share."
        )
    return " ".join([*sentences, *([anonymizer.caution] if records else [])])


def _most_probable(result: dict[str, Any]) -> str:
    label, probability = next(iter(result["probabilities"].items()))
    return f"{label} {probability:.2f}"
