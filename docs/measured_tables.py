"""Tables of what docs/measured holds: rows, controls and tables of finished runs, an archive a catalogue."""

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from cama.reporting.formats import to_markdown
from cama.reporting.joined import t_width
from cama.reporting.tables import ROW_COLUMNS, counted, paired_table
from cama.settings.loading import load_config

PROJECT = Path(__file__).parents[1]
MEASURED = PROJECT / "docs" / "measured"

HEADLINE = {
    "cama-plus": "`cama-plus`",
    "cama": "`cama`, the paper's method in small",
    "spectrum": "a linear filter",
    "mi_fgsm-plus": "MI-FGSM on the classifiers of `cama-plus`",
}
# F whose architecture no network of any adversary has; the first is no neural network
OTHER_FAMILIES = ["cooccurrences", "convnext"]
SAVES = ["target", "png", "jpeg85"]
RESAMPLES = 1000


def claim_archives(measured: Path = MEASURED) -> list[Path]:
    """The catalogues of `config/claim-plus.yaml` that were measured."""
    return sorted((measured / "claim-plus").glob("*.tar.xz"))


def headline(measured: Path = MEASURED) -> str:
    """Targeted success of a few methods as delivered, on simulated and real cameras, beside chance and oracle."""
    claim = [_summary(path) for path in claim_archives(measured)]
    drawn = load_config(PROJECT / "config.yaml", PROJECT / "config" / "claim-plus.yaml").simulation.catalogue_seeds
    rows = _headline_rows(f"simulated, {len(claim)} of {len(drawn)} catalogues", claim)
    cameras = measured / "cameras.tar.xz"
    if cameras.exists():
        rows += _headline_rows("real, one body each", [_summary(cameras)])
    return to_markdown(pd.DataFrame(rows).fillna(""), 2)


def _summary(archive: Path, save: str = SAVES[0]) -> pd.DataFrame:
    """What a catalogue's summary says after a save, by method and set, of the F of the fewest labels."""
    return _after(_read_summary(archive), save)


def _read_summary(archive: Path) -> pd.DataFrame:
    with tarfile.open(archive) as file:
        return pd.read_csv(file.extractfile("tables/summary.csv"))


def _after(table: pd.DataFrame, save: str) -> pd.DataFrame:
    return table[(table.save == save) & (table.labels == table.labels.min())].set_index(["method", "set"])


def _headline_rows(cameras: str, catalogues: list[pd.DataFrame]) -> list[dict[str, str]]:
    rows = []
    for method, name in HEADLINE.items():
        cells = {"cameras": cameras, "method": name}
        found = {kind: pd.DataFrame([table.loc[(method, kind)] for table in catalogues]) for kind in ("in", "out")}
        cells |= {kind: _rate(part) for kind, part in found.items()}
        for beside in ("chance", "oracle"):  # which real cameras do not have
            known = [part[beside].mean() for part in found.values() if part[beside].notna().all()]
            cells[beside] = ", ".join(f"{value:.2f}" for value in known)
        rows.append(cells)
    return rows


def strengths(archive: Path, methods: dict[str, str]) -> str:
    """Targeted success of the methods of these names at other strengths, as delivered, and what it is more or less than that
    of the first on the same photographs; and the PSNR of files of the known cameras.
    """
    with tarfile.open(archive) as file:
        summary, paired = (pd.read_csv(file.extractfile(f"tables/{name}.csv")) for name in ("summary", "paired"))
    summary = summary[summary.save == SAVES[0]].set_index(["method", "set"])
    paired = paired[(paired.save == SAVES[0]) & (paired.classifier == "all")].set_index(["method", "set"])
    rows = []
    for method, name in methods.items():
        row = {"`--psnr`": name}
        for kind in ("in", "out"):
            row[kind] = with_bounds(summary.loc[(method, kind)])
            beside = (method, kind) in paired.index
            row[f"{kind}, difference"] = with_bounds(paired.loc[(method, kind)], "difference", 3) if beside else ""
        levels = summary.loc[(method, "in"), ["psnr", "psnr_p05", "psnr_worst"]]
        rows.append({**row, "PSNR, in: mean, 5%, worst": ", ".join(f"{level:.1f}" for level in levels)})
    return to_markdown(pd.DataFrame(rows), 2)


def success_rates(archives: list[Path]) -> str:
    """Targeted success of every method in- and out-of-distribution after each of the saves, and how many photographs were
    attacked; as delivered, in and out, its chance, its worst F and its worst label, and of the former the PSNR.
    """
    summaries = [_read_summary(path) for path in archives]
    tables = {save: [_after(summary, save) for summary in summaries] for save in SAVES}
    rows = []
    for method in tables["target"][0].index.unique("method"):
        cells = {"method": f"`{method}`"}
        for save, parts in tables.items():
            for kind in ("in", "out"):
                found = [table.loc[(method, kind)] for table in parts if (method, kind) in table.index]
                cells[f"{kind}, {save}"] = _rate(pd.DataFrame(found)) if found else ""
        known, others = (pd.DataFrame([t.loc[(method, kind)] for t in tables["target"]]) for kind in ("in", "out"))
        cells["chance"] = f"{known.chance.mean():.2f}, {others.chance.mean():.2f}"
        for name, column in (("worst F", "targeted_worst_classifier"), ("worst label", "targeted_worst_label")):
            cells[name] = f"{known[column].min():.2f}, {others[column].min():.2f}"
        cells["PSNR, in: mean, 5%, worst"] = (
            f"{known.psnr.mean():.1f}, {known.psnr_p05.mean():.1f}, {known.psnr_worst.min():.1f}"
        )
        cells["photographs"] = f"{known.photographs.iloc[0]:.0f}, {others.photographs.iloc[0]:.0f}"
        rows.append(cells)
    table = pd.DataFrame(rows)
    return to_markdown(table.loc[:, (table != "").any()], 2)


def beside_others(archives: list[Path], method: str = "cama-plus") -> str:
    """How much further a method comes than each other one on the photographs and targets that both have, over all F, and over
    those of other families.
    """
    columns: dict[str, list[pd.DataFrame]] = {}
    for archive in archives:
        rows = _rows(archive)
        rows = rows[rows.method != "identity"]
        for families, part in {"": rows, ", other families": rows[rows.classifier.isin(OTHER_FAMILIES)]}.items():
            table = paired_table(part, method, RESAMPLES, 1)
            table = table[(table.classifier == "all") & (table.labels == table.labels.min())]
            for (kind, save), one in table.groupby(["set", "save"], sort=False):
                columns.setdefault(f"{kind}, {save}{families}", []).append(one.set_index("method"))
    names = list(next(iter(columns.values()))[0].index)
    order = [
        f"{kind}, {save}{families}" for families in ("", ", other families") for save in SAVES for kind in ("in", "out")
    ]
    table = {
        name: [_difference([one.loc[other] for one in columns[name]]) for other in names]
        for name in order
        if name in columns
    }
    return to_markdown(pd.DataFrame({"beside": [f"`{name}`" for name in names], **table}), 2)


def failures(archive: Path, method: str = "cama-plus") -> str:
    """For each target, as delivered: the success, that of the same photographs untouched, what F say where they miss it, how
    often that is the photograph's own camera, and how many cells of F and source never reach it.
    """
    delivered = (_rows(archive, name) for name in (method, "identity"))
    rows, untouched = (counted(one[one.save == SAVES[0]]) for one in delivered)
    keys = ["set", "classifier", "photograph", "target"]
    untouched = untouched.merge(rows[keys].drop_duplicates())
    table = []
    for target, group in rows.groupby("target"):
        cells: dict[str, str] = {"target": str(target)}
        for kind, part in group.groupby("set"):
            before = untouched[(untouched.target == target) & (untouched.set == kind)]
            missed = part[part.predicted != part.target]
            said = ", ".join(f"{name} {number}" for name, number in missed.predicted.value_counts().head(2).items())
            reached = (part.predicted == part.target).groupby([part.classifier, part.source]).any()
            cells[f"{kind}"] = f"{(part.predicted == part.target).mean():.2f}"
            cells[f"{kind}, untouched"] = f"{(before.predicted == target).mean():.2f}"
            cells[f"{kind}, missed"] = f"{len(missed)} of {len(part)}"
            cells[f"{kind}, F say most"] = said
            if kind == "in":
                cells["in, own camera"] = str((missed.predicted == missed.source).sum())
            cells[f"{kind}, cells never reached"] = f"{(~reached).sum()} of {len(reached)}"
        table.append(cells)
    return to_markdown(pd.DataFrame(table), 2)


def _rows(archive: Path, method: str = "") -> pd.DataFrame:
    """The rows of a method, or of all, as delivered and as PNG."""
    with tarfile.open(archive) as file:
        members = [one for one in file.getmembers() if one.name.startswith("rows/")]
        chosen = [one for one in members if method in ("", Path(one.name).stem)]
        parts = [pd.read_csv(file.extractfile(one), usecols=ROW_COLUMNS) for one in chosen]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows.save.isin(SAVES[:2])]


def _rate(parts: pd.DataFrame) -> str:
    """A success rate: of one catalogue with its own interval, of several their mean with a 95% t interval."""
    if len(parts) > 1:
        return _over_catalogues(parts.targeted)
    return with_bounds(parts.iloc[0])


def with_bounds(row: pd.Series, figure: str = "targeted", digits: int = 2) -> str:
    """A row's targeted success, or another figure, with its interval."""
    value, low, high = (f"{row[name]:.{digits}f}" for name in (figure, f"{figure}_low", f"{figure}_high"))
    return f"{value} ({low} to {high})"


def _over_catalogues(values: pd.Series) -> str:
    """The mean with a 95% t interval, from 0 to 1, where there are catalogues enough for one."""
    half = _half(values)
    bounds = "" if np.isnan(half) else f" ({max(0, values.mean() - half):.2f} to {min(1, values.mean() + half):.2f})"
    return f"{values.mean():.2f}{bounds}"


def _difference(rows: list[pd.Series]) -> str:
    """What the method has more than another, whose rows beside it these are."""
    values = pd.Series([-row.difference for row in rows])
    if len(rows) > 1:
        half = _half(values)
        bounds = values.mean(), values.mean() - half, values.mean() + half
    else:
        bounds = values[0], -rows[0].difference_high, -rows[0].difference_low
    shown = [f"{round(value, 2) + 0:.2f}" for value in bounds]  # + 0: no -0.00
    return shown[0] if np.isnan(bounds[1]) else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _half(values: pd.Series) -> float:
    """Half the width of the t interval of a mean over catalogues; NaN where there is none."""
    width = t_width(pd.Series([len(values)]), pd.Series([values.std()]))
    return float(width.iloc[0] / len(values) ** 0.5)
