"""Stage `report`: one HTML page that explains the run, with every table and picture inside."""

import html
from pathlib import Path

import pandas as pd

from cama.data.manifest import read_table
from cama.reporting.formats import with_intervals
from cama.reporting.html import figure, html_table, page
from cama.settings.stages import ReportStageSpec
from cama.storage.files import write_text

CAPTIONS = {
    "success_psnr": "Targeted success against distortion: means over the target classifiers with 95% intervals, and a small"
    " mark for each.",
    "per_label": "Targeted success for each target classifier and target camera: averages hide the weak ones.",
    "paired": "Differences in targeted success from the baseline on the same photographs, 95% intervals, and in PSNR."
    " Grey where the interval holds zero; hollow where fewer than ten photographs give none.",
    "saves": "Targeted success after each save, mean over the target classifiers, 95% intervals.",
    "roc": "A detector for each method, trained on the adversary's patches: attacked test pictures found against untouched"
    " ones accused.",
    "confusion": "What each target classifier says: of untouched test photographs, and of attacked ones.",
    "curves": "Training curves of the adversary's and the examiner's networks, smoothed over five records.",
}
SAMPLES = {
    "in": "In-distribution photographs: x, x' for each target camera, and the amplified difference below.",
    "out": "Photographs of cameras that the attack does not know, made to look like those that it knows.",
}
SIMULATED = (
    "The cameras are simulated and invented. The figures show that the method and this implementation work on them; they"
    " promise nothing against classifiers of real cameras, and no photograph becomes untraceable."
)
REAL = (
    "The photographs are real. Where the data set is small (count the photographs below), the intervals are wide and the"
    " target classifiers weak: read every success beside the clean accuracy in its row. Success against a classifier that"
    " cannot tell the cameras apart says nothing about anonymity, and crops of one photograph are not independent."
)


def report(
    spec: ReportStageSpec, splits: Path, broken: Path, tables: Path, plots: Path, controls: Path, out: Path
) -> None:
    """Write the page to `out`."""
    roles = (
        read_table(splits)
        .groupby(["role", "part", "model"])
        .agg(devices=("device", "nunique"), photographs=("path", "size"))
    )
    skipped = pd.read_csv(broken)
    simulated = spec.dataset.kind == "simulated"
    summary, checks = pd.read_csv(tables / "summary.csv"), pd.read_csv(controls / "controls.csv")
    parts = [
        f'<p class="note">{html.escape(SIMULATED if simulated else REAL)}</p>',
        *(_headline(summary, method) for method in spec.shown),
        "<h2>The attack, in short</h2><p>Means over all target classifiers F, which no attack has seen. A rate is a share of"
        " photographs scored whole, after the save that the row names. <i>Labels</i>: how many cameras F knows. <i>Where"
        " right</i>: on photographs that F attributed rightly before the attack."
        + (
            ""
            if "lpips" in summary
            else " LPIPS was not measured: <code>evaluation.lpips</code> names no weights file."
        )
        + "</p>",
        html_table(with_intervals(summary)),
        *(_samples(plots, method, "in") for method in spec.shown),
        _picture(plots, "success_psnr"),
        *(_picture(plots, name) for name in ("per_label", "saves") if name in spec.parts),
        *(_paired(tables, plots) if "paired" in spec.parts else []),
        *(_detection(tables, plots) if "detection" in spec.parts else []),
        *(_devices(tables) if "devices" in spec.parts else []),
        "<h2>Each target classifier</h2>",
        html_table(with_intervals(pd.read_csv(tables / "transfer.csv"))),
        _picture(plots, "confusion"),
        *(_samples(plots, method, "out") for method in spec.shown if "out" in spec.parts),
        "<h2>Controls</h2><p>What could make the figures mean less than they seem.</p>",
        html_table(checks),
        "<h3>The photographs beside real ones</h3><p>Test photographs of this run, and the recorded figures of 16 natural"
        " photographs of three real cameras. Residuals in grey levels.</p>",
        html_table(pd.read_csv(controls / "photographs.csv")),
        "<h2>Data</h2>",
        f"<p>{len(skipped)} photographs were skipped: unreadable, too small, or named outside the convention.</p>",
        html_table(skipped) if len(skipped) else "",
        html_table(roles.reset_index()),
    ]
    if simulated:
        parts += ["<h3>The simulated cameras</h3>", html_table(_cameras(controls))]
    parts += ["<h2>Training</h2>", _picture(plots, "curves")]
    write_text(out, page("Camera model anonymization: results", parts))


def _headline(summary: pd.DataFrame, method: str) -> str:
    chosen = (summary.set == "in") & (summary.save == "png") & (summary.labels == summary.labels.min())
    rows = summary[chosen].set_index("method")
    row, untouched = rows.loc[method], rows.loc["identity"].targeted
    return (
        f"<p>{html.escape(method)} reached a mean targeted success of <b>{row.targeted:.2f}</b> (95% interval"
        f" {row.targeted_low:.2f} to {row.targeted_high:.2f}) in-distribution at a mean PSNR of <b>{row.psnr:.1f} dB</b>; on"
        f" its worst classifier {row.targeted_worst_classifier:.2f}, for its worst label {row.targeted_worst_label:.2f}. The"
        f" classifiers said the target camera of the untouched photographs in a share of {untouched:.2f} already.</p>"
    )


def _paired(tables: Path, plots: Path) -> list[str]:
    table = pd.read_csv(tables / "paired.csv")
    if table.empty:
        return []
    text = (
        f"<h2>Beside {html.escape(str(table.baseline.iloc[0]))}</h2><p>On the same photographs and targets: the difference in"
        " targeted success, and the share of the baseline's failures that is gone (negative where there are more).</p>"
    )
    return [text, html_table(with_intervals(table[table.classifier == "all"])), _picture(plots, "paired")]


def _detection(tables: Path, plots: Path) -> list[str]:
    return [
        "<h2>Can the attack be seen?</h2><p>A small detector, trained for each method on the adversary's patches, untouched"
        " and attacked, and scored on test pictures. An AUC of 0.5 is chance; others may build better detectors.</p>",
        html_table(with_intervals(pd.read_csv(tables / "detection.csv"))),
        _picture(plots, "roc"),
    ]


def _devices(tables: Path) -> list[str]:
    return [
        "<h2>Can the device still be told?</h2><p>Share of pictures whose PCE with a device's fingerprint is above 60, and"
        " the median PCE, before and after the attack. An attack on the camera model need not hide the device.</p>",
        html_table(with_intervals(pd.read_csv(tables / "devices.csv"))),
    ]


def _samples(folder: Path, method: str, kind: str) -> str:
    return figure(folder / f"samples_{method}_{kind}.png", f"{method}. {SAMPLES[kind]}")


def _picture(folder: Path, name: str) -> str:
    return figure(folder / f"{name}.png", CAPTIONS[name])


def _cameras(controls: Path) -> pd.DataFrame:
    cameras = pd.read_csv(controls / "cameras.csv")
    return cameras.drop(
        columns=[c for c in cameras if c.endswith("table") or c in ("colour_matrix", "white_balance", "response")]
    )
