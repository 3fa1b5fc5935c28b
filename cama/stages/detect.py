"""Stage `detect`: can the attack itself be detected? A detector is trained on the adversary's patches, untouched and attacked,
and scores the test pictures.

Columns: method, set, photograph, row and column of the crop, target, attacked (0 or 1), score (log odds that it is attacked).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cama.attacks.classical import Attack
from cama.attacks.factory import build_attack
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
BATCH = 8  # whole pictures
PATCH_BATCH = 64


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
    """Write the scores of the test crops of `inside` and `outside`, and of their pictures in `attacked`. Returns the state of
    the training, which the caller marks as finished.

    `model`, `evaluators`: what the attack needs, as in the stage `attack`; its bound is that of `attacked`.
    """
    files = [path for path in (patches, attacked, model, *(evaluators or [])) if path is not None]
    processes.start(1, spec.compute.device)
    checkpoint, _ = begin("detect", spec, state, *files)
    with open_attacked(attacked) as file:
        apply = build_attack(spec.method, spec.targets, spec.compute, spec.seed, model, evaluators, file.bound, patches)
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
    untouched = take(patches.arrays["rgb"], chosen)
    progress = Progress(f"pairs of {spec.name}", len(untouched))
    attacked = []
    for first in range(0, len(untouched), PATCH_BATCH):
        part = slice(first, first + PATCH_BATCH)
        attacked.append(apply(untouched[part], source[part], target[part]))
        progress.update(min(part.stop, len(untouched)))
    images = zip(LABELS, (untouched, np.concatenate(attacked)), strict=True)
    return join([_of_one_class(patches, chosen, pictures, label) for label, pictures in images])


def _of_one_class(patches: Patches, chosen: np.ndarray, pictures: np.ndarray, label: str) -> Patches:
    """The chosen rows of `patches` with other pictures (N, S, S, 3) and one label, all for training."""
    return Patches(
        arrays={"rgb": torch.from_numpy(pictures)},
        label=np.zeros(len(chosen), int),
        validation=np.zeros(len(chosen), bool),
        photograph=patches.photograph[chosen],
        scene=patches.scene[chosen],
        origin=patches.origin[chosen],
        device=patches.device[chosen],
        labels=(label,),
    )


def _score(spec: DetectStageSpec, file: Attacked, tests: dict[str, Patches], detector: Classifier) -> pd.DataFrame:
    """The detector's scores of the test crops that were attacked, and then of their attacked pictures."""
    compute = Compute(spec.compute)
    compute.to_device(detector)
    rows = []
    for kind, test in tests.items():
        origins = sorted(set(file.rows[file.sets == kind].tolist()))
        scores = _log_odds(detector, test.arrays["rgb"][origins].numpy(), compute)
        for origin, score in zip(origins, scores, strict=True):
            rows.append((kind, test.photograph[origin], *test.origin[origin], "", 0, score))
    count = int((file.runs == 1).sum())  # the detector is of the first training, whose pictures stand first
    for first in range(0, count, BATCH):
        batch = range(first, min(first + BATCH, count))
        scores = _log_odds(detector, file.images(slice(batch.start, batch.stop)), compute)
        for place, score in zip(batch, scores, strict=True):
            kind, origin, aim = file.sets[place], file.rows[place], file.aims[place]
            target = spec.targets[aim] if aim >= 0 else ""
            rows.append((kind, tests[kind].photograph[origin], *tests[kind].origin[origin], target, 1, score))
    columns = ["set", "photograph", "row", "column", "target", "attacked", "score"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "method", spec.name)
    return table


def _log_odds(detector: Classifier, pictures: np.ndarray, compute: Compute) -> np.ndarray:
    """The log odds (N,) that pictures (N, H, W, 3) are attacked."""
    untouched, attacked = predict(detector, torch.from_numpy(pictures), compute).T
    return attacked - untouched
