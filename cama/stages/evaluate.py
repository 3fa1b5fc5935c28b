"""Stage `evaluate`: each attacked photograph, saved and read back, under each target classifier F. One row each.

Columns: method, run (which training of the generator), set, save, photograph, row and column of the crop, source, psnr,
ssim, ms_ssim, area_shift, lpips (where the settings name its weights), classifier, role (what it is to the adversary), labels
(how many it knows), known (whether the source is one of them), predicted, target; and where patches are scored one by one, the
shares of them that F took for the target (patches_targeted) and for another than the source (patches_untargeted). A
picture that serves every target (it has none of its own) stands once for each but its source.

Under the save `target` each target has a file of its own: the picture as that camera would write it, with tables drawn by
photograph and target, the same for all methods. The oracle's pictures are that camera's own files, and not encoded again.
After `upload` a picture is compared with the untouched one at the same size.

Of a picture that is larger than F's crop, F sees, and the distortion is of, a crop of the decoded file at a random place, the
same for all methods; row and column are then those of the picture that was attacked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cama.compute.device import Compute
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.attacked import Attacked, open_attacked
from cama.data.patches import Patches
from cama.data.windows import random_crop
from cama.evaluation.delivery import Delivered, deliver
from cama.evaluation.distortion import Lpips, area_shift, ms_ssim, ssim
from cama.evaluation.saves import scaled
from cama.models.classifiers import Classifier, load_predictor
from cama.photo.encoders import target_encoders
from cama.settings.stages import EvaluateStageSpec
from cama.storage.files import write_text
from cama.training.classifier import predict

BATCH = 8
PATCH_BATCH = 64
Measures = dict[str, Callable[[np.ndarray, np.ndarray], float]]


@dataclass(frozen=True)
class Predictions:
    """What one F, of this name, predicts: the labels of pictures (N,), and of their patches (N, P) where those are scored."""

    classifier: str
    labels: tuple[str, ...]
    pictures: np.ndarray
    patches: np.ndarray | None


def evaluate(
    spec: EvaluateStageSpec,
    attacked: Path,
    inside: Path,
    outside: Path,
    profiles: Path | None,
    classifiers: list[Path],
    out: Path,
) -> None:
    """Score the pictures of `attacked` under the model files `classifiers`, named by their file names. The save `target` needs
    the folder `profiles`.
    """
    measures = _measures(spec)
    rows: list[pd.DataFrame] = []
    with open_attacked(attacked) as file:
        _check_roles(spec, classifiers)
        tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
        imitations = target_encoders(spec.evaluation.saves, profiles, file.targets)
        compute = Compute(spec.compute)
        models = {path.stem: load_predictor(path, compute) for path in classifiers}
        progress = Progress(f"evaluate {spec.name}", len(file))
        for first in range(0, len(file), BATCH):
            last = min(first + BATCH, len(file))
            unchanged: pd.DataFrame | None = None
            for save in spec.evaluation.saves:
                # of one picture that two saves leave as it is, the rows differ in the name of the save alone
                leaves = save == "png" or (save == "target" and spec.oracle)
                if leaves and unchanged is not None:
                    rows.append(unchanged.assign(save=save))
                    continue
                batch: list[dict[str, Any]] = []
                places = range(first, last)
                delivered = list(deliver(file, places, tests, save, imitations, spec.oracle, spec.seed))
                crops = [_crop_of(spec, file, tests, one) for one in delivered]
                predictions = _predict(models, np.stack(crops), compute, spec)
                for index, (one, crop) in enumerate(zip(delivered, crops, strict=True)):
                    shared = _about(spec, file, one.place, tests[file.sets[one.place]], save, crop, measures)
                    batch += _rows(spec, shared, one.targets, predictions, index)
                rows.append(pd.DataFrame(batch))
                unchanged = rows[-1] if leaves else unchanged
            progress.update(last)
    write_text(out, pd.concat(rows).to_csv(index=False, float_format="%.5g"))


def _check_roles(spec: EvaluateStageSpec, classifiers: list[Path]) -> None:
    """Refuse a classifier whose role the spec does not say."""
    for path in classifiers:
        if path.stem not in spec.roles:
            raise CamaError(f"--spec: roles: found none of {path.stem!r}, expected one for each of --classifiers")


def _measures(spec: EvaluateStageSpec) -> Measures:
    """The measures of distortion, by the name of their column."""
    measures: Measures = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim, "area_shift": area_shift}
    if spec.evaluation.lpips:
        measures["lpips"] = Lpips(Path(spec.evaluation.lpips), spec.evaluation.lpips_sha256)
    return measures


def _crop_of(spec: EvaluateStageSpec, file: Attacked, tests: dict[str, Patches], one: Delivered) -> np.ndarray:
    """What F sees of a delivered picture."""
    return _crop(spec, tests[file.sets[one.place]], file.rows[one.place], one.picture)


def _crop(spec: EvaluateStageSpec, test: Patches, row: int, picture: np.ndarray) -> np.ndarray:
    """What F sees of the picture of a test row: a crop at a random place, by the photograph alone."""
    return random_crop(picture, spec.crop, derive_seed(spec.seed, "crop", test.photograph[row], *test.origin[row]))


def _predict(
    models: dict[str, tuple[Classifier, tuple[str, ...]]],
    pictures: np.ndarray,
    compute: Compute,
    spec: EvaluateStageSpec,
) -> list[Predictions]:
    """What each F predicts for pictures (N, H, W, 3), and where the settings ask for it, for their patches."""
    whole = torch.from_numpy(pictures)
    patches = _cut(whole, spec.size) if spec.evaluation.patches else None
    predictions = []
    for name, (model, labels) in models.items():
        names = np.array(labels)
        of_pictures = names[predict(model, whole, compute).argmax(1)]
        of_patches = None
        if patches is not None:
            of_patches = names[predict(model, patches, compute, PATCH_BATCH).argmax(1)].reshape(len(pictures), -1)
        predictions.append(Predictions(name, labels, of_pictures, of_patches))
    return predictions


def _cut(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """The patches (N * P, size, size, 3) of pictures (N, H, H, 3); what is left beside whole ones is left out."""
    count = pictures.shape[1] // size
    if not count:
        raise CamaError(f"patches.size: found {size}, expected at most the {pictures.shape[1]} pixels of a saved crop")
    whole = pictures[:, : count * size, : count * size]
    blocks = whole.reshape(len(pictures), count, size, count, size, 3)
    return blocks.transpose(2, 3).reshape(-1, size, size, 3)


def _about(
    spec: EvaluateStageSpec,
    file: Attacked,
    place: int,
    test: Patches,
    save: str,
    picture: np.ndarray,
    measures: Measures,
) -> dict[str, Any]:
    """The columns that the rows of one saved picture share."""
    origin = file.rows[place]
    before = _crop(spec, test, origin, scaled(test.arrays["rgb"][origin].numpy(), save))
    row, column = test.origin[origin]
    return {
        "method": spec.name,
        "run": file.runs[place],
        "set": file.sets[place],
        "save": save,
        "photograph": test.photograph[origin],
        "row": row,
        "column": column,
        "source": test.labels[test.label[origin]],
        **{name: measure(before, picture) for name, measure in measures.items()},
    }


def _rows(
    spec: EvaluateStageSpec,
    shared: dict[str, Any],
    targets: list[str],
    predictions: list[Predictions],
    index: int,
) -> Iterator[dict[str, Any]]:
    """A row for each F and target of the picture at `index`."""
    for prediction in predictions:
        known = shared["source"] in prediction.labels
        for target in targets:
            row = {
                **shared,
                "classifier": prediction.classifier,
                "role": spec.roles[prediction.classifier],
                "labels": len(prediction.labels),
                "known": known,
                "predicted": prediction.pictures[index],
                "target": target,
            }
            if prediction.patches is not None:
                patches = prediction.patches[index]
                row["patches_targeted"] = np.mean(patches == target)
                row["patches_untargeted"] = np.mean(patches != shared["source"]) if known else np.nan
            yield row
