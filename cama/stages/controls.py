"""Stage `controls`: what could make the results mean less than they seem, measured.

`controls.csv`: control, value, what is expected of it, and whether it holds (yes, no, or empty where nothing is expected); the
stage does not fail where one does not. `scene_readers.csv`: which F read scenes. `cue_swap.csv`: how often each F names the
camera that one part of the pipeline is from. `photographs.csv`: statistics of the test photographs beside those of real ones.
`cameras.csv`: the drawn catalogue. Of real cameras `cue_swap.csv` and `cameras.csv` are empty. No attack has a part in any.
"""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier

from cama.alignment import MCU
from cama.compute.device import Compute
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.crops import crop_origins
from cama.data.manifest import read_table
from cama.data.patches import Patches
from cama.data.scenes import Scenes
from cama.evaluation.expected import Expected
from cama.evaluation.scene_reading import reads_scenes, remaining, without_high_frequencies
from cama.forensics.cues import CUES, cue_accuracy, cue_of
from cama.forensics.statistics import QUARTILES, photograph_statistics, real_reference
from cama.models.classifiers import Classifier, load_predictor
from cama.settings.stages import ControlsStageSpec
from cama.simulation.camera import CameraModel
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.swaps import PARTS, SINGLE_PARTS, swaps
from cama.storage.files import write_text
from cama.storage.images import decoded, read_rgb, save_and_decode
from cama.training.classifier import predict

COLOUR_SIDE = 8
COLOURS = "8x8 colours"
MOST_CROPS = 40  # of each camera model that each F is tried on
OFFSETS = ((0, 0), (2, 2), (4, 4), (7, 3))  # of crops from the grid of their JPEG file: rows and columns in pixels
MOVED = tuple(f"crop moved by {offset}" for offset in OFFSETS)
WITHIN = 0.03  # of its accuracy on the grid an F should be that does not read it
CUE_MODELS = 4  # camera models among which the bounds of CUES were measured: fewer are easier to tell apart
SAVES = ("jpeg92", "jpeg85")
UNCOMPRESSED = 8  # test photographs of each simulated camera model that each F is tried on before compression
SWAPPED_MODELS, SWAPPED_SCENES = 4, 3  # the first known models, of which each pair swaps parts; and scenes of each pair
SWAPPED_CROP = 256  # the largest side of their crops
Pictures = tuple[list[int], np.ndarray]  # some test crops: their rows, and their pixels (n, S, S, 3) after a change
Classifiers = dict[str, tuple[Classifier, tuple[str, ...]]]  # each F and its labels, by name
Control = tuple[str, float, Expected]  # its name, value, and what is expected


def controls(
    spec: ControlsStageSpec, splits: Path, root: Path, inside: Path, classifiers: list[Path], out: Path
) -> None:
    """Write the tables to the folder `out`. `classifiers`: each target classifier F."""
    test = Patches.read(inside, "rgb")
    simulated = spec.dataset.kind == "simulated"
    rows = list(_simple_controls(spec, splits, root, test))
    compute = Compute(spec.compute)
    models = {path.stem: load_predictor(path, compute) for path in classifiers}
    rows += _classifier_controls(models, _changed(spec, root, test), test, compute)
    catalogue = _catalogue(spec) if simulated else {}
    traits = pd.DataFrame([model.traits() for model in catalogue.values()])
    found = [(name, value, expected.text, expected.holds(value)) for name, value, expected in rows]
    tables = {
        "controls": pd.DataFrame(found, columns=["control", "value", "expected", "holds"]),
        "scene_readers": _scene_readers(models, test, compute),
        "cue_swap": _cue_swap(spec, catalogue, models, test, compute) if simulated else pd.DataFrame(),
    }
    for name, table in tables.items():
        write_text(out / f"{name}.csv", table.to_csv(index=False))
    write_text(out / "photographs.csv", _statistics(test).to_csv(float_format="%.4g"))
    write_text(out / "cameras.csv", traits.to_csv(index=False, float_format="%.4g"))


def _catalogue(spec: ControlsStageSpec) -> dict[str, CameraModel]:
    """The simulated cameras by name."""
    names = [*spec.models.in_distribution, *spec.models.out_of_distribution]
    return draw_catalogue(spec.simulation.catalogue_seed, names)


def _classifier_controls(
    models: Classifiers, changed: Iterator[tuple[str, Pictures]], test: Patches, compute: Compute
) -> Iterator[Control]:
    """The accuracy of each F on test crops after each change."""
    found: dict[str, dict[str, float]] = {name: {} for name in models}
    for change, pictures in changed:
        for name, model in models.items():
            found[name][change] = _accuracy(model, pictures, test, compute)
    for name, accuracies in found.items():
        for change, accuracy in accuracies.items():
            expected = Expected()
            if change in MOVED[1:]:
                expected = Expected.near(accuracies[MOVED[0]], WITHIN, f"that moved by {OFFSETS[0]}")
            yield f"accuracy of F {name}, {change}", accuracy, expected


def _said(model: tuple[Classifier, tuple[str, ...]], images: np.ndarray, compute: Compute) -> np.ndarray:
    """What F says of images (N, S, S, 3): names (N,)."""
    classifier, labels = model
    return np.array(labels)[predict(classifier, torch.from_numpy(np.ascontiguousarray(images)), compute).argmax(1)]


def _accuracy(model: tuple[Classifier, tuple[str, ...]], pictures: Pictures, test: Patches, compute: Compute) -> float:
    """The share of changed test crops that F is right about."""
    rows, images = pictures
    return float((_said(model, images, compute) == np.array(test.labels)[test.label[rows]]).mean())


def _changed(spec: ControlsStageSpec, root: Path, test: Patches) -> Iterator[tuple[str, Pictures]]:
    """Test crops at places of the JPEG grid, after another save, and of simulated cameras never compressed."""
    rows = _spread_rows(test, MOST_CROPS)
    yield from _moved(root, test, rows).items()
    yield from _saved(spec, root, test, rows)
    if spec.dataset.kind == "simulated":
        yield "never compressed", _uncompressed(spec, test)


def _saved(spec: ControlsStageSpec, root: Path, test: Patches, rows: list[int]) -> Iterator[tuple[str, Pictures]]:
    """Test crops after each of SAVES, with what lies around them: they begin at any place on the grid of that save, as far as
    their photographs have the room.
    """
    crop, windows = spec.patches.crop, []
    for row in rows:
        rng = np.random.default_rng(derive_seed(spec.seed, "save", test.photograph[row]))
        y, x = test.origin[row].tolist()
        up, left = (int(rng.integers(min(start, MCU - 1) + 1)) for start in (y, x))
        picture = read_rgb(root / test.photograph[row])
        windows.append((picture[y - up : y + crop + MCU, x - left : x + crop + MCU].copy(), up, left))
    for save in SAVES:
        saved = [save_and_decode(window, save)[y : y + crop, x : x + crop] for window, y, x in windows]
        yield f"after {save}", (rows, np.stack(saved))


def _uncompressed(spec: ControlsStageSpec, test: Patches) -> Pictures:
    """Test photographs of simulated cameras as they were before compression, each cut at a random place."""
    catalogue, scenes = _catalogue(spec), Scenes(spec.seed, spec.simulation, spec.models)
    rng = np.random.default_rng(derive_seed(spec.seed, "uncompressed"))
    rows, crops = _spread_rows(test, UNCOMPRESSED), []
    for row in rows:
        name, device, number = test.labels[test.label[row]], int(test.device[row]), int(test.scene[row])
        scene = scenes.of_photograph(name, device, scenes.part(device, number), number)
        picture, _ = scenes.series.take(catalogue[name], device, number, scene)
        crops.append(_cut(picture, spec.patches.crop, rng))
    return rows, np.stack(crops)


def _cut(picture: np.ndarray, crop: int, rng: np.random.Generator) -> np.ndarray:
    """A crop of a picture (H, W, 3) at a random place."""
    top, left = (int(rng.integers(0, side - crop + 1)) for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]


def _scene_readers(models: Classifiers, test: Patches, compute: Compute) -> pd.DataFrame:
    """Which F read scenes: their accuracy on untouched test crops, and on the same without high frequencies."""
    rows = _spread_rows(test, MOST_CROPS)
    crops = test.arrays["rgb"][rows].numpy()
    blurred = np.stack([without_high_frequencies(crop) for crop in crops])
    table = []
    for name, model in models.items():
        accuracies = [_accuracy(model, (rows, images), test, compute) for images in (crops, blurred)]
        chance = 1 / len(model[1])
        table.append((name, *accuracies, chance, remaining(*accuracies, chance), reads_scenes(*accuracies, chance)))
    columns = ["classifier", "clean_accuracy", "blurred_accuracy", "chance", "remaining", "reads_scenes"]
    return pd.DataFrame(table, columns=columns)


def _cue_swap(
    spec: ControlsStageSpec,
    catalogue: dict[str, CameraModel],
    models: Classifiers,
    test: Patches,
    compute: Compute,
) -> pd.DataFrame:
    """How often each F names the camera model B of photographs by devices of A that have one part of B's pipeline: a mean
    over scenes and over the pairs of some known models. Scenes from photographs are of those of A's test device.
    """
    crop = min(spec.patches.crop, SWAPPED_CROP)
    side = min(crop + MCU, spec.simulation.height, spec.simulation.width)
    scenes = Scenes(spec.seed, spec.simulation, spec.models)
    tests = dict(zip(np.array(test.labels)[test.label].tolist(), test.device.tolist(), strict=True))
    pairs = [*permutations(spec.models.in_distribution[:SWAPPED_MODELS], 2)] * SWAPPED_SCENES
    crops: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    progress = Progress("cue swap", len(pairs))
    for number, (name, other) in enumerate(pairs):
        seed = derive_seed(spec.seed, "cue swap", number)
        scene = scenes.new(name, tests[name], side, seed)
        files = swaps(catalogue[name], catalogue[other], scene, seed)
        for part, file in files.items():  # all at the same place
            crops[part].append(_cut(decoded(file), crop, np.random.default_rng(derive_seed(seed, "crop"))))
        progress.update(number + 1)
    others = np.array([other for _, other in pairs])
    shares = {
        f"F {name}": [float((_said(model, np.stack(crops[part]), compute) == others).mean()) for part in PARTS]
        for name, model in models.items()
    }
    fields = [", ".join(names) if part in SINGLE_PARTS else "" for part, names in PARTS.items()]
    return pd.DataFrame({"part": list(PARTS), "mean": np.mean([*shares.values()], axis=0), **shares, "fields": fields})


def _moved(root: Path, test: Patches, rows: list[int]) -> dict[str, Pictures]:
    """Test crops at each of OFFSETS from the grid of their JPEG files, without those of photographs that lack the room for one;
    {} where all do.
    """
    crop = test.arrays["rgb"].shape[1]
    down, right = np.max(OFFSETS, axis=0).tolist()
    found = [(row, _on_grid(root, test, row, down, right)) for row in rows]
    found = [(row, window) for row, window in found if window.shape[:2] == (crop + down, crop + right)]
    if not found:
        return {}
    kept, windows = [row for row, _ in found], np.stack([window for _, window in found])
    places = zip(MOVED, OFFSETS, strict=True)
    return {name: (kept, windows[:, y : y + crop, x : x + crop]) for name, (y, x) in places}


def _on_grid(root: Path, test: Patches, row: int, down: int = 0, right: int = 0) -> np.ndarray:
    """A test crop, moved up and left onto the grid of its JPEG file, with so many rows and columns more as there are."""
    crop = test.arrays["rgb"].shape[1]
    y, x = (test.origin[row] // MCU * MCU).tolist()
    picture = read_rgb(root / test.photograph[row])
    return picture[y : y + crop + down, x : x + crop + right].copy()  # or each crop would hold its photograph in memory


def _spread_rows(test: Patches, most: int) -> list[int]:
    """Test crops of each camera model, `most` of each: the first of each of its devices, then the second ones and so on."""
    table = pd.DataFrame({"label": test.label, "device": test.device})
    table["turn"] = table.groupby(["label", "device"]).cumcount()
    return table.sort_values(["label", "turn", "device"]).groupby("label").head(most).index.tolist()


def _training_features(spec: ControlsStageSpec, splits: Path, root: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The features of a crop of each training photograph of the known models, on the grid of its JPEG file, and the models'
    names. The crops themselves would not fit in memory.
    """
    table = read_table(splits)
    table = table[table.role.isin(["adversary", "examiner"])]
    progress = Progress("controls", len(table))
    features = []
    for done, photo in enumerate(table.itertuples(), start=1):
        picture, crop = read_rgb(root / photo.path), spec.patches.crop
        origin = crop_origins(*picture.shape[:2], spec.patches, derive_seed(spec.seed, photo.path))[0]
        row, column = (start // MCU * MCU for start in origin)
        features.append(_features(picture[row : row + crop, column : column + crop]))
        progress.update(done)
    return pd.DataFrame(features), table.model.to_numpy()


def _features(image: np.ndarray) -> dict[str, np.ndarray]:
    """What the simple classifiers see of an image (H, W, 3), by name."""
    return {COLOURS: _colours(image), **{name: cue_of(cue, image) for name, (cue, _) in CUES.items()}}


def _simple_controls(spec: ControlsStageSpec, splits: Path, root: Path, test: Patches) -> Iterator[Control]:
    """The accuracy of a forest that sees the coarse colours alone, which are content and not traces of the camera; and those of
    logistic regressions of a few numbers, beside those among real cameras.
    """
    train, models = _training_features(spec, splits, root)
    tried = pd.DataFrame([_features(_on_grid(root, test, row)) for row in range(len(test.label))])
    truth = np.array(test.labels)[test.label]
    number = len(spec.models.in_distribution)
    chance = f"chance {1 / number:.2f}"
    simulated = spec.dataset.kind == "simulated"
    expected = Expected.at_most(1 / number + 0.2, f"({chance})") if simulated else Expected(chance)
    forest = RandomForestClassifier(300, random_state=derive_seed(spec.seed, "forest") % 2**31, n_jobs=1)
    predicted = forest.fit(np.stack(train[COLOURS]), models).predict(np.stack(tried[COLOURS]))
    yield "accuracy of a classifier that sees only 8x8 colours", float((predicted == truth).mean()), expected
    for name, (_, most) in CUES.items():
        bounded = simulated and number >= CUE_MODELS
        expected = Expected.at_most(most, f"among {CUE_MODELS} models") if bounded else Expected()
        accuracy = cue_accuracy(np.stack(train[name]), models, np.stack(tried[name]), truth)
        yield f"accuracy of a logistic regression of {name}", accuracy, expected


def _colours(image: np.ndarray) -> np.ndarray:
    """The mean colours of 8x8 equal blocks of an image (H, W, 3), as one vector."""
    side = image.shape[0] // COLOUR_SIDE
    used = image[: side * COLOUR_SIDE, : side * COLOUR_SIDE]
    return used.reshape(COLOUR_SIDE, side, COLOUR_SIDE, side, 3).mean(axis=(1, 3)).ravel()


def _statistics(test: Patches) -> pd.DataFrame:
    """Median and extremes of each figure over 10 test photographs of each model, beside the quartiles of real
    photographs, and whether the median is within these.
    """
    figures = pd.DataFrame([photograph_statistics(test.arrays["rgb"][row].numpy()) for row in _spread_rows(test, 10)])
    real = pd.DataFrame(real_reference())[figures.columns]
    median = figures.median()
    return pd.DataFrame(
        {
            "median": median,
            "lowest": figures.min(),
            "highest": figures.max(),
            **{f"real_{key}": real.loc[key] for key in QUARTILES},
            "median_is": np.where(median.between(real.loc["lower"], real.loc["upper"]), "inside", "outside"),
        }
    ).rename_axis("figure")
