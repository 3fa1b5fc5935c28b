"""Stage `detect`: can the attack itself be detected? Detectors learn from examples of the attack on the examiner's photographs,
and score the test pictures.

Each detector tells the true photographs of each camera from those that were made to look like its (or of an attack without
targets, from that camera's own attacked ones), and so answers two questions: was the picture attacked? Is it a true photograph
of the target camera, or made to look so? Two kinds of detector: classifiers, trained on patches that are cut from pictures
attacked whole and saved as they are delivered, and a logistic regression of a few numbers.

Columns: method, detector, question (`attacked`, `target`), set, photograph, row and column of the picture, target, attacked (0
or 1), score (log odds that it is). Under the question `target` a photograph of the target camera stands once in each set.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import logsumexp

from cama.compute import processes
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.core.names import NUMBERS
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.attacked import Attacked, open_attacked
from cama.data.examples import ARRAYS, Examples
from cama.data.patches import Patches, join
from cama.data.windows import random_crop
from cama.evaluation.saves import delivered
from cama.forensics.cues import cue_regression, few_numbers
from cama.jpeg.imitation import Imitation
from cama.models.classifiers import Classifier
from cama.photo.encoders import target_encoders
from cama.settings.stages import DetectStageSpec
from cama.stages.resume import States, begin
from cama.storage.files import write_text
from cama.training.classifier import predict, train_classifier

BATCH = 8  # whole pictures
# Of pictures (n, H, W, 3), uint8: the log-probabilities (n, 2 K) that each is a true photograph of each of K cameras, and then
# that it was made to look like one of each.
Detector = Callable[[np.ndarray], np.ndarray]
COLUMNS = ("method", "detector", "question", "set", "photograph", "row", "column", "target", "attacked", "score")


def detect(
    spec: DetectStageSpec,
    examples: Path,
    inside: Path,
    outside: Path,
    attacked: Path,
    profiles: Path | None,
    curve: Path,
    state: Path,
    out: Path,
) -> States:
    """Write the scores of the test pictures of `inside` and `outside`, and of those in `attacked`, saved as they are delivered;
    the save `target` needs the folder `profiles`. Returns the states of the trainings, which the caller marks as finished.
    """
    processes.start(1, spec.compute.device)
    learnt = Examples.read(examples, spec.crop, spec.seed)
    _check(spec, examples, learnt)
    states, curves, detectors = States(), [], {}
    patches, compute = _patches(learnt, spec.size), Compute(spec.compute)
    for name, classifier in spec.detectors.items():
        alone = spec.model_copy(update={"detectors": {name: classifier}})  # whose state no other detector changes
        checkpoint, _ = begin("detect", alone, state, examples)
        title, seed = f"detector {name} of {spec.name}", derive_seed(spec.seed, name)
        trained, history = train_classifier(title, patches, classifier, None, compute, seed, checkpoint)
        detectors[name] = _network(trained, compute)
        curves.append(history.assign(detector=name))
        states.append(checkpoint)
    detectors[NUMBERS] = _regression(learnt, f"detector {NUMBERS} of {spec.name}")
    with open_attacked(attacked) as file:
        tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
        imitations = target_encoders((spec.save,), profiles, spec.targets)
        table = _score(spec, detectors, file, tests, imitations)
    write_text(curve, pd.concat(curves).to_csv(index=False) if curves else "step,detector\n")
    write_text(out, table.to_csv(index=False, float_format="%.5g"))
    return states


# ---- what detectors learn


def _classes(learnt: Examples) -> tuple[np.ndarray, np.ndarray]:
    """The classes (N,) of the untouched and of the attacked examples."""
    source = learnt.crops.label
    return source, len(learnt.crops.labels) + np.where(learnt.targets < 0, source, learnt.targets)


def _check(spec: DetectStageSpec, path: Path, learnt: Examples) -> None:
    """Refuse examples of other labels, and those that lack a class."""
    if learnt.crops.labels != spec.targets:
        raise CamaError(f"{path}: found the labels {list(learnt.crops.labels)}, expected {list(spec.targets)}")
    found = set(np.concatenate(_classes(learnt)).tolist())
    names = (*spec.targets, *(f"what should look like {name}" for name in spec.targets))
    for place, name in enumerate(names):
        if place not in found:
            raise CamaError(f"{path}: found no picture of {name}, expected some: more photographs of the examiner")


def _patches(learnt: Examples, size: int) -> Patches:
    """The patches of the examples, each with the label of its class."""
    names = learnt.crops.labels
    labels = (*names, *(f"made to look like {name}" for name in names))
    parts = [
        replace(learnt, crops=replace(learnt.crops, label=classes, labels=labels)).patches(kind, size)
        for kind, classes in zip(ARRAYS, _classes(learnt), strict=True)
    ]
    return join(parts)


def _network(trained: Classifier, compute: Compute) -> Detector:
    """The detector of a trained classifier."""
    compute.to_device(trained)
    return lambda pictures: predict(trained, torch.from_numpy(pictures), compute)


def _regression(learnt: Examples, name: str) -> Detector:
    """A logistic regression of a few numbers of the crops."""
    crops = np.concatenate([learnt.crops.arrays[kind].numpy() for kind in ARRAYS])
    progress = Progress(name, len(crops))
    numbers = []
    for picture in crops:
        numbers.append(few_numbers(picture))
        progress.update(len(numbers))
    fitted = cue_regression().fit(np.stack(numbers), np.concatenate(_classes(learnt)))
    return lambda pictures: fitted.predict_log_proba(np.stack([few_numbers(picture) for picture in pictures]))


# ---- what they say of the test pictures


class Shown(NamedTuple):
    """A test picture: its photograph, the crop (S, S, 3) that detectors see, and a label, -1 where there is none: that of the
    photograph, or of an attacked picture its target.
    """

    set: str
    photograph: str
    origin: tuple[int, int]
    attacked: bool
    label: int
    crop: np.ndarray


def _shown(
    spec: DetectStageSpec, file: Attacked, tests: dict[str, Patches], imitations: dict[str, Imitation]
) -> Iterator[Shown]:
    """The test photographs that were attacked, and then their attacked pictures as they are delivered: with the encoder of the
    target, or without one of the camera itself, or of an unknown camera of one that is drawn.
    """

    def show(kind: str, row: int, attacked: bool, label: int, picture: np.ndarray) -> Shown:
        photograph, origin = tests[kind].photograph[row], tuple(tests[kind].origin[row].tolist())
        seed = derive_seed(spec.seed, "test", photograph, *origin)
        return Shown(kind, photograph, origin, attacked, label, random_crop(picture, spec.crop, seed))

    for kind, test in tests.items():
        for row in sorted(set(file.rows[file.sets == kind].tolist())):
            name = test.labels[test.label[row]]
            label = spec.targets.index(name) if name in spec.targets else -1
            yield show(kind, row, False, label, test.arrays["rgb"][row].numpy())
    # the examples are of the first training, whose pictures stand first
    for place in range(int((file.runs == 1).sum())):
        kind, row, aim = file.sets[place], int(file.rows[place]), int(file.aims[place])
        own = tests[kind].labels[tests[kind].label[row]]
        seed = derive_seed(spec.seed, "save", tests[kind].photograph[row], aim)
        others = spec.targets if aim < 0 else (spec.targets[aim],)
        camera = own if own in others else others[seed % len(others)]
        picture = delivered(file.images(place), spec.save, camera, imitations, seed)
        yield show(kind, row, True, aim, picture)


def _score(
    spec: DetectStageSpec,
    detectors: dict[str, Detector],
    file: Attacked,
    tests: dict[str, Patches],
    imitations: dict[str, Imitation],
) -> pd.DataFrame:
    """The table: each detector's answers to each question, picture by picture."""
    sets = [kind for kind in tests if (file.sets == kind).any()]
    total = sum(len(set(file.rows[file.sets == kind].tolist())) for kind in sets) + int((file.runs == 1).sum())
    progress, done, rows = Progress(f"detect {spec.name}", total), 0, []
    shown = _shown(spec, file, tests, imitations)
    while batch := list(islice(shown, BATCH)):
        pictures = np.stack([one.crop for one in batch])
        for name, detector in detectors.items():
            for one, chances in zip(batch, detector(pictures), strict=True):
                rows += [(name, *answer) for answer in _answers(spec, one, chances, sets)]
        done += len(batch)
        progress.update(done)
    table = pd.DataFrame(rows, columns=list(COLUMNS[1:]))
    table.insert(0, "method", spec.name)
    return table


def _answers(spec: DetectStageSpec, one: Shown, chances: np.ndarray, sets: list[str]) -> Iterator[tuple]:
    """What log-probabilities (2 K,) of a picture say to each question: the rows of the table from `question` on."""
    about = (one.photograph, *one.origin)
    true, made = np.split(chances, 2)
    named = spec.targets[one.label] if one.label >= 0 else ""
    attacked = int(one.attacked)
    yield "attacked", one.set, *about, named if one.attacked else "", attacked, logsumexp(made) - logsumexp(true)
    if spec.targeted and one.label >= 0:
        score = made[one.label] - true[one.label]
        for kind in [one.set] if one.attacked else sets:
            yield "target", kind, *about, named, attacked, score
