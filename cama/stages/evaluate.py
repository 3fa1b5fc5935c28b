"""Stage `evaluate`: each attacked photograph, saved and read back, under each target classifier F. One row each.

Columns: method, set, save, classifier, photograph, row, column, source, target, predicted, psnr, ssim. A picture that
serves every target (no target of its own) stands once for each label but its own.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from cama.config import EvaluateStageSpec
from cama.data.patches import Patches
from cama.errors import CamaError
from cama.images import deliver
from cama.models.classifiers import load_classifier
from cama.runs import Progress, write_text
from cama.training.classifier import predict
from cama.training.loop import Compute
from cama.transfer.distortion import psnr, ssim

BATCH = 8


def evaluate(
    spec: EvaluateStageSpec, attacked: Path, inside: Path, outside: Path, classifiers: list[Path], out: Path
) -> None:
    """Score the pictures of `attacked` under the model files `classifiers`, named by their file names."""
    if not attacked.exists():
        raise CamaError(f"{attacked}: no such file of attacked photographs")
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    place = Compute(spec.compute)
    targets_of = {path.stem: load_classifier(path) for path in classifiers}
    models = {name: (place.place(model), labels) for name, (model, labels) in targets_of.items()}
    rows = []
    with h5py.File(attacked) as file:
        targets = json.loads(file.attrs["targets"])
        sets, origins, aims = file["set"].asstr()[:], file["row"][:], file["target"][:]
        progress = Progress(f"evaluate {spec.method}", len(sets))
        for first in range(0, len(sets), BATCH):
            last = min(first + BATCH, len(sets))
            pictures = np.stack([deliver(image, spec.evaluation.save) for image in file["images"][first:last]])
            predictions = {
                name: [labels[i] for i in predict(model, torch.from_numpy(pictures), place).argmax(1)]
                for name, (model, labels) in models.items()
            }
            for index in range(first, last):
                test, row = tests[sets[index]], origins[index]
                source = test.labels[test.label[row]]
                before, after = test.fields["rgb"][row].numpy(), pictures[index - first]
                distortion = (psnr(before, after), ssim(before, after))
                aimed = [targets[aims[index]]] if aims[index] >= 0 else [t for t in targets if t != source]
                place_of = (test.photograph[row], *test.origin[row])
                rows += [
                    (
                        spec.method,
                        sets[index],
                        spec.evaluation.save,
                        name,
                        *place_of,
                        source,
                        target,
                        found[index - first],
                        *distortion,
                    )
                    for name, found in predictions.items()
                    for target in aimed
                ]
            progress.at(last)
    columns = [
        "method",
        "set",
        "save",
        "classifier",
        "photograph",
        "row",
        "column",
        "source",
        "target",
        "predicted",
        "psnr",
        "ssim",
    ]
    write_text(out, pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.5g"))
