"""Stage `plots`: every plot, recomputed from rows, curves and stored pictures."""

from pathlib import Path

import numpy as np
import pandas as pd

from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.reporting import plots as draw
from cama.reporting.tables import read_rows
from cama.settings.stages import PlotsStageSpec
from cama.storage.files import read_csv


def plots(
    spec: PlotsStageSpec,
    rows: list[Path],
    tables: Path,
    curves: list[Path],
    attacked: list[Path] | None,
    detections: list[Path] | None,
    paired: Path | None,
    inside: Path,
    outside: Path,
    out: Path,
) -> None:
    """Write the plots to the folder `out`. `attacked`: the pictures of the shown methods, for their sample grids;
    `paired`: that table, where there is one.
    """
    look, shown = spec.plots, list(spec.plots.methods)
    scored = read_rows(rows)
    transfer, labels, summary = (pd.read_csv(tables / f"{name}.csv") for name in ("transfer", "per_label", "summary"))
    histories = {f"{path.parent.name} {path.stem}": pd.read_csv(path) for path in curves}
    draw.curves(histories, out / "curves.png", look.dpi)
    saved = scored[scored.save == "png"]
    draw.confusion(saved, ["identity", *look.methods], out / "confusion.png", look.dpi)
    plain = [table[table.save == "png"] for table in (transfer, summary)]
    draw.success_against_psnr(*plain, shown, out / "success_psnr.png", look.dpi)
    if scored.save.nunique() > 1:
        draw.saves(summary, shown, out / "saves.png", look.dpi)
    if paired is not None:
        differences = pd.read_csv(paired)
        draw.paired(differences[differences.save == "png"], shown, out / "paired.png", look.dpi)
    if detections:
        draw.roc(pd.concat(map(read_csv, detections)), shown, out / "roc.png", look.dpi)
    if not look.methods:
        return
    draw.per_label(labels[labels.save == "png"], shown, out / "per_label.png", look.dpi)
    read = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    tests = {kind: test for kind, test in read.items() if len(test.label)}
    for method, path in zip(look.methods, attacked or [], strict=True):
        for kind, test in tests.items():
            targets, samples = _samples(path, kind, test, look.samples)
            title = f"{method}, {draw.SET_NAMES[kind]}: photograph x, x' for each target, and the difference below"
            draw.sample_grid(samples, targets, look.amplify, title, out / f"samples_{method}_{kind}.png", look.dpi)


def _samples(attacked: Path, kind: str, test: Patches, count: int) -> tuple[list[str], list[dict]]:
    """`count` photographs of as many models, the first of each, with what a method made of them."""
    with open_attacked(attacked) as file:
        chosen = (file.sets == kind) & (file.runs == 1)
        firsts = [int(np.flatnonzero(test.label == label)[0]) for label in np.unique(test.label)]
        samples = []
        for row in firsts[:count]:
            places = np.flatnonzero(chosen & (file.rows == row))
            samples.append(
                {
                    "source": test.labels[test.label[row]],
                    "image": test.arrays["rgb"][row].numpy(),
                    "changed": {file.targets[file.aims[place]]: file.images(place) for place in places},
                }
            )
    return list(file.targets), samples
