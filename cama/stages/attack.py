"""Stage `attack`: one method on the test photographs, in- and out-of-distribution.

Output: HDF5 with `images` (T, H, W, 3) uint8, one image a chunk, and for each `set` (in, out), `row` (of the patch file of
that set) and `target` (label, -1 where the method has no target: the one picture then serves every target).
"""

import json
from pathlib import Path

import h5py
import numpy as np

from cama.attacks.classical import classical_attack
from cama.attacks.learned import learned_attack
from cama.attacks.oracle import oracle_pictures
from cama.config import AttackStageSpec
from cama.data.patches import Patches
from cama.errors import CamaError
from cama.files import atomic
from cama.progress import Progress

TARGETED = ("cama", "oracle")


def attack(
    spec: AttackStageSpec, inside: Path, outside: Path, model: Path | None, oracle: Path | None, out: Path
) -> None:
    """Attack the crops of the test roles `inside` and `outside` towards every other label of `targets`."""
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    jobs = [(kind, row, target) for kind, test in tests.items() for row, target in _pairs(test, spec)]
    if spec.method not in TARGETED:
        apply = classical_attack(spec.method, spec.strength)
    elif spec.method == "cama":
        if model is None:
            raise CamaError("--model: found none, expected the model file of cama")
        apply, labels = learned_attack(model, spec.compute)
        if labels != spec.targets:
            raise CamaError(f"{model}: found the labels {list(labels)}, expected {list(spec.targets)}")
    elif oracle is None:
        raise CamaError("--oracle: found none, expected the folder of the oracle's pictures")
    progress = Progress(f"attack {spec.method}", len(jobs))
    with atomic(out) as temporary, h5py.File(temporary, "w") as file:
        shape = tests["in"].fields["rgb"].shape[1:]
        images = file.create_dataset("images", (len(jobs), *shape), np.uint8, chunks=(1, *shape))
        for index, (kind, row, target) in enumerate(jobs):
            test = tests[kind]
            if spec.method == "oracle":
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


def _pairs(test: Patches, spec: AttackStageSpec) -> list[tuple[int, int]]:
    """Rows of a test and the label that each is attacked towards: every one but its own, -1 for methods without."""
    if spec.method not in TARGETED:
        return [(row, -1) for row in range(len(test.label))]
    return [
        (row, target)
        for row, label in enumerate(test.label)
        for target, name in enumerate(spec.targets)
        if test.labels[label] != name
    ]
