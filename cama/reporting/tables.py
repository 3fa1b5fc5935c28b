"""Tables, each recomputed from rows. Rates are shares of photographs scored whole, with 95% intervals."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cama.core.errors import CamaError
from cama.evaluation.rates import paired, rate, wilson
from cama.storage.tables import read_csv

ROW_COLUMNS = (
    *("method", "run", "set", "save", "photograph", "row", "column", "source", "psnr", "ssim", "ms_ssim", "area_shift"),
    *("classifier", "role", "labels", "known", "predicted", "target"),
)
NOT_COUNTED = ("informed", "judge")  # roles that no mean is over
KEYS = ["method", "set", "save", "classifier"]
PICTURE = ["photograph", "row", "column"]
PAIR = ["set", "save", "labels", "classifier", *PICTURE, "target"]


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """The part of a table that is of its first save, that of the plots and of the report's headline."""
    return table[table.save == table.save.iloc[0]]


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """The rows of all methods, with what the same classifier predicts for the untouched photograph: `clean` for the PNG, and
    `clean_saved` after the row's save, as the encoder of the row's target writes it where the save is `target`.
    """
    rows = pd.concat([_read(path) for path in paths], ignore_index=True)
    same = ["classifier", *PICTURE]
    untouched = rows[rows.method == "identity"].drop_duplicates([*same, "target", "save"])
    png = untouched[untouched.save == "png"].drop_duplicates(same).set_index(same).predicted.rename("clean")
    saved = untouched.set_index([*same, "target", "save"]).predicted.rename("clean_saved")
    joined = rows.join(png, on=same).join(saved, on=[*same, "target", "save"])
    lost = joined[joined.clean_saved.isna()]
    if len(lost):
        raise CamaError(f"rows: found {lost.photograph.iloc[0]} under {lost.method.iloc[0]}, and not under identity")
    return joined


def _read(path: Path) -> pd.DataFrame:
    rows = read_csv(path)
    missing = [name for name in ROW_COLUMNS if name not in rows]
    if missing:
        raise CamaError(f"{path}: found no column {missing[0]!r}, expected the rows of an evaluation")
    return rows


def transfer_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, set, save and classifier; rates per label, then averaged.

    Untargeted success and clean accuracy are undefined where F does not know the source's model. The last columns are the
    rates on photographs that F got right before, those over patches where patches were scored, and the accuracy on untouched
    photographs after the same save.
    """
    table = []
    for keys, group in rows.groupby(KEYS, sort=False):
        known = bool(group.known.all())
        once = group.drop_duplicates(PICTURE)
        right = group[group.clean == group.source] if known else group[:0]
        table.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "role": group.role.iloc[0],
                "labels": group.labels.iloc[0],
                "photographs": group.photograph.nunique(),
                "transformations": len(group),
                "clean_accuracy": _accuracy(once, once.clean) if known else np.nan,
                **rate_with_bounds("targeted", group.predicted == group.target, group, resamples, seed, "target"),
                "chance": _chance(group),
                **_untargeted("untargeted", group, known, resamples, seed),
                **_distortion(group),
                **rate_with_bounds(
                    "targeted_where_right", right.predicted == right.target, right, resamples, seed, "target"
                ),
                **_untargeted("untargeted_where_right", right, known, resamples, seed),
                **_patches(group, known, resamples, seed),
                "clean_accuracy_after_save": _accuracy(group, group.clean_saved) if known else np.nan,
            }
        )
    return _with_oracle(pd.DataFrame(table), ["set", "save", "classifier"])


def _chance(group: pd.DataFrame) -> float:
    """The targeted success of the untouched photographs in the rows of one method: of the same photographs, saves and F."""
    return (group.clean_saved == group.target).groupby(group.target).mean().mean()


def _with_oracle(table: pd.DataFrame, cell: list[str]) -> pd.DataFrame:
    """The table with the oracle's targeted success in the same cell behind `chance`, and the share of it; undefined where the
    run has no oracle.
    """
    place, cells = table.columns.get_loc("chance") + 1, pd.MultiIndex.from_frame(table[cell])
    found = table[table.method == "oracle"].set_index(cell).targeted
    table.insert(place, "oracle", found.reindex(cells).to_numpy())
    table.insert(place + 1, "share_of_oracle", table.targeted / table.oracle.where(table.oracle > 0))
    return table


def _accuracy(rows: pd.DataFrame, predicted: pd.Series) -> float:
    """The share of untouched photographs that F got right, by model and then averaged."""
    return (predicted == rows.source).groupby(rows.source).mean().mean()


def rate_with_bounds(
    name: str, hit: pd.Series, group: pd.DataFrame, resamples: int, seed: int, by: str | None = None
) -> dict[str, float]:
    """A rate of `group` and its bounds; with `by`, for each value of that column and then averaged."""
    figures = rate(hit, group.photograph, resamples, seed, None if by is None else group[by], group.run)
    return dict(zip((name, f"{name}_low", f"{name}_high"), figures, strict=True))


def _untargeted(name: str, group: pd.DataFrame, known: bool, resamples: int, seed: int) -> dict[str, float]:
    group = group if known else group[:0]
    return rate_with_bounds(name, group.predicted != group.source, group, resamples, seed, "source")


def _patches(group: pd.DataFrame, known: bool, resamples: int, seed: int) -> dict[str, float]:
    """Rates over patches, which the rows hold as shares of each picture's."""
    if "patches_targeted" not in group:
        return {}
    known_group = group if known else group[:0]
    return {
        **rate_with_bounds("patches_targeted", group.patches_targeted, group, resamples, seed, "target"),
        **rate_with_bounds(
            "patches_untargeted", known_group.patches_untargeted, known_group, resamples, seed, "source"
        ),
    }


def _distortion(group: pd.DataFrame) -> dict[str, float]:
    finite = group.psnr[np.isfinite(group.psnr)]
    others = {name: group[name].mean() for name in ("ssim", "ms_ssim", "area_shift", "lpips") if name in group}
    return {"psnr": finite.mean(), "psnr_p05": finite.quantile(0.05), "psnr_worst": finite.min(), **others}


def per_label_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """Targeted success of each method and classifier towards each label: Wilson's interval, or the clustered one where a
    photograph gave several crops.
    """
    table = []
    for keys, group in rows.groupby([*KEYS, "target"], sort=False):
        hit = group.predicted == group.target
        if group.photograph.is_unique:
            cell = dict(zip(("targeted_low", "targeted_high"), wilson(int(hit.sum()), len(group)), strict=True))
            cell = {"targeted": hit.mean(), **cell}
        else:
            cell = rate_with_bounds("targeted", hit, group, resamples, seed)
        about = {**dict(zip([*KEYS, "target"], keys, strict=True)), "transformations": len(group)}
        table.append({**about, **cell, "chance": _chance(group)})
    return _with_oracle(pd.DataFrame(table), ["set", "save", "classifier", "target"])


def summary_table(rows: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """One row for each method, set, save and size of label set: means over F, the worst F, the worst label, the worst cell (F,
    source, target), the rates on what F got right before, and of which `roles` the F are. Informed F and judges are in none
    of them.
    """
    rows, table = counted(rows), []
    keys = ["method", "set", "save", "labels"]
    for values, group in rows.groupby(keys, sort=False):
        hit, known = group.predicted == group.target, bool(group.known.all())
        right = group[group.clean == group.source] if known else group[:0]
        by_classifier = hit.groupby([group.classifier, group.target]).mean().groupby(level=0).mean()
        roles = group.drop_duplicates("classifier").role.value_counts(sort=False)
        table.append(
            {
                **dict(zip(keys, values, strict=True)),
                "photographs": group.photograph.nunique(),
                **rate_with_bounds("targeted", hit, group, resamples, seed, "target"),
                "chance": _chance(group),
                "targeted_worst_classifier": by_classifier.min(),
                "targeted_worst_label": hit.groupby(group.target).mean().min(),
                "targeted_worst_cell": hit.groupby([group.classifier, group.source, group.target]).mean().min(),
                **_untargeted("untargeted", group, known, resamples, seed),
                **rate_with_bounds(
                    "targeted_where_right", right.predicted == right.target, right, resamples, seed, "target"
                ),
                **_untargeted("untargeted_where_right", right, known, resamples, seed),
                **_distortion(group),
                "roles": ", ".join(f"{number} {role}" for role, number in roles.items()),
            }
        )
    return _with_oracle(pd.DataFrame(table), ["set", "save", "labels"])


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the F that means are over: neither informed ones, which have trained on attacked pictures, nor judges."""
    return rows[~rows.role.isin(NOT_COUNTED)]


def paired_table(rows: pd.DataFrame, baseline: str, resamples: int, seed: int) -> pd.DataFrame:
    """Each method beside `baseline` on the same photographs and targets, for each F and, as `all`, over all F of one size of
    label set but informed ones and judges. `difference` is in targeted success; `fewer_failures` the share of the baseline's
    failures that is gone, negative where there are more; both with 95% bootstrap bounds over photographs and trainings.
    """
    finite = rows.psnr.where(np.isfinite(rows.psnr))
    scored = rows.assign(hit=(rows.predicted == rows.target).astype(float), psnr=finite)
    hits = {
        name: part.pivot(index=PAIR, columns="run", values="hit") for name, part in scored.groupby("method", sort=False)
    }
    psnrs = scored.groupby(["method", *PAIR], sort=False).psnr.mean()
    roles = rows.drop_duplicates("classifier").set_index("classifier").role  # informed to one method is informed to all
    table, order = [], {save: place for place, save in enumerate(rows.save.unique())}  # pivot has sorted them
    for method in [name for name in hits if name not in (baseline, "identity")]:
        both = hits[method].add_suffix("_after").join(hits[baseline].add_suffix("_before"), how="inner")
        both = both.sort_index(level="save", key=lambda saves: saves.map(order), sort_remaining=False, kind="stable")
        after, before = np.split(both.to_numpy(), [hits[method].shape[1]], axis=1)
        psnr_differences = (psnrs[method] - psnrs[baseline]).reindex(both.index)
        trials = both.index.to_frame(index=False)
        for keys, chosen in _by_classifier(trials.assign(role=trials.classifier.map(roles))):
            weight = (1 / chosen.target.map(chosen.target.value_counts())).to_numpy(float)
            photographs = chosen.photograph.to_numpy()
            figures = paired(after[chosen.index], before[chosen.index], photographs, resamples, seed, weight)
            psnr_difference = psnr_differences.iloc[chosen.index].mean()
            table.append((method, baseline, *keys, len(chosen), *figures, psnr_difference))
    bounded = [f"{name}{bound}" for name in ("difference", "fewer_failures") for bound in ("", "_low", "_high")]
    keys = ["set", "save", "labels", "classifier"]
    return pd.DataFrame(table, columns=["method", "baseline", *keys, "pairs", *bounded, "psnr_difference"])


def _by_classifier(trials: pd.DataFrame) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """The trials of each set, save, size of label set and classifier, and then of all such classifiers that means are over,
    with these keys.
    """
    for keys, group in trials.groupby(["set", "save", "labels"], sort=False):
        for name in group.classifier.unique():
            yield (*keys, name), group[group.classifier == name]
        means_of = counted(group)
        if len(means_of):
            yield (*keys, "all"), means_of


def with_interval_kind(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with a last column `interval`: what the intervals of each row are over. Those of a method, or of a baseline,
    that was trained several times are over trainings too.
    """
    repeated = rows.groupby("method").run.nunique() > 1
    over = table.method.map(repeated)
    if "baseline" in table:
        over |= table.baseline.map(repeated)
    return table.assign(interval=np.where(over, "over photographs and trainings", "over photographs alone"))
