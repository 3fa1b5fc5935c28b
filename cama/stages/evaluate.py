"""Stage `evaluate`: each attacked photograph, saved and read back, under each target classifier F. One row each.

Columns: method, set, save, photograph, row and column of the crop, source, psnr, ssim, classifier, labels (how many it
knows), target, predicted. A picture that serves every target (it has none of its own) stands once for each but its source.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cama.config import EvaluateStageSpec
from cama.data.patches import Patches
from cama.files import open_hdf5, write_text
from cama.images import deliver
from cama.models.classifiers import load_classifier
from cama.progress import Progress
from cama.training.classifier import predict
from cama.training.loop import Compute
from cama.transfer.distortion import psnr, ssim

BATCH = 8


def evaluate(
    spec: EvaluateStageSpec, attacked: Path, inside: Path, outside: Path, classifiers: list[Path], out: Path
) -> None:
    """Score the pictures of `attacked` under the model files `classifiers`, named by their file names."""
    rows = []
    with open_hdf5(attacked, "images", "set", "row", "target") as file:
        tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
        place = Compute(spec.compute)
        models = {path.stem: load_classifier(path) for path in classifiers}
        for classifier, _ in models.values():
            place.place(classifier)
        targets = json.loads(file.attrs["targets"])
        sets, origins, aims = file["set"].asstr()[:], file["row"][:], file["target"][:]
        progress = Progress(f"evaluate {spec.method}", len(sets))
        for first in range(0, len(sets), BATCH):
            last = min(first + BATCH, len(sets))
            pictures = np.stack([deliver(image, spec.evaluation.save) for image in file["images"][first:last]])
            batch = torch.from_numpy(pictures)
            found = {name: predict(model, batch, place).argmax(1) for name, (model, _) in models.items()}
            for index, picture in zip(range(first, last), pictures, strict=True):
                test, origin = tests[sets[index]], origins[index]
                source, before = test.labels[test.label[origin]], test.fields["rgb"][origin].numpy()
                row, column = test.origin[origin]
                shared = {
                    "method": spec.method,
                    "set": sets[index],
                    "save": spec.evaluation.save,
                    "photograph": test.photograph[origin],
                    "row": row,
                    "column": column,
                    "source": source,
                    "psnr": psnr(before, picture),
                    "ssim": ssim(before, picture),
                }
                aimed = [targets[aims[index]]] if aims[index] >= 0 else [t for t in targets if t != source]
                rows += [
                    {
                        **shared,
                        "classifier": name,
                        "labels": len(labels),
                        "target": target,
                        "predicted": labels[found[name][index - first]],
                    }
                    for name, (_, labels) in models.items()
                    for target in aimed
                ]
            progress.at(last)
    write_text(out, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g"))
