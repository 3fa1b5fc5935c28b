"""Stage `detect`: can the attack itself be seen? A detector is trained on the adversary's patches, untouched and attacked, and
scores the test pictures.

Columns: method, set, photograph, row and column of the crop, target, attacked (0 or 1), score (log odds that it is attacked).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cama.attacks.build import build_attack
from cama.attacks.classical import Attack
from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.arrays import take
from cama.data.attacked import Attacked, open_attacked
from cama.data.patches import Patches, join
from cama.models.classifiers import Classifier
from cama.settings.stages import DetectStageSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training.classifier import predict, train_classifier

LABELS = ("untouched", "attacked")
BATCH = 8


def detect(
    spec: DetectStageSpec,
    patches: Path,
    inside: Path,
    outside: Path,
    attacked: Path,
    model: Path | None,
    evaluators: list[Path] | None,
    curve: Path,
    state: Path,
    out: Path,
) -> Checkpoint:
    """Write the scores of the test crops of `inside` and `outside`, and of their pictures in `attacked`; gives the state, to be
    cleared.

    `model`, `evaluators`: what the attack needs, as in the stage `attack`; its bound is that of `attacked`.
    """
    files = [path for path in (patches, attacked, model, *(evaluators or [])) if path is not None]
    processes.start(1, spec.compute.device)
    checkpoint, _ = begin("detect", spec, state, *files)
    with open_attacked(attacked) as file:
        apply = build_attack(spec.method, spec.targets, spec.compute, spec.seed, model, evaluators, file.bound)
        pairs = _pairs(spec, Patches.read(patches, "rgb", memory=free_memory() // 2), apply)
        detector, history = train_classifier(
            f"detector of {spec.name}", pairs, spec.detector, None, Compute(spec.compute), spec.seed, checkpoint
        )
        rows = _score(spec, file, {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}, detector)
    write_text(curve, history.to_csv(index=False))
    write_text(out, rows.to_csv(index=False, float_format="%.5g"))
    return checkpoint


def _pairs(spec: DetectStageSpec, patches: Patches, apply: Attack) -> Patches:
    """Some training patches, untouched and attacked towards another label, as two classes."""
    rng = np.random.default_rng(derive_seed(spec.seed, "pairs"))
    training = np.flatnonzero(~patches.validation.astype(bool))
    chosen = rng.permutation(training)[: spec.patches]
    source = patches.label[chosen]
    target = (source + rng.integers(1, len(patches.labels), len(chosen))) % len(patches.labels)
    images = take(patches.arrays["rgb"], chosen)
    progress = Progress(f"pairs of {spec.name}", len(images))
    changed = []
    for first in range(0, len(images), 64):
        part = slice(first, first + 64)
        changed.append(apply(images[part], source[part], target[part]))
        progress.update(min(first + 64, len(images)))
    halves = [
        Patches(
            {"rgb": torch.from_numpy(fields)},
            np.zeros(len(chosen), int),
            np.zeros(len(chosen), bool),
            patches.photograph[chosen],
            patches.scene[chosen],
            patches.origin[chosen],
            patches.device[chosen],
            (label,),
        )
        for label, fields in zip(LABELS, (images, np.concatenate(changed)), strict=True)
    ]
    return join(halves)


def _score(spec: DetectStageSpec, file: Attacked, tests: dict[str, Patches], detector: Classifier) -> pd.DataFrame:
    compute = Compute(spec.compute)
    compute.to_device(detector)

    def odds(pictures: np.ndarray) -> np.ndarray:
        untouched, attacked = predict(detector, torch.from_numpy(pictures), compute).T
        return attacked - untouched

    found = []
    for kind, test in tests.items():
        seen = sorted(set(file.rows[file.sets == kind].tolist()))
        for row, score in zip(seen, odds(test.arrays["rgb"][seen].numpy()), strict=True):
            found.append((kind, test.photograph[row], *test.origin[row], "", 0, score))
    count = int((file.runs == 1).sum())  # the detector is of the first training, whose pictures stand first
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count)
        for at, score in zip(range(first, last), odds(file.images(slice(first, last))), strict=True):
            test, row, aim = tests[file.sets[at]], file.rows[at], file.aims[at]
            target = spec.targets[aim] if aim >= 0 else ""
            found.append((file.sets[at], test.photograph[row], *test.origin[row], target, 1, score))
    columns = ["set", "photograph", "row", "column", "target", "attacked", "score"]
    return pd.DataFrame(found, columns=columns).assign(method=spec.name)[["method", *columns]]
