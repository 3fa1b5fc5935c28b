"""The command `anonymize`: one or more photographs, in parallel if asked, with a line of text or a JSON record for each."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from cama.core.cores import cores
from cama.core.errors import CamaError, printable
from cama.core.progress import Progress
from cama.photo.anonymize import MOVED, PhotoAnonymizer, anonymize, check_free
from cama.photo.attribution import check_sides
from cama.photo.auto import choose_targets, target_of
from cama.photo.decoding import orient, read_srgb
from cama.photo.inputs import Input, list_inputs
from cama.photo.naming import NEUTRAL, check_map, output_names, same_file, write_map
from cama.photo.outputs import made_folder, plan_outputs
from cama.photo.records import envelope, failure_line

VISIBLE_BELOW = 35.0  # dB PSNR: a person who looks for a larger change sees it, in flat areas first
SAFE_PATH = "PYTHONSAFEPATH"


class Task(NamedTuple):
    """A photograph, the error if there is none to read, the file to write, and how the target was chosen, where it was."""

    photo: Path
    error: CamaError | None
    out: Path
    choice: dict[str, Any] | None


@dataclass(frozen=True)
class Delivery:
    """Where results go. `out`: a file for one photograph, or a folder; None for new names in the working folder. `names`:
    `neutral` or `same`, for files in a folder. `map`: a file to be written that says which photograph became which. `force`:
    whether files of the same name are replaced. `dry`: whether nothing is written.
    """

    out: str | None = None
    names: str = NEUTRAL
    map: Path | None = None
    force: bool = False
    dry: bool = False


def anonymize_files(
    photos: Sequence[Path], settings: dict[str, Any], delivery: Delivery, as_json: bool, jobs: int = 1
) -> bool:
    """Anonymize photographs, and those in folders, `jobs` at a time, and return whether all succeeded. `settings`: arguments of
    `PhotoAnonymizer.load`.

    Results go to standard output: a line for each photograph and a last line, or one JSON object with their records `as_json`.
    Errors, progress, and a line for each file of a folder that is left out, go to standard error.
    """
    inputs = list_inputs(photos, _say)
    several = len(inputs) > 1 or any(photo.is_dir() for photo in photos)
    results: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    png = settings["encoding"] == "png"
    with _safe_path(), plan_outputs(delivery.out, several, delivery.force, png) as (file, folder):
        anonymizer = PhotoAnonymizer.load(**settings)
        names = output_names([photo for photo, _ in inputs], photos, delivery.names, ".png" if png else ".jpg")
        outs = [file or (name if isinstance(name, CamaError) else folder / name) for name in names]
        if delivery.map:
            written = [out for out in outs if isinstance(out, Path)]
            check_map(delivery.map, [*(photo for photo, _ in inputs), *written], delivery.force)
        originals = {same_file(photo) for photo, _ in inputs}
        outs = [_kept(out, originals) for out in outs]
        if delivery.dry:
            return _tell_plan(inputs, outs, anonymizer, delivery.names == NEUTRAL and not file, delivery.force)
        choices = _choices(inputs, anonymizer, settings, jobs)
        tasks = [_task(photo, error, out, choices) for (photo, error), out in zip(inputs, outs, strict=True)]
        progress = Progress("photographs", len(tasks))
        try:
            # closed before the records are told, since it may have some more
            with contextlib.closing(_results(tasks, anonymizer, settings, delivery.force, jobs, late)) as records:
                for record in records:
                    results.append(record)
                    if record["error"]:
                        _say(record["error"])
                    elif not as_json:
                        print(printable(_line(record)), flush=True)
                    if len(tasks) > 1:
                        progress.update(len(results))
        finally:  # also after an interruption, since only these say which photograph became which file
            results += late
            if as_json:
                print(envelope("anonymize", results))
            if delivery.map:
                write_map(delivery.map, results)
    written = [record for record in results if not record["error"]]
    if not as_json:
        print(_last_line(written, len(results) - len(written), anonymizer.asked, anonymizer.caution))
    return len(written) == len(results)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Processes that begin meanwhile import nothing from the working folder, where photographs may lie beside Python files."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _kept(out: Path | CamaError, originals: set[tuple[int, int] | str]) -> Path | CamaError:
    """The name of a result, or an error where it is that of a photograph to be read: no original is replaced."""
    if isinstance(out, Path) and same_file(out) in originals:
        return CamaError(f"{out}: found one of the photographs, which is not replaced, expected another folder or name")
    return out


def _task(photo: Path, error: CamaError | None, out: Path | CamaError, choices: dict[Path, dict[str, Any]]) -> Task:
    if isinstance(out, CamaError):
        return Task(photo, error or out, Path(), None)
    return Task(photo, error, out, choices.get(photo))


def _tell_plan(
    inputs: Sequence[Input],
    outs: Sequence[Path | CamaError],
    anonymizer: PhotoAnonymizer,
    unnamed: bool,
    force: bool,
) -> bool:
    """Say what would be written, and which photographs cannot be read; whether all can."""
    failed = 0
    for (photo, error), out in zip(inputs, outs, strict=True):
        try:
            for fault in filter(None, (error, out if isinstance(out, CamaError) else None)):
                raise fault
            picture, orientation, _ = read_srgb(photo)
            picture = orient(anonymizer.framing.apply(picture, orientation, str(photo)), orientation)
            check_sides(picture)
            if out.parent.is_dir():
                check_free(out, force)
        except Exception as fault:  # any error of one file must not stop the others
            failed += 1
            _say(failure_line(photo, fault))
            continue
        name = f"a new name in {out.parent}" if unnamed else out
        target = anonymizer.target or "a camera model that is chosen"
        size = f"{picture.shape[1]}x{picture.shape[0]} pixels"
        print(printable(f"{photo} -> {name}: {size}, towards {target}"), flush=True)
    print(f"{len(inputs) - failed} would be written, {failed} would fail. Nothing was written.")
    return not failed


def _choices(
    inputs: Sequence[Input], anonymizer: PhotoAnonymizer, settings: dict[str, Any], jobs: int
) -> dict[Path, dict[str, Any]]:
    """How the target of each photograph was chosen, where that is left to the judges."""
    photos = [photo for photo, error in inputs if error is None]
    if anonymizer.target or not photos:
        return {}
    if jobs == 1:
        return choose_targets(photos, anonymizer.model, anonymizer.psnr)
    # in a process of its own, whose memory is free again when the others start
    with ProcessPoolExecutor(1, get_context("spawn"), partial(_initialize, settings, False, cores())) as pool:
        try:
            return pool.submit(_choose_in_process, photos).result()
        except BrokenProcessPool:
            raise CamaError(
                "found that the process which chooses targets had ended, perhaps for lack of memory"
            ) from None


def _say(line: str) -> None:
    print(printable(f"cama anonymize: {line}"), file=sys.stderr, flush=True)


def _results(
    tasks: list[Task],
    anonymizer: PhotoAnonymizer,
    settings: dict[str, Any],
    force: bool,
    jobs: int,
    late: list[dict[str, Any]],
) -> Generator[dict[str, Any], None, None]:
    """The record of each photograph, in order; after an interruption the rest of what was done goes to `late`."""
    if len(tasks) == 1:
        yield _run(anonymizer, force, tasks[0], Progress("parts", 0))
        return
    if jobs == 1:
        yield from (_run(anonymizer, force, task) for task in tasks)
        return
    # spawned, since threads do not survive a fork
    initialize = partial(_initialize, settings, force, max(1, cores() // jobs))
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), initialize)
    waiting = [(task, pool.submit(_run_in_process, task)) for task in tasks]
    try:
        while waiting:
            task, future = waiting[0]
            try:
                record = future.result()
            except BrokenProcessPool:  # one photograph's process ended, and with it the whole pool
                record = _run_alone(task, initialize)
            del waiting[0]
            yield record
    finally:
        pool.shutdown(cancel_futures=True)
        done = (future for _, future in waiting if not future.cancelled() and future.exception() is None)
        late += [future.result() for future in done]


def _run_alone(task: Task, initialize: Callable[[], None]) -> dict[str, Any]:
    """The record of a photograph from a new process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn"), initialize) as pool:
        try:
            return pool.submit(_run_in_process, task).result()
        except BrokenProcessPool:
            return _failed(task.photo, CamaError("found that its process had ended, perhaps for lack of memory"))


def _run(anonymizer: PhotoAnonymizer, force: bool, task: Task, progress: Progress | None = None) -> dict[str, Any]:
    def report(done: int, total: int) -> None:
        if progress:
            progress.total = total
            progress.update(done)

    try:
        if task.error is not None:
            raise task.error
        target = target_of(task.photo, task.choice, anonymizer.target)
        with made_folder(task.out.parent):
            return anonymize(task.photo, task.out, anonymizer.towards(target), force, report, task.choice)
    except Exception as fault:  # any error of one file must not stop the others
        return _failed(task.photo, fault)


def _failed(photo: Path, error: Exception) -> dict[str, Any]:
    return {"input": str(photo), "output": None, "error": failure_line(photo, error)}


_process: dict[str, Any] = {}  # the anonymizer of a process of the pool


def _initialize(settings: dict[str, Any], force: bool, workers: int) -> None:
    _process.update(anonymizer=PhotoAnonymizer.load(**settings, workers=workers), force=force)


def _choose_in_process(photos: list[Path]) -> dict[Path, dict[str, Any]]:
    return choose_targets(photos, _process["anonymizer"].model, _process["anonymizer"].psnr)


def _run_in_process(task: Task) -> dict[str, Any]:
    return _run(_process["anonymizer"], _process["force"], task)


def _line(record: dict[str, Any]) -> str:
    before, after = record["before"], record["after"]
    chosen = " (chosen)" if record["choice"] else ""
    results = [
        f"towards {record['target']}{chosen}: its classifiers name it with {before['target']:.2f} before,"
        f" {after['target']:.2f} after"
    ]
    results += [
        f"{old['classifier']}: {_most_probable(old)} before, {_most_probable(new)} after"
        for old, new in zip(before["classifiers"], after["classifiers"], strict=True)
    ]
    results += [
        f"{old['judge']}: {_best(old)} before, {_best(new)} after"
        for old, new in zip(before["judges"], after["judges"], strict=True)
    ]
    exif = ", minimal EXIF" if record["metadata"] == "target" else ""
    level = "no pixel changed" if record["psnr"] is None else f"{record['psnr']} dB"
    results.append(f"{level}, {record['encoding']} encoding{exif}")
    warnings = (f"WARNING: {warning}" for warning in record["warnings"])
    return f"{record['input']} -> {record['output']}: {'; '.join([*results, *warnings])}"


def _last_line(records: list[dict[str, Any]], failed: int, asked: str, caution: str) -> str:
    sentences = [f"{len(records)} written, {failed} failed."]
    targets = {record["target"] for record in records}
    names = targets.pop() if len(targets) == 1 else "their targets"
    unmoved = sum(record["after"]["target"] < MOVED for record in records)
    if unmoved:
        sentences.append(f"{unmoved} could NOT be moved: {asked} give {names} less than {MOVED:g}.")
    worse = sum(record["after"]["target"] < record["before"]["target"] for record in records)
    if worse:
        sentences.append(f"{worse} taken LESS for {names} after than before.")
    visible = sum(record["psnr"] is not None and record["psnr"] < VISIBLE_BELOW for record in records)
    if visible:
        sentences.append(
            f"{visible} changed so much that it can be seen (below {VISIBLE_BELOW:g} dB): look before you share."
        )
    return " ".join([*sentences, *([caution] if records else [])])


def _best(result: dict[str, Any]) -> str:
    label, score = next(iter(result["scores"].items()), ("nothing", None))
    return label if score is None else f"{label} {score:.2f}"


def _most_probable(result: dict[str, Any]) -> str:
    label, probability = next(iter(result["probabilities"].items()))
    return f"{label} {probability:.2f}"
