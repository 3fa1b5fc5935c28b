"""Stage `evaluate`: each attacked photograph, saved and read back, under each target classifier F. One row each.

Columns: method, run (which training of the generator), set, save, photograph, row and column of the crop, source, psnr,
ssim, ms_ssim, lpips (where the settings name its weights), classifier, labels (how many it knows), known (whether the
source is one of them), predicted, target; and where patches are scored one by one, the shares of them that F took for the
target (patches_targeted) and for another than the source (patches_untargeted). A picture that serves every target (it has
none of its own) stands once for each but its source.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.evaluation.distortion import Lpips, ms_ssim, psnr, ssim
from cama.models.classifiers import load_classifier
from cama.models.fusion import fuse_batch_norms_
from cama.settings.stages import EvaluateStageSpec
from cama.storage.files import write_text
from cama.storage.images import deliver
from cama.training.classifier import predict

BATCH = 8


def evaluate(
    spec: EvaluateStageSpec, attacked: Path, inside: Path, outside: Path, classifiers: list[Path], out: Path
) -> None:
    """Score the pictures of `attacked` under the model files `classifiers`, named by their file names."""
    rows: list[dict[str, Any]] = []
    chosen = spec.evaluation
    measures = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}
    measures |= {"lpips": Lpips(Path(chosen.lpips), chosen.lpips_sha256)} if chosen.lpips else {}
    with open_attacked(attacked) as file:
        tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
        compute = Compute(spec.compute)
        models = {path.stem: load_classifier(path) for path in classifiers}
        for classifier, _ in models.values():
            compute.to_device(fuse_batch_norms_(classifier))
        progress = Progress(f"evaluate {spec.name}", len(file))
        for first in range(0, len(file), BATCH):
            last = min(first + BATCH, len(file))
            stored = file.images(slice(first, last))
            for save in chosen.saves:
                pictures = np.stack([deliver(image, save) for image in stored])
                verdicts = _verdicts(models, pictures, compute, spec)
                for index, picture in enumerate(pictures):
                    at = first + index
                    test, origin, aim = tests[file.sets[at]], file.rows[at], file.aims[at]
                    source, before = test.labels[test.label[origin]], test.arrays["rgb"][origin].numpy()
                    row, column = test.origin[origin]
                    shared = {
                        "method": spec.name,
                        "run": file.runs[at],
                        "set": file.sets[at],
                        "save": save,
                        "photograph": test.photograph[origin],
                        "row": row,
                        "column": column,
                        "source": source,
                        **{name: measure(before, picture) for name, measure in measures.items()},
                    }
                    aimed = [file.targets[aim]] if aim >= 0 else [t for t in file.targets if t != source]
                    for name, (_, labels) in models.items():
                        whole, parts = verdicts[name]
                        found = {
                            "classifier": name,
                            "labels": len(labels),
                            "known": source in labels,
                            "predicted": labels[whole[index]],
                        }
                        for target in aimed:
                            rows.append(
                                {**shared, **found, "target": target, **_shares(parts, index, labels, source, target)}
                            )
            progress.update(last)
    write_text(out, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g"))


Verdicts = tuple[np.ndarray, np.ndarray | None]


def _verdicts(models: dict, pictures: np.ndarray, compute: Compute, spec: EvaluateStageSpec) -> dict[str, Verdicts]:
    """For each F its labels of the pictures (N,), and of their patches (N, P) where those are scored too."""
    whole = torch.from_numpy(pictures)
    patches = None
    if spec.evaluation.patches:
        n, side, size = len(pictures), pictures.shape[1] // spec.size, spec.size
        if pictures.shape[1] % size:
            raise CamaError(f"patches.size: found {size}, expected a divisor of the crop of {pictures.shape[1]} pixels")
        patches = whole.reshape(n, side, size, side, size, 3).transpose(2, 3).reshape(-1, size, size, 3)
    found = {}
    for name, (model, _) in models.items():
        parts = (
            predict(model, patches, compute, 64).argmax(1).reshape(len(pictures), -1) if patches is not None else None
        )
        found[name] = predict(model, whole, compute).argmax(1), parts
    return found


def _shares(
    parts: np.ndarray | None, index: int, labels: tuple[str, ...], source: str, target: str
) -> dict[str, float]:
    if parts is None:
        return {}
    names = np.array(labels)[parts[index]]
    untargeted = float(np.mean(names != source)) if source in labels else float("nan")
    return {"patches_targeted": float(np.mean(names == target)), "patches_untargeted": untargeted}
