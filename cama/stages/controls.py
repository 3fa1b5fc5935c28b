"""Stage `controls`: what could make the results mean less than they seem, measured.

`controls.csv`: control, value, expected. `photographs.csv`: statistics of the test photographs beside those of real ones.
`cameras.csv`: the drawn catalogue.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from cama.compute.device import Compute
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.crops import crop_origins
from cama.data.manifest import read_table
from cama.data.patches import Patches
from cama.forensics.statistics import photograph_statistics, real_reference
from cama.models.classifiers import load_classifier
from cama.settings.stages import ControlsStageSpec
from cama.simulation.catalogue import draw_catalogue
from cama.storage.files import write_text
from cama.storage.images import read_rgb
from cama.training.classifier import predict

COLOUR_SIDE = 8
Control = tuple[str, float, str]  # its name, value, and what is expected


def controls(
    spec: ControlsStageSpec,
    splits: Path,
    root: Path,
    inside: Path,
    aligned: Path | None,
    random: Path | None,
    random_test: Path | None,
    out: Path,
) -> None:
    """Write the three tables to the folder `out`. `aligned`, `random`: one F trained on either crop phase."""
    test = Patches.read(inside, "rgb")
    simulated = spec.dataset.kind == "simulated"
    rows = [_colour_control(spec, splits, root, test)]
    if aligned is not None and random is not None and random_test is not None:
        compute = Compute(spec.compute)
        rows.append(_phase_control("aligned", aligned.stem, aligned, test, compute))
        rows.append(_phase_control("random", aligned.stem, random, Patches.read(random_test, "rgb"), compute))
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


def _phase_control(phase: str, name: str, path: Path, crops: Patches, compute: Compute) -> Control:
    """The accuracy of the classifier `path` on crops of the phase that it was trained on."""
    classifier, _ = load_classifier(path)
    predicted = predict(compute.to_device(classifier), crops.arrays["rgb"], compute).argmax(1)
    return f"accuracy of F {name}, crop phase {phase}", float((predicted == crops.label).mean()), ""


def _colour_control(spec: ControlsStageSpec, splits: Path, root: Path, test: Patches) -> Control:
    """The accuracy of a classifier that sees the coarse colours alone, which are content and not traces of the camera."""
    chance = 1 / len(spec.models.in_distribution)
    simulated = spec.dataset.kind == "simulated"
    bound = f"at most {chance + 0.2:.2f} (chance {chance:.2f})" if simulated else f"chance {chance:.2f}"
    return "accuracy of a classifier that sees only 8x8 colours", _colour_accuracy(spec, splits, root, test), bound


def _colour_accuracy(spec: ControlsStageSpec, splits: Path, root: Path, test: Patches) -> float:
    """Train on all training photographs of the known models, seen as 8x8 mean colours; score on the test photographs."""
    table = read_table(splits)
    table = table[table.role.isin(["adversary", "examiner"])]
    progress = Progress("colour control", len(table))
    features = []
    for done, photo in enumerate(table.itertuples(), start=1):
        picture, crop = read_rgb(root / photo.path), spec.patches.crop
        row, column = crop_origins(*picture.shape[:2], spec.patches, derive_seed(spec.seed, photo.path))[0]
        features.append(_colours(picture[row : row + crop, column : column + crop]))
        progress.update(done)
    forest = RandomForestClassifier(300, random_state=derive_seed(spec.seed, "forest") % 2**31, n_jobs=1)
    forest.fit(np.stack(features), table.model)
    predicted = forest.predict(np.stack([_colours(image) for image in test.arrays["rgb"].numpy()]))
    return float((predicted == np.array(test.labels)[test.label]).mean())


def _colours(image: np.ndarray) -> np.ndarray:
    """The mean colours of 8x8 equal blocks of an image (H, W, 3), as one vector."""
    side = image.shape[0] // COLOUR_SIDE
    used = image[: side * COLOUR_SIDE, : side * COLOUR_SIDE]
    return used.reshape(COLOUR_SIDE, side, COLOUR_SIDE, side, 3).mean(axis=(1, 3)).ravel()


def _statistics(test: Patches) -> pd.DataFrame:
    """Median and extremes of each figure over the first 10 test photographs of each model, beside real photographs."""
    chosen = np.concatenate([np.flatnonzero(test.label == label)[:10] for label in np.unique(test.label)])
    figures = pd.DataFrame([photograph_statistics(test.arrays["rgb"][row].numpy()) for row in chosen])
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
