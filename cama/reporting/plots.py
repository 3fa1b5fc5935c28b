"""Plots, each recomputed from rows, curves or stored pictures."""

import itertools
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from cama.reporting.detectability import QUESTIONS
from cama.reporting.formats import SET_NAMES
from cama.reporting.tables import counted
from cama.storage.files import atomic

# Methods are told apart by colour, the strong ones first, and by mark.
COLOURS = (*plt.get_cmap("tab20").colors[::2], *plt.get_cmap("tab20").colors[1::2])
MARKS = ("o", "s", "^", "D", "v", "P", "X")
MOST_COLUMNS = 5  # of confusion matrices beside each other
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
}


def without_make(model: str) -> str:
    """A camera's name for an axis: its model without the make, unless nothing else is left."""
    return model.partition("_")[2].replace("_", " ") or model


def save(figure: plt.Figure, path: Path, dpi: int) -> None:
    """Write a PNG atomically, without a date in it."""
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})
    plt.close(figure)


def curves(histories: dict[str, pd.DataFrame], path: Path, dpi: int) -> None:
    """Training curves: one panel for each network, every recorded quantity a line."""
    with plt.rc_context(STYLE):
        columns = min(3, max(1, len(histories)))
        rows = max(1, -(-len(histories) // columns))
        figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 2.5 * rows), squeeze=False)
        for axis, (name, history) in zip(axes.flat, histories.items(), strict=False):
            mark = "o" if len(history) == 1 else ""  # of what was fitted at once
            shown = [c for c in history.columns if c not in ("step", "psnr")]
            for column in shown:
                smooth = history[column].rolling(5, min_periods=1, center=True).mean()
                axis.plot(history.step, smooth, mark + "-", label=column.replace("_", " "), linewidth=1.2)
            axis.set_title(name)
            axis.set_xlabel("step")
            axis.set_ylim(0, min(float(np.nanquantile(history[shown].to_numpy(), 0.98)) * 1.1, 3))
            axis.legend(fontsize=7, frameon=False)
        for axis in axes.flat[len(histories) :]:
            axis.set_axis_off()
        save(figure, path, dpi)


def confusion(rows: pd.DataFrame, methods: list[str], path: Path, dpi: int) -> None:
    """For each F: its predictions for untouched photographs (`identity`) by source, and for the other methods' by target."""
    rows = rows[rows.set == "in"]
    classifiers = list(rows.classifier.unique())
    models = sorted(set(rows.source) | set(rows.target))
    with plt.rc_context(STYLE):
        shape = (len(methods), len(classifiers))
        transposed = len(classifiers) > MOST_COLUMNS  # then each method is a column, and F go down the page
        lines, columns = shape[::-1] if transposed else shape
        figure, axes = plt.subplots(lines, columns, figsize=(2.5 * columns + 0.6, 2.5 * lines), squeeze=False)
        panels = axes.T if transposed else axes
        for axis, (method, classifier) in zip(panels.flat, itertools.product(methods, classifiers), strict=True):
            part = rows[(rows.method == method) & (rows.classifier == classifier)]
            _confusion_panel(axis, part, models, "source" if method == "identity" else "target")
            axis.set_title(f"{'no change' if method == 'identity' else method}: F {classifier}", fontsize=8)
        save(figure, path, dpi)


def _confusion_panel(axis: plt.Axes, rows: pd.DataFrame, models: list[str], actual: str) -> None:
    """The shares of predictions, a line for each model in the column `actual`."""
    counts = pd.crosstab(rows[actual], rows.predicted)
    predictions = [*models, *sorted(set(rows.predicted) - set(models))]
    shares = counts.div(counts.sum(axis=1), axis=0).reindex(index=models, columns=predictions, fill_value=0)
    _heat_map(axis, shares.to_numpy(), "Blues", 7)
    names = [without_make(model) for model in predictions]
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=7)
    axis.set_yticks(range(len(models)), names[: len(models)], fontsize=7)
    axis.set_ylabel("camera" if actual == "source" else "target camera", fontsize=8)
    axis.set_xlabel("prediction of F", fontsize=8)


def _heat_map(axis: plt.Axes, shares: np.ndarray, colours: str, fontsize: int, **options: str) -> None:
    """Shares (H, W) as coloured cells with their values."""
    axis.imshow(shares, vmin=0, vmax=1, cmap=colours, **options)
    for (y, x), value in np.ndenumerate(shares):
        colour = "white" if value > 0.55 else "#333333"
        axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=fontsize, color=colour)


def success_against_psnr(
    table: pd.DataFrame, summary: pd.DataFrame, highlighted: list[str], path: Path, dpi: int
) -> None:
    """Targeted success against PSNR: each method's mean over F with its 95% interval, and a small mark for each F of the
    smallest label set that has not seen attacked pictures; an unchanged picture has no PSNR.
    """
    known = summary[summary.labels == summary.labels.min()]
    means, table = known[known.psnr.notna()], counted(table[table.labels == summary.labels.min()])
    with plt.rc_context(STYLE):
        sets, methods = list(known.set.unique()), list(means.method.unique())
        styles = _method_styles(methods, highlighted)
        figure, axes = plt.subplots(
            1, len(sets), figsize=(4.6 * len(sets), 3.6), sharex=True, sharey=True, squeeze=False
        )
        for axis, kind in zip(axes.flat, sets, strict=True):
            for method, part in means[means.set == kind].groupby("method", sort=False):
                colour, mark = styles[method]
                each = table[(table.set == kind) & (table.method == method)]
                axis.plot(each.psnr, each.targeted, mark, color=colour, markersize=2.5, alpha=0.35, markeredgewidth=0)
                error = np.array([part.targeted - part.targeted_low, part.targeted_high - part.targeted]).clip(min=0)
                axis.errorbar(
                    part.psnr, part.targeted, error, fmt=mark, color=colour, label=method, markersize=6, elinewidth=1.2,
                    markeredgecolor="white", markeredgewidth=0.5,
                )  # fmt: skip
            axis.set_title(SET_NAMES[kind])
            axis.set_xlabel("mean PSNR, dB")
            axis.set_ylim(-0.03, 1.03)
            axis.grid(alpha=0.25)
        axes[0, 0].set_ylabel("targeted success on F")
        _legend(axes[0, -1], len(methods))
        save(figure, path, dpi)


def paired(table: pd.DataFrame, methods: list[str], path: Path, dpi: int) -> None:
    """Differences in targeted success from the baseline with their 95% intervals: of each method over all F of the smallest
    label set, with the difference in PSNR, and of some methods on each F. Grey rows decide nothing: their interval holds zero,
    or (hollow) there is none.
    """
    table = table[table.labels == table.labels.min()]
    sets, baseline = list(table.set.unique()), table.baseline.iloc[0]
    overall = ("every method, mean over F", table[table.classifier == "all"], "method")
    each = [
        (f"{method} on each F", table[(table.method == method) & (table.classifier != "all")], "classifier")
        for method in methods
        if method in set(table.method)
    ]
    blocks = [overall, *each]
    heights = [part[part.set == sets[0]].shape[0] + 2 for _, part, _ in blocks]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(blocks),
            len(sets),
            figsize=(4.8 * len(sets), 0.26 * sum(heights)),
            height_ratios=heights,
            sharex=True,
            squeeze=False,
        )
        for line, (title, part, name) in zip(axes, blocks, strict=True):
            for axis, kind in zip(line, sets, strict=True):
                _differences(axis, part[part.set == kind].iloc[::-1], name)
                axis.set_title(f"{title}, {SET_NAMES[kind]}", fontsize=9)
        for axis in axes[-1]:
            axis.set_xlabel(f"targeted success beside {baseline}")
        save(figure, path, dpi)


def _differences(axis: plt.Axes, rows: pd.DataFrame, name: str) -> None:
    """The rows of a paired table, from below: each difference with its interval, and at the right that in PSNR."""
    axis.axvline(0, color="#333333", linewidth=0.8)
    for y, row in enumerate(rows.itertuples()):
        colour = "#2c7fb8" if row.difference_low > 0 else "#c2410c" if row.difference_high < 0 else "#888888"
        axis.plot([row.difference_low, row.difference_high], [y, y], color=colour, linewidth=1.4)
        filled = colour if np.isfinite(row.difference_low) else "white"
        axis.plot(row.difference, y, "o", color=colour, markerfacecolor=filled, markersize=4)
        if np.isfinite(row.psnr_difference):
            beside = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": 7, "color": "#666666"}
            axis.text(1.01, y, f"{row.psnr_difference:+.1f} dB", **beside)
    axis.set_yticks(range(len(rows)), rows[name], fontsize=8)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.grid(axis="x", alpha=0.25)


def saves(summary: pd.DataFrame, highlighted: list[str], path: Path, dpi: int) -> None:
    """Mean targeted success of each method after each save, for the F of the smallest label set; the untouched in grey."""
    table = summary[summary.labels == summary.labels.min()]
    order = list(dict.fromkeys(table.save))
    methods = [name for name in dict.fromkeys(table.method) if name != "identity"]
    styles = _method_styles(methods, highlighted) | {"identity": ("#999999", "_")}
    with plt.rc_context(STYLE):
        sets = list(table.set.unique())
        figure, axes = plt.subplots(1, len(sets), figsize=(4.6 * len(sets), 3.6), sharey=True, squeeze=False)
        for axis, kind in zip(axes.flat, sets, strict=True):
            for method in ("identity", *methods):
                part = table[(table.set == kind) & (table.method == method)].set_index("save").reindex(order)
                colour, mark = styles[method]
                shown = "untouched" if method == "identity" else method
                axis.plot(range(len(order)), part.targeted, marker=mark, color=colour, label=shown, markersize=4)
                axis.fill_between(range(len(order)), part.targeted_low, part.targeted_high, color=colour, alpha=0.1)
            axis.set_title(SET_NAMES[kind])
            axis.set_xticks(range(len(order)), order)
            axis.set_xlabel("saved as")
            axis.set_ylim(-0.03, 1.03)
            axis.grid(alpha=0.25)
        axes[0, 0].set_ylabel("mean targeted success over F")
        _legend(axes[0, -1], len(methods))
        save(figure, path, dpi)


def roc(scores: pd.DataFrame, detection: pd.DataFrame, highlighted: list[str], path: Path, dpi: int) -> None:
    """The ROC curve of each method's best detector, by the table `detection`: a line of panels for each question."""
    methods = list(dict.fromkeys(scores.method))
    styles = _method_styles(methods, highlighted)
    best = detection[detection.best].set_index(["method", "question", "set"]).detector
    with plt.rc_context(STYLE):
        sets, questions = list(scores.set.unique()), list(scores.question.unique())
        shape = (len(questions), len(sets))
        size = (3.8 * len(sets), 3.6 * len(questions))
        figure, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
        for axis, (question, kind) in zip(axes.flat, itertools.product(questions, sets), strict=True):
            for method in [name for name in methods if (name, question, kind) in best.index]:
                mine = (scores.method == method) & (scores.detector == best[method, question, kind])
                part = scores[mine & (scores.question == question) & (scores.set == kind)]
                false, true, _ = roc_curve(part.attacked, part.score)
                axis.plot(false, true, color=styles[method][0], label=method, linewidth=1.3)
            axis.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, linestyle="--")
            axis.set_title(f"{SET_NAMES[kind]}\n{QUESTIONS[question]}", fontsize=8)
            axis.set_aspect("equal")
        for line, question in zip(axes, questions, strict=True):
            line[0].set_ylabel("attacked pictures found")
            of_line = "untouched pictures accused" if question == "attacked" else "true photographs accused"
            for axis in line:
                axis.set_xlabel(of_line)
        _legend(axes[0, -1], len(methods))
        save(figure, path, dpi)


def success_against_detection(
    summary: pd.DataFrame, table: pd.DataFrame, highlighted: list[str], path: Path, dpi: int
) -> None:
    """Targeted success, a mean over F with its 95% interval, against the area under the best detector's ROC curve: a line of
    panels for each question. Hollow marks are informed F, by the `table` of each F. Methods whose names differ by a number
    alone are one attack at several strengths, and a line joins them.
    """
    summary = summary[summary.labels == summary.labels.min()]
    informed = table[table.role == "informed"]
    with plt.rc_context(STYLE):
        sets = list(summary.set.unique())
        questions = [name for name in QUESTIONS if f"auc_{name}" in summary]
        shape, size = (len(questions), len(sets)), (4.6 * len(sets), 3.6 * len(questions))
        figure, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
        methods = list(dict.fromkeys(summary.method[summary.auc_attacked.notna()]))
        styles = _method_styles(methods, highlighted)
        for axis, (question, kind) in zip(axes.flat, itertools.product(questions, sets), strict=True):
            part = summary[(summary.set == kind) & summary[f"auc_{question}"].notna()]
            for _, curve in part.groupby(part.method.str.replace(r"-\d+$", "", regex=True), sort=False):
                curve = curve.sort_values(f"auc_{question}")
                axis.plot(
                    curve[f"auc_{question}"], curve.targeted, color=styles[curve.method.iloc[0]][0], linewidth=0.8
                )
            for row in part.itertuples():
                colour, mark = styles[row.method]
                area = getattr(row, f"auc_{question}")
                error = np.clip([[row.targeted - row.targeted_low], [row.targeted_high - row.targeted]], 0, None)
                axis.errorbar(area, row.targeted, error, fmt=mark, color=colour, label=row.method, markersize=6)
                knowing = informed[(informed.method == row.method) & (informed.set == kind)].targeted
                axis.plot(np.full(len(knowing), area), knowing, mark, color=colour, fillstyle="none", markersize=6)
            axis.set_title(f"{SET_NAMES[kind]}\n{QUESTIONS[question]}", fontsize=8)
            axis.set_xlabel("AUC of the best detector")
            axis.set_xlim(0.47, 1.03)
            axis.set_ylim(-0.03, 1.03)
            axis.grid(alpha=0.25)
        for line in axes:
            line[0].set_ylabel("targeted success on F")
        _legend(axes[0, -1], len(methods))
        save(figure, path, dpi)


def _method_styles(methods: list[str], highlighted: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and mark of each method, the strong colours for the `highlighted` ones."""
    order = [name for name in highlighted if name in methods] + [name for name in methods if name not in highlighted]
    return {name: (COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)]) for i, name in enumerate(order)}


def _legend(axis: plt.Axes, entries: int) -> None:
    """Beside the last panel, in as many columns as it takes not to be higher than the panel."""
    if entries:
        columns = 1 + entries // 16
        axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), ncols=columns)


def per_label(table: pd.DataFrame, methods: list[str], path: Path, dpi: int) -> None:
    """Targeted success of some methods for each F and target label."""
    sets, height = list(table.set.unique()), 1.1 + 0.38 * table.classifier.nunique()
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(methods), len(sets), figsize=(3.9 * len(sets), height * len(methods)), squeeze=False
        )
        for axis, (method, kind) in zip(axes.flat, itertools.product(methods, sets), strict=True):
            part = (
                table[(table.method == method) & (table.set == kind)]
                .pivot_table(index="classifier", columns="target", values="targeted", sort=False)
                .sort_index(axis=1)
            )
            _heat_map(axis, part.to_numpy(), "Reds", 8, aspect="auto")
            turned = {"rotation": 45, "ha": "right"} if part.shape[1] > 4 else {}
            axis.set_xticks(range(part.shape[1]), [without_make(model) for model in part.columns], **turned)
            axis.set_yticks(range(part.shape[0]), part.index)
            axis.set_title(f"{method}, {SET_NAMES[kind]}")
            axis.set_xlabel("target camera")
        save(figure, path, dpi)


def sample_grid(samples: list[dict], targets: list[str], amplify: float, title: str, path: Path, dpi: int) -> None:
    """As in the paper's figure: x and x' for each y', and below each the amplified difference.

    A sample is a dict: `source` (name), `image` (H, W, 3) uint8, and `changed`, target name to (H, W, 3) uint8.
    """
    columns = 1 + len(targets)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2 * len(samples), columns, figsize=(1.9 * columns, 3.95 * len(samples) + 0.4), squeeze=False
        )
        for axis in axes.flat:
            axis.set_axis_off()
        for index, sample in enumerate(samples):
            _sample_rows(axes[2 * index], axes[2 * index + 1], sample, targets, amplify)
        figure.suptitle(title, fontsize=10)
        save(figure, path, dpi)


def _sample_rows(above: np.ndarray, below: np.ndarray, sample: dict, targets: list[str], amplify: float) -> None:
    """One sample: x and x' for each target in the axes `above`, the differences in those `below`."""
    above[0].imshow(sample["image"])
    above[0].set_title(f"x: {without_make(sample['source'])}", fontsize=8)
    below[0].text(0.5, 0.5, f"difference\nx{amplify:g}", ha="center", va="center", transform=below[0].transAxes)
    for column, target in enumerate(targets, start=1):
        if target not in sample["changed"]:
            above[column].text(0.5, 0.5, "own\ncamera", ha="center", va="center", color="#888888")
            continue
        changed = sample["changed"][target]
        difference = changed.astype(float) - sample["image"]
        above[column].imshow(changed)
        above[column].set_title(f"x' as {without_make(target)}", fontsize=8, fontweight="normal")
        below[column].imshow(np.clip(127.5 + amplify * difference, 0, 255).astype(np.uint8))
