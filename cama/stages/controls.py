"""Stage `controls`: what could make the results mean less than they seem, measured.

`controls.csv`: control, value, expected. `photographs.csv`: statistics of the test photographs beside those of real ones.
`cameras.csv`: the drawn catalogue.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier

from cama.compute.device import Compute
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.crops import crop_origins
from cama.data.manifest import read_table
from cama.data.patches import Patches
from cama.forensics.cues import CUES, cue_accuracy
from cama.forensics.statistics import photograph_statistics, real_reference
from cama.models.classifiers import Classifier, load_classifier
from cama.models.fused_norms import fuse_batch_norms_
from cama.settings.stages import ControlsStageSpec
from cama.simulation.catalogue import draw_catalogue
from cama.storage.files import write_text
from cama.storage.images import read_rgb, save_and_decode
from cama.training.classifier import predict

COLOUR_SIDE = 8
COLOURS = "8x8 colours"
MOST_CROPS = 25  # of each camera model that each F is tried on
OFFSETS = ((0, 0), (2, 2), (4, 4), (7, 3))  # by which the test crops are moved: rows and columns in pixels
MOVED = tuple(f"crop moved by {offset}" for offset in OFFSETS)
SAVES = ("jpeg92", "jpeg85")
Pictures = tuple[list[int], np.ndarray]  # some test crops: their rows, and their pixels (n, S, S, 3) after a change
Classifiers = dict[str, tuple[Classifier, tuple[str, ...]]]  # each F and its labels, by name
Control = tuple[str, float, str]  # its name, value, and what is expected


def controls(
    spec: ControlsStageSpec, splits: Path, root: Path, inside: Path, classifiers: list[Path], out: Path
) -> None:
    """Write the three tables to the folder `out`. `classifiers`: each target classifier F."""
    test = Patches.read(inside, "rgb")
    simulated = spec.dataset.kind == "simulated"
    rows = list(_simple_controls(spec, splits, root, test))
    compute = Compute(spec.compute)
    models = {path.stem: load_classifier(path) for path in classifiers}
    for classifier, _ in models.values():
        compute.to_device(fuse_batch_norms_(classifier))
    rows += _classifier_controls(models, root, test, compute)
    traits = _traits(spec) if simulated else pd.DataFrame()
    if simulated:
        for name, strength in (("weakest", traits.prnu.min()), ("strongest", traits.prnu.max())):
            rows.append((f"PRNU strength, {name} model", float(strength), "0.003 to 0.010"))
    write_text(out / "controls.csv", pd.DataFrame(rows, columns=["control", "value", "expected"]).to_csv(index=False))
    write_text(out / "photographs.csv", _statistics(test).to_csv(index=False, float_format="%.4g"))
    write_text(out / "cameras.csv", traits.to_csv(index=False, float_format="%.4g"))


def _traits(spec: ControlsStageSpec) -> pd.DataFrame:
    """The simulated cameras, one a row."""
    names = [*spec.models.in_distribution, *spec.models.out_of_distribution]
    catalogue = draw_catalogue(spec.simulation.catalogue_seed, names)
    return pd.DataFrame([model.traits() for model in catalogue.values()])


def _classifier_controls(models: Classifiers, root: Path, test: Patches, compute: Compute) -> Iterator[Control]:
    """The accuracy of each F on test crops that are moved in their photographs, and on test crops after another save."""
    changed = {**_moved(root, test), **_saved(test)}
    for name, (classifier, labels) in models.items():
        for change, (rows, images) in changed.items():
            pixels = torch.from_numpy(np.ascontiguousarray(images))
            predicted = np.array(labels)[predict(classifier, pixels, compute).argmax(1)]
            accuracy = float((predicted == np.array(test.labels)[test.label[rows]]).mean())
            expected = "as moved by (0, 0)" if change in MOVED[1:] else ""
            yield f"accuracy of F {name}, {change}", accuracy, expected


def _moved(root: Path, test: Patches) -> dict[str, Pictures]:
    """Test crops at each of OFFSETS, without those of photographs that lack the room for one; {} where all do."""
    crop = test.arrays["rgb"].shape[1]
    height, width = (crop + most for most in np.max(OFFSETS, axis=0).tolist())
    rows, found = [], []
    for row in _first_rows(test, MOST_CROPS):
        y, x = test.origin[row].tolist()
        window = read_rgb(root / test.photograph[row])[y : y + height, x : x + width]
        if window.shape[:2] == (height, width):
            rows.append(row)
            found.append(window)
    if not rows:
        return {}
    windows = np.stack(found)
    places = zip(MOVED, OFFSETS, strict=True)
    return {name: (rows, windows[:, y : y + crop, x : x + crop]) for name, (y, x) in places}


def _saved(test: Patches) -> dict[str, Pictures]:
    """Test crops after each of SAVES."""
    rows = _first_rows(test, MOST_CROPS)
    crops = test.arrays["rgb"][rows].numpy()
    return {f"after {save}": (rows, np.stack([save_and_decode(crop, save) for crop in crops])) for save in SAVES}


def _first_rows(test: Patches, most: int) -> list[int]:
    """The first test crops of each camera model, `most` of each."""
    return np.concatenate([np.flatnonzero(test.label == label)[:most] for label in np.unique(test.label)]).tolist()


def _training_features(spec: ControlsStageSpec, splits: Path, root: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The features of a crop of each training photograph of the known models, and the models' names. The crops themselves
    would not fit in memory.
    """
    table = read_table(splits)
    table = table[table.role.isin(["adversary", "examiner"])]
    progress = Progress("controls", len(table))
    features = []
    for done, photo in enumerate(table.itertuples(), start=1):
        picture, crop = read_rgb(root / photo.path), spec.patches.crop
        row, column = crop_origins(*picture.shape[:2], spec.patches, derive_seed(spec.seed, photo.path))[0]
        features.append(_features(picture[row : row + crop, column : column + crop]))
        progress.update(done)
    return pd.DataFrame(features), table.model.to_numpy()


def _features(image: np.ndarray) -> dict[str, np.ndarray]:
    """What the simple classifiers see of an image (H, W, 3), by name."""
    return {COLOURS: _colours(image), **{name: cue(image) for name, (cue, _) in CUES.items()}}


def _simple_controls(spec: ControlsStageSpec, splits: Path, root: Path, test: Patches) -> Iterator[Control]:
    """The accuracy of a forest that sees the coarse colours alone, which are content and not traces of the camera; and those of
    logistic regressions of a few numbers, beside those among real cameras.
    """
    train, models = _training_features(spec, splits, root)
    tried = pd.DataFrame([_features(image) for image in test.arrays["rgb"].numpy()])
    expected = np.array(test.labels)[test.label]
    chance = 1 / len(spec.models.in_distribution)
    simulated = spec.dataset.kind == "simulated"
    bound = f"at most {chance + 0.2:.2f} (chance {chance:.2f})" if simulated else f"chance {chance:.2f}"
    forest = RandomForestClassifier(300, random_state=derive_seed(spec.seed, "forest") % 2**31, n_jobs=1)
    predicted = forest.fit(np.stack(train[COLOURS]), models).predict(np.stack(tried[COLOURS]))
    yield "accuracy of a classifier that sees only 8x8 colours", float((predicted == expected).mean()), bound
    for name, (_, most) in CUES.items():
        bound = f"at most {most:.2f} among four models" if simulated else ""
        accuracy = cue_accuracy(np.stack(train[name]), models, np.stack(tried[name]), expected)
        yield f"accuracy of a logistic regression of {name}", accuracy, bound


def _colours(image: np.ndarray) -> np.ndarray:
    """The mean colours of 8x8 equal blocks of an image (H, W, 3), as one vector."""
    side = image.shape[0] // COLOUR_SIDE
    used = image[: side * COLOUR_SIDE, : side * COLOUR_SIDE]
    return used.reshape(COLOUR_SIDE, side, COLOUR_SIDE, side, 3).mean(axis=(1, 3)).ravel()


def _statistics(test: Patches) -> pd.DataFrame:
    """Median and extremes of each figure over the first 10 test photographs of each model, beside real photographs."""
    figures = pd.DataFrame([photograph_statistics(test.arrays["rgb"][row].numpy()) for row in _first_rows(test, 10)])
    real = real_reference()
    return pd.DataFrame(
        {
            "figure": list(figures.columns),
            "median": figures.median().to_numpy(),
            "lowest": figures.min().to_numpy(),
            "highest": figures.max().to_numpy(),
            **{f"real_{key}": [real[name][key] for name in figures.columns] for key in ("median", "lowest", "highest")},
        }
    )
