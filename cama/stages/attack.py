"""Stage `attack`: one method on the test photographs, in- and out-of-distribution."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from cama.attacks.classical import Attack
from cama.attacks.factory import build_attack, matching_bound
from cama.attacks.oracle import oracle_pictures
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import Pair, open_attacked, write_attacked
from cama.data.patches import Patches
from cama.settings.stages import AttackStageSpec

CALIBRATION = 8  # attacked pictures on which a gradient attack's bound is set


def attack(
    spec: AttackStageSpec,
    inside: Path,
    outside: Path,
    model: list[Path] | None,
    evaluators: list[Path] | None,
    match: Path | None,
    oracle: Path | None,
    patches: Path | None,
    out: Path,
) -> None:
    """Attack the crops of the test roles `inside` and `outside` towards every other label of `targets`.

    `model`: files of a generator, one a training, or of the denoiser; `evaluators`, `match`: E's classifiers and the attacked
    pictures whose PSNR is matched; `patches`: those of the adversary, from which `spectrum` is made.
    """
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    pairs = [(kind, row, target) for kind, test in tests.items() for row, target in _pairs(test, spec)]
    if spec.method.kind == "oracle" and oracle is None:
        raise CamaError("--oracle: found none, expected the folder of the oracle's pictures")
    bound = _bound(spec, evaluators or [], match, tests, pairs) if spec.method.match_psnr_of else 0.0
    trainings = model or [None]
    progress = Progress(f"attack {spec.name}", len(trainings) * len(pairs))

    def pictures() -> Iterator[np.ndarray]:
        for path in trainings:
            if spec.method.kind == "oracle":
                picture = partial(_oracle_picture, oracle, spec.targets)
            else:
                apply = build_attack(
                    spec.method, spec.targets, spec.compute, spec.seed, path, evaluators, bound, patches
                )
                picture = partial(_attacked, apply, spec.targets)
            for kind, row, target in pairs:
                yield picture(tests[kind], row, target)

    write_attacked(out, pairs, len(trainings), pictures(), spec.targets, bound, progress.update)


def _oracle_picture(oracle: Path, targets: tuple[str, ...], test: Patches, row: int, target: int) -> np.ndarray:
    """The target camera's picture of the scene of a test crop."""
    crop = test.arrays["rgb"].shape[1]
    return oracle_pictures(oracle, [test.photograph[row]], test.origin[row : row + 1], [targets[target]], crop)[0]


def _attacked(apply: Attack, targets: tuple[str, ...], test: Patches, row: int, target: int) -> np.ndarray:
    """The attacked picture of a test crop."""
    name = test.labels[test.label[row]]
    source = targets.index(name) if name in targets else -1
    return apply(test.arrays["rgb"][row : row + 1].numpy(), np.array([source]), np.array([target]))[0]


def _pairs(test: Patches, spec: AttackStageSpec) -> list[tuple[int, int]]:
    """Rows of a test and the label that each is attacked towards: every one but its own, -1 for methods without."""
    most = spec.photographs or len(test.label)
    first = {
        name
        for label in np.unique(test.label)
        for name in list(dict.fromkeys(test.photograph[test.label == label]))[:most]
    }
    rows = [row for row, name in enumerate(test.photograph) if name in first]
    if not spec.method.targeted:
        return [(row, -1) for row in rows]
    return [
        (row, target)
        for row in rows
        for target, name in enumerate(spec.targets)
        if test.labels[test.label[row]] != name
    ]


def _bound(
    spec: AttackStageSpec,
    evaluators: list[Path],
    match: Path | None,
    tests: dict[str, Patches],
    jobs: list[Pair],
) -> float:
    """The bound at which a gradient attack's mean PSNR is that of the pictures `match`."""
    if match is None:
        raise CamaError("--match: found none, expected a method's attacked pictures")
    chosen = [jobs[place] for place in np.linspace(0, len(jobs) - 1, min(CALIBRATION, len(jobs))).astype(int)]
    crops = np.stack([tests[kind].arrays["rgb"][row].numpy() for kind, row, _ in chosen])
    aims = np.array([target for *_, target in chosen])
    level = _psnr_of(match, tests, set(jobs))
    bound = matching_bound(spec.method, spec.targets, spec.compute, spec.seed, evaluators, level, crops, aims)
    print(f"attack {spec.name}: a bound of {bound:.2f} grey levels, for {level:.1f} dB", flush=True)
    return bound


def _psnr_of(match: Path, tests: dict[str, Patches], jobs: set[Pair]) -> float:
    """The mean PSNR of another method's pictures of the same photographs and targets, by the first training."""
    shared = {(kind, row, -1) for kind, row, _ in jobs} | jobs
    with open_attacked(match) as file:
        sets, rows = file.sets, file.rows
        places = zip(sets, rows.tolist(), file.aims.tolist(), strict=True)
        chosen = [index for index, place in enumerate(places) if place in shared and file.runs[index] == 1]
        levels = np.array([psnr(tests[sets[i]].arrays["rgb"][rows[i]].numpy(), file.images(i)) for i in chosen])
    if not np.isfinite(levels).any():
        raise CamaError(
            f"{match}: found no changed picture of these photographs, expected some whose PSNR can be matched"
        )
    return float(levels[np.isfinite(levels)].mean())
