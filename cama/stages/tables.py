"""Stage `tables`: every table, recomputed from the rows."""

from pathlib import Path

import pandas as pd

from cama.core.seeds import derive_seed
from cama.reporting.auto import auto_table
from cama.reporting.detectability import detection_table, devices_table, with_detection
from cama.reporting.formats import write_table
from cama.reporting.scene_readers import mark_scene_readers, means_without_scene_readers
from cama.reporting.tables import (
    paired_table,
    per_label_table,
    read_rows,
    summary_table,
    transfer_table,
    with_interval_kind,
)
from cama.settings.stages import TablesStageSpec
from cama.storage.tables import read_csv


def tables(
    spec: TablesStageSpec,
    rows: list[Path],
    auto: list[Path] | None,
    readers: Path,
    detections: list[Path] | None,
    devices: list[Path] | None,
    out: Path,
) -> None:
    """Write the tables to the folder `out` as CSV, Markdown and LaTeX: transfer, per label, summary, and those of the
    baseline, of the methods that choose their targets, of the detectors and of the devices where there are any. `rows`: of
    the methods that are scored towards every target; `auto`: of those that choose one; `readers`: the table of the F that read
    scenes.
    """
    scored = read_rows(rows)
    found = read_csv(readers)
    reading = set(found.classifier[found.reads_scenes])
    seed, resamples = derive_seed(spec.seed, "bootstrap"), spec.tables.resamples
    results = {
        "transfer": mark_scene_readers(transfer_table(scored, resamples, seed), reading),
        "per_label": per_label_table(scored, resamples, seed),
        "summary": means_without_scene_readers(
            summary_table(scored, resamples, seed), scored, reading, resamples, seed
        ),
    }
    if spec.tables.baseline:
        results["paired"] = paired_table(scored, spec.tables.baseline, resamples, seed)
    results = {name: with_interval_kind(table, scored) for name, table in results.items()}
    if auto:
        chosen = pd.concat(map(read_csv, auto))
        results["auto"] = with_interval_kind(auto_table(chosen, resamples, seed), chosen)
    if detections:
        results["detection"] = detection_table(pd.concat(map(read_csv, detections)), resamples, seed)
        results["summary"] = with_detection(results["summary"], results["detection"])
    if devices:
        results["devices"] = devices_table(pd.concat(map(read_csv, devices)), resamples, seed)
    for name, table in results.items():
        write_table(out, name, table)
