"""Tables, each recomputed from rows. Rates are shares of photographs scored whole, with 95% intervals."""

from pathlib import Path

import numpy as np
import pandas as pd

from cama.errors import CamaError
from cama.files import read_csv
from cama.transfer.rates import paired, rate, wilson

ROW_COLUMNS = (
    *("method", "set", "save", "photograph", "row", "column", "source", "psnr", "ssim"),
    *("classifier", "labels", "known", "predicted", "target"),
)
KEYS = ["method", "set", "save", "classifier"]
PATCHES = ("patches_targeted", "patches_untargeted")
PICTURE = ["photograph", "row", "column"]
PAIR = ["set", "save", "labels", "classifier", *PICTURE, "target"]


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """The rows of all methods, with `clean`: what the same classifier said of the untouched photograph."""
    rows = pd.concat([_read(path) for path in paths], ignore_index=True)
    same = ["classifier", *PICTURE]
    untouched = rows[(rows.method == "identity") & (rows.save == "png")].drop_duplicates(same)
    return rows.join(untouched.set_index(same).predicted.rename("clean"), on=same)


def _read(path: Path) -> pd.DataFrame:
    rows = read_csv(path)
    missing = [name for name in ROW_COLUMNS if name not in rows]
    if missing:
        raise CamaError(f"{path}: found no column {missing[0]!r}, expected the rows of an evaluation")
    return rows


def transfer_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method, set, save and classifier; rates per label, then averaged.

    Untargeted success and clean accuracy are undefined where F does not know the source's model. Behind them stand the
    rates on photographs that F got right before, and where patches were scored, those over patches.
    """
    table = []
    for keys, group in rows.groupby(KEYS, sort=False):
        known = bool(group.known.all())
        cell = _cell(group, resamples, seed, known)
        once = group.drop_duplicates(PICTURE)
        right = group[group.clean == group.source]
        only = _cell(right, resamples, seed, known) if known else {}
        patches = {name: group[name].mean() if name in group else np.nan for name in PATCHES}
        table.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "labels": group.labels.iloc[0],
                "photographs": group.photograph.nunique(),
                "transformations": len(group),
                "clean_accuracy": (once.clean == once.source).groupby(once.source).mean().mean() if known else np.nan,
                **cell,
                **_distortion(group),
                **{f"{name}_where_right": only.get(name, np.nan) for name in cell},
                **patches,
            }
        )
    return pd.DataFrame(table)


def _cell(group: pd.DataFrame, resamples: int, seed: int, known: bool) -> dict[str, float]:
    """Targeted and untargeted success with their bounds."""
    targeted = rate(group.predicted == group.target, group.photograph, resamples, seed, group.target)
    untargeted = (np.nan,) * 3
    if known:
        untargeted = rate(group.predicted != group.source, group.photograph, resamples, seed, group.source)
    names = [f"{name}{bound}" for name in ("targeted", "untargeted") for bound in ("", "_low", "_high")]
    return dict(zip(names, (*targeted, *untargeted), strict=True))


def _distortion(group: pd.DataFrame) -> dict[str, float]:
    finite = group.psnr[np.isfinite(group.psnr)]
    return {"psnr": finite.mean(), "psnr_p05": finite.quantile(0.05), "ssim": group.ssim.mean()}


def per_label_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """Targeted success of each method and classifier towards each label: Wilson's interval, or the clustered one where a
    photograph gave several crops.
    """
    table = []
    for keys, group in rows.groupby([*KEYS, "target"], sort=False):
        hit = group.predicted == group.target
        share, low, high = rate(hit, group.photograph, resamples, seed)
        if group.photograph.is_unique:
            low, high = wilson(int(hit.sum()), len(group))
        cell = {
            "transformations": len(group),
            "targeted": share,
            "targeted_low": low,
            "targeted_high": high,
        }
        table.append({**dict(zip([*KEYS, "target"], keys, strict=True)), **cell})
    return pd.DataFrame(table)


def summary_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row a method, set, save and size of label set: means over F, the worst F, the worst label, and the rates on what
    F got right before.
    """
    table = []
    keys = ["method", "set", "save", "labels"]
    for values, group in rows.groupby(keys, sort=False):
        hit = group.predicted == group.target
        mean, low, high = rate(hit, group.photograph, resamples, seed, group.target)
        right, known = group.clean == group.source, bool(group.known.all())
        by_classifier = hit.groupby([group.classifier, group.target]).mean().groupby(level=0).mean()
        table.append(
            {
                **dict(zip(keys, values, strict=True)),
                "photographs": group.photograph.nunique(),
                "targeted": mean,
                "targeted_low": low,
                "targeted_high": high,
                "targeted_worst_classifier": by_classifier.min(),
                "targeted_worst_label": hit.groupby(group.target).mean().min(),
                "targeted_where_right": hit[right].mean() if known else np.nan,
                "untargeted_where_right": (group.predicted != group.source)[right].mean() if known else np.nan,
                "psnr": _distortion(group)["psnr"],
                "ssim": group.ssim.mean(),
            }
        )
    return pd.DataFrame(table)


def paired_table(rows: pd.DataFrame, baseline: str, resamples: int, seed: int) -> pd.DataFrame:
    """Each method beside `baseline` on the same photographs and targets, for each F and, as `all`, over all F of one size of
    label set. `difference` is in targeted success; `fewer_failures` the share of the baseline's failures that is gone,
    negative where there are more; both with 95% bootstrap bounds over photographs.
    """
    columns = ["method", "baseline", "set", "save", "labels", "classifier", "pairs"]
    columns += [f"{name}{bound}" for name in ("difference", "fewer_failures") for bound in ("", "_low", "_high")]
    table = []
    scored = rows.assign(hit=(rows.predicted == rows.target).astype(float))
    before = scored[scored.method == baseline].set_index(PAIR)[["hit", "psnr"]].add_prefix("baseline_")
    for method in [name for name in rows.method.unique() if name not in (baseline, "identity")]:
        both = scored[scored.method == method].join(before, on=PAIR, how="inner")
        for kind, _ in both.groupby(["set", "save", "labels"], sort=False):
            chosen = both[(both[["set", "save", "labels"]] == list(kind)).all(axis=1)]
            for name in [*chosen.classifier.unique(), "all"]:
                group = chosen if name == "all" else chosen[chosen.classifier == name]
                weight = (1 / group.target.map(group.target.value_counts())).to_numpy(float)
                figures = paired(
                    group.hit.to_numpy(),
                    group.baseline_hit.to_numpy(),
                    group.photograph.to_numpy(),
                    resamples,
                    seed,
                    weight,
                )
                table.append(
                    {
                        **dict(zip(columns, (method, baseline, *kind, name, len(group), *figures), strict=True)),
                        "psnr_difference": (group.psnr - group.baseline_psnr).mean(),
                    }
                )
    return pd.DataFrame(table, columns=[*columns, "psnr_difference"])


def to_markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as GitHub Markdown; undefined cells are empty."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.{digits}f}"
        return str(value)

    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"
