"""Stage `attack`: one method on the test photographs, in- and out-of-distribution.

Output: HDF5 with `images` (T, H, W, 3) uint8, one image a chunk, and for each `set` (in, out), `row` (of the patch file of
that set) and `target` (label, -1 where the method has no target: the one picture then serves every target); the attribute
`bound` of a gradient attack, in grey levels.
"""

import json
from pathlib import Path

import h5py
import numpy as np

from cama.attacks.build import build_attack, matching_bound
from cama.attacks.oracle import oracle_pictures
from cama.data.patches import Patches
from cama.errors import CamaError
from cama.files import atomic, open_hdf5
from cama.progress import Progress
from cama.settings.stages import AttackStageSpec
from cama.transfer.distortion import psnr

CALIBRATION = 8  # attacked pictures on which a gradient attack's bound is set


def attack(
    spec: AttackStageSpec,
    inside: Path,
    outside: Path,
    model: Path | None,
    evaluators: list[Path] | None,
    match: Path | None,
    oracle: Path | None,
    out: Path,
) -> None:
    """Attack the crops of the test roles `inside` and `outside` towards every other label of `targets`.

    `model`: a generator's file; `evaluators`, `match`: E's classifiers and the attacked pictures whose PSNR is matched.
    """
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    jobs = [(kind, row, target) for kind, test in tests.items() for row, target in _pairs(test, spec)]
    bound, apply = 0.0, None
    if spec.method.gradient:
        bound = _bound(spec, evaluators or [], match, tests, jobs)
    if spec.method.kind != "oracle":
        apply = build_attack(spec.method, spec.targets, spec.compute, spec.seed, model, evaluators, bound)
    elif oracle is None:
        raise CamaError("--oracle: found none, expected the folder of the oracle's pictures")
    progress = Progress(f"attack {spec.name}", len(jobs))
    with atomic(out) as temporary, h5py.File(temporary, "w") as file:
        shape = tests["in"].fields["rgb"].shape[1:]
        images = file.create_dataset("images", (len(jobs), *shape), np.uint8, chunks=(1, *shape))
        for index, (kind, row, target) in enumerate(jobs):
            test = tests[kind]
            if apply is None:
                photographs, origins = [test.photograph[row]], test.origin[row : row + 1]
                images[index] = oracle_pictures(oracle, photographs, origins, [spec.targets[target]], shape[0])[0]
            else:
                crop = test.fields["rgb"][row : row + 1].numpy()
                images[index] = apply(crop, test.label[row : row + 1], np.array([target]))[0]
            progress.at(index + 1)
        file["set"] = np.array([job[0] for job in jobs], dtype=h5py.string_dtype())
        file["row"] = np.array([job[1] for job in jobs])
        file["target"] = np.array([job[2] for job in jobs])
        file.attrs["targets"] = json.dumps(spec.targets)
        file.attrs["bound"] = bound


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
    jobs: list[tuple[str, int, int]],
) -> float:
    """The bound at which a gradient attack's mean PSNR is that of the pictures `match`."""
    if match is None:
        raise CamaError("--match: found none, expected a method's attacked pictures")
    chosen = [jobs[place] for place in np.linspace(0, len(jobs) - 1, min(CALIBRATION, len(jobs))).astype(int)]
    crops = np.stack([tests[kind].fields["rgb"][row].numpy() for kind, row, _ in chosen])
    aims = np.array([target for *_, target in chosen])
    level = _psnr_of(match, tests)
    bound = matching_bound(spec.method, spec.targets, spec.compute, spec.seed, evaluators, level, crops, aims)
    print(f"attack {spec.name}: at most {bound:.2f} grey levels in every pixel, for {level:.1f} dB", flush=True)
    return bound


def _psnr_of(match: Path, tests: dict[str, Patches]) -> float:
    """The mean PSNR of attacked pictures, unchanged ones left out."""
    with open_hdf5(match, "images", "set", "row") as file:
        pairs = zip(file["set"].asstr()[:], file["row"][:], strict=True)
        found = np.array(
            [psnr(tests[kind].fields["rgb"][row].numpy(), file["images"][at]) for at, (kind, row) in enumerate(pairs)]
        )
    return float(found[np.isfinite(found)].mean())
