"""A method's result as one JSON record, by which runs of different people stand side by side; `docs/result.schema.json`."""

from pathlib import Path
from typing import Any

import pandas as pd

from cama.core.errors import CamaError
from cama.storage.tables import read_csv

FORMAT, VERSION = "cama result", 1
RATES = ("targeted", "untargeted")
PLAIN = (
    "chance",
    "oracle",
    "share_of_oracle",
    "targeted_worst_classifier",
    "targeted_worst_label",
    "targeted_worst_cell",
)
PLAIN += ("psnr", "psnr_p05", "psnr_worst", "ssim", "ms_ssim", "area_shift")
CELL = ("set", "save", "labels")


def result_record(tables: Path, method: str, about: dict[str, Any]) -> dict[str, Any]:
    """The record of a method from the folder of a run's tables, those over several catalogues where it has them. `about`: what
    the tables do not say: `cameras`, `targets` and `versions`.
    """
    over_catalogues = (tables / "joined.csv").exists()
    figures, judges, count = (_joined if over_catalogues else _single)(tables, method)
    if not figures:
        raise CamaError(f"--method: found {method!r}, expected a method of the tables in {tables}")
    return {
        "format": FORMAT,
        "version": VERSION,
        "method": method,
        **about,
        "catalogues": count,
        "figures": figures,
        "judges": judges,
    }


def _single(tables: Path, method: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    summary, transfer = (read_csv(tables / f"{name}.csv") for name in ("summary", "transfer"))
    names = [*CELL, "photographs", *(f"{rate}{bound}" for rate in RATES for bound in ("", "_low", "_high")), *PLAIN]
    names += ["roles", "interval"]
    chosen = summary[summary.method == method]
    judged = transfer[(transfer.method == method) & (transfer.role == "judge")]
    of_judge = ["classifier", *CELL, "photographs", "clean_accuracy"]
    of_judge += ["targeted", "targeted_low", "targeted_high", "chance", "oracle", "untargeted"]
    return _records(chosen, names), _records(judged, of_judge), 1


def _joined(tables: Path, method: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    joined = read_csv(tables / "joined.csv")
    chosen = joined[joined.method == method]
    means = chosen[(chosen.role == "all") & (chosen.classifier == "all")]
    judged = chosen[chosen.role == "judge"]
    oracles = joined[(joined.method == "oracle") & (joined.figure == "targeted")].set_index(
        [*CELL, "role", "classifier"]
    )
    found = []
    for part, keys in ((means, list(CELL)), (judged, ["classifier", *CELL])):
        records = []
        for values, group in part.groupby(keys, sort=False):
            record = dict(zip(keys, values, strict=True))
            for row in group.itertuples():
                record |= {row.figure: row.mean, f"{row.figure}_low": row.mean_low, f"{row.figure}_high": row.mean_high}
            first = group.iloc[0]
            place = (*(record[name] for name in CELL), first.role, first.classifier)
            oracle = float(oracles["mean"].get(place, float("nan")))
            record |= {"oracle": oracle, "share_of_oracle": record["targeted"] / oracle if oracle > 0 else float("nan")}
            records.append({**record, "interval": first.interval})
        found.append(records)
    return found[0], found[1], int(chosen.catalogues.max()) if len(chosen) else 0


def _records(table: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    shown = table[[name for name in names if name in table]]
    return [{name: value for name, value in row.items() if not pd.isna(value)} for row in shown.to_dict("records")]
