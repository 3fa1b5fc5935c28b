"""Stage `plots`: every plot, recomputed from rows, curves and stored pictures."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from cama.data.attacked import Attacked, open_attacked
from cama.data.patches import Patches
from cama.evaluation.saves import delivered
from cama.jpeg.imitation import Imitation
from cama.photo.encoders import target_encoders
from cama.reporting import plots as draw
from cama.reporting.formats import SET_NAMES
from cama.reporting.tables import headline, read_rows
from cama.reporting.traces import attacked_traces, photograph_traces, plot_traces
from cama.settings.stages import PlotsStageSpec
from cama.storage.tables import read_csv


def plots(
    spec: PlotsStageSpec,
    rows: list[Path],
    tables: Path,
    curves: list[Path],
    attacked: list[Path] | None,
    detections: list[Path] | None,
    paired: Path | None,
    profiles: Path | None,
    inside: Path,
    outside: Path,
    out: Path,
) -> None:
    """Write the plots to the folder `out`. `attacked`: the pictures of the shown methods, for their sample grids and traces;
    `paired`: that table, where there is one; `profiles`: the folder of the targets' container profiles, where pictures are
    delivered as theirs.
    """
    dpi, shown = spec.plots.dpi, list(spec.plots.methods)
    scored = read_rows(rows)
    transfer, labels, summary = (read_csv(tables / f"{name}.csv") for name in ("transfer", "per_label", "summary"))
    histories = {f"{path.parent.name} {path.stem}": read_csv(path) for path in curves}
    draw.curves(histories, out / "curves.png", dpi)
    draw.confusion(headline(scored), ["identity", *shown], out / "confusion.png", dpi)
    draw.success_against_psnr(headline(transfer), headline(summary), shown, out / "success_psnr.png", dpi)
    if scored.save.nunique() > 1:
        draw.saves(summary, shown, out / "saves.png", dpi)
    if paired is not None:
        draw.paired(headline(read_csv(paired)), shown, out / "paired.png", dpi)
    if detections:
        detection = read_csv(tables / "detection.csv")
        draw.roc(pd.concat(map(read_csv, detections)), detection, shown, out / "roc.png", dpi)
        draw.success_against_detection(headline(summary), headline(transfer), shown, out / "success_auc.png", dpi)
    if shown:
        draw.per_label(headline(labels), shown, out / "per_label.png", dpi)
        _pictures(spec, attacked or [], inside, outside, profiles, out)


def _pictures(
    spec: PlotsStageSpec, attacked: list[Path], inside: Path, outside: Path, profiles: Path | None, out: Path
) -> None:
    """For each shown method a grid of samples of each set that has photographs, and the traces of those in-distribution."""
    read = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    tests = {kind: test for kind, test in read.items() if len(test.label)}
    own = photograph_traces(read["in"])
    for method, path in zip(spec.plots.methods, attacked, strict=True):
        with open_attacked(path) as pictures:
            # the oracle's pictures are as cameras saved them
            saves = () if method == "oracle" else (spec.save,)
            imitations = target_encoders(saves, profiles, pictures.targets)

            def deliver(picture: np.ndarray, camera: str, imitations: dict[str, Imitation] = imitations) -> np.ndarray:
                seed = zlib.crc32(picture.tobytes())  # which of a camera's encodings
                return delivered(picture, spec.save, camera, imitations, seed) if imitations else picture

            changed = attacked_traces(pictures, read["in"], deliver)
            samples = {kind: _samples(pictures, kind, test, spec.plots.samples) for kind, test in tests.items()}
            targets = list(pictures.targets)
        title = f"{method}: traces of each target, as delivered"
        plot_traces(changed, own, title, out / f"traces_{method}.png", spec.plots.dpi)
        for kind, of_set in samples.items():
            title = f"{method}, {SET_NAMES[kind]}: photograph x, x' for each target, and the difference below"
            file = out / f"samples_{method}_{kind}.png"
            draw.sample_grid(of_set, targets, spec.plots.amplify, title, file, spec.plots.dpi)


def _samples(file: Attacked, kind: str, test: Patches, count: int) -> list[dict]:
    """The first photograph of each of `count` models, with the pictures that a method made of it."""
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
    return samples
