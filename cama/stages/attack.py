"""Stage `attack`: one method on the test photographs, in- and out-of-distribution."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cama.attacks.auto import CROPS, choose_target, evenly, spread_crops
from cama.attacks.classical import Attack
from cama.attacks.factory import build_attack
from cama.attacks.oracle import oracle_pictures
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import Pair, write_attacked
from cama.data.foreign import read_foreign
from cama.data.patches import Patches
from cama.models.classifiers import Classifier, load_predictor
from cama.settings.stages import AttackStageSpec
from cama.training.classifier import predict


def attack(
    spec: AttackStageSpec,
    inside: Path,
    outside: Path,
    model: list[Path] | None,
    evaluators: list[Path] | None,
    judges: list[Path] | None,
    oracle: Path | None,
    patches: Path | None,
    out: Path,
) -> None:
    """Attack the crops of the test roles `inside` and `outside` towards every other label of `targets`, or one that is chosen.

    `model`: files of a generator, one a training, or of the denoiser; `evaluators`: E's classifiers; `judges`: those that
    choose the target for each camera model, where the method leaves it to them; `patches`: those of the adversary, from which
    `spectrum` is made.
    """
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    if spec.method.kind == "folder":
        _write_foreign(spec, tests, out)
        return
    pairs = [(kind, row, target) for kind, test in tests.items() for row, target in _pairs(test, spec)]
    choose = _chooser(judges, spec) if spec.method.auto else None
    if spec.method.kind == "oracle" and oracle is None:
        raise CamaError("--oracle: found none, expected the folder of the oracle's pictures")
    trainings = model or [None]
    progress = Progress(f"attack {spec.name}", len(trainings) * len(pairs))

    def attacked() -> Iterator[tuple[int, Pair, np.ndarray]]:
        for run, path in enumerate(trainings, start=1):
            if spec.method.kind == "oracle":
                picture = partial(_oracle_picture, oracle, spec.targets)
            else:
                apply = build_attack(spec.method, spec.targets, spec.compute, spec.seed, path, evaluators, patches)
                picture = partial(_attacked, apply, spec.targets)
            aimed = _chosen(pairs, tests, partial(choose, apply)) if choose else pairs
            for kind, row, target in aimed:
                yield run, (kind, row, target), picture(tests[kind], row, target)

    write_attacked(out, len(trainings) * len(pairs), attacked(), spec.targets, progress.update)


def _write_foreign(spec: AttackStageSpec, tests: dict[str, Patches], out: Path) -> None:
    """Write the pictures of a folder that another program attacked."""
    pairs, pictures = read_foreign(Path(spec.method.folder), tests, spec.targets)
    attacked = ((1, pair, picture) for pair, picture in zip(pairs, pictures, strict=True))
    write_attacked(out, len(pairs), attacked, spec.targets, Progress(f"attack {spec.name}", len(pairs)).update)


def _chooser(judges: list[Path] | None, spec: AttackStageSpec) -> Callable[[Attack, Patches, list[int]], int]:
    """What chooses the target of the test crops in some rows, all of one camera model, under an attack."""
    compute = Compute(spec.compute)
    loaded = [load_predictor(path, compute) for path in judges or []]
    if not loaded or any(labels != spec.targets for _, labels in loaded):
        raise CamaError(
            f"--judges: found {[list(labels) for _, labels in loaded]}, expected some for {list(spec.targets)}"
        )
    networks = [partial(_judged, judge, compute) for judge, _ in loaded]

    def choose(apply: Attack, test: Patches, rows: list[int]) -> int:
        def change(picture: np.ndarray, label: int) -> np.ndarray:
            return apply(picture[None], np.array([-1]), np.array([label]))[0]

        shown = evenly(rows, CROPS)
        crops = [spread_crops(test.arrays["rgb"][row].numpy(), CROPS // len(shown)) for row in shown]
        source = _source(spec.targets, test, rows[0])
        return choose_target(crops, change, networks, len(spec.targets), None if source < 0 else source).target

    return choose


def _judged(judge: Classifier, compute: Compute, crops: np.ndarray) -> np.ndarray:
    return predict(judge, torch.from_numpy(np.ascontiguousarray(crops)), compute)


def _chosen(pairs: list[Pair], tests: dict[str, Patches], choose: Callable[[Patches, list[int]], int]) -> list[Pair]:
    """The pairs with one target for all rows of a camera model, as `cama anonymize --to auto` has one a source camera."""
    targets = {}
    for kind, label in {(kind, int(tests[kind].label[row])) for kind, row, _ in pairs}:
        rows = [row for one, row, _ in pairs if one == kind and tests[kind].label[row] == label]
        targets[kind, label] = choose(tests[kind], rows)
    return [(kind, row, targets[kind, int(tests[kind].label[row])]) for kind, row, _ in pairs]


def _oracle_picture(oracle: Path, targets: tuple[str, ...], test: Patches, row: int, target: int) -> np.ndarray:
    """The target camera's picture of the scene of a test crop."""
    crop = test.arrays["rgb"].shape[1]
    return oracle_pictures(oracle, [test.photograph[row]], test.origin[row : row + 1], [targets[target]], crop)[0]


def _attacked(apply: Attack, targets: tuple[str, ...], test: Patches, row: int, target: int) -> np.ndarray:
    """The attacked picture of a test crop."""
    source = _source(targets, test, row)
    return apply(test.arrays["rgb"][row : row + 1].numpy(), np.array([source]), np.array([target]))[0]


def _source(targets: tuple[str, ...], test: Patches, row: int) -> int:
    """The number of a test crop's own label among the targets; -1 where it is none."""
    name = test.labels[test.label[row]]
    return targets.index(name) if name in targets else -1


def _pairs(test: Patches, spec: AttackStageSpec) -> list[tuple[int, int]]:
    """Rows of a test and the label that each is attacked towards: every one but its own; -1 for methods without, and
    where it is chosen.
    """
    most = spec.photographs or len(test.label)
    chosen = {name for label in np.unique(test.label) for name in _in_turn(test, label)[:most]}
    rows = [row for row, name in enumerate(test.photograph) if name in chosen]
    if not spec.method.targeted or spec.method.auto:
        return [(row, -1) for row in rows]
    return [
        (row, target)
        for row in rows
        for target, name in enumerate(spec.targets)
        if test.labels[test.label[row]] != name
    ]


def _in_turn(test: Patches, label: int) -> list[str]:
    """The photographs of a label, one of each device in turn."""
    photographs = pd.DataFrame({"name": test.photograph, "device": test.device})[test.label == label].drop_duplicates()
    return (
        photographs.assign(turn=photographs.groupby("device").cumcount()).sort_values(["turn", "device"]).name.tolist()
    )
