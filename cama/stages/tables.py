"""Stage `tables`: every table, recomputed from the rows."""

from pathlib import Path

from cama.config import TablesStageSpec
from cama.files import write_text
from cama.reporting.tables import per_label_table, read_rows, summary_table, to_markdown, transfer_table
from cama.seeds import derive_seed

DIGITS = "%.6g"


def tables(spec: TablesStageSpec, rows: list[Path], out: Path) -> None:
    """Write transfer, per-label and summary tables, as CSV and as Markdown, to the folder `out`."""
    scored = read_rows(rows)
    seed, resamples = derive_seed(spec.seed, "bootstrap"), spec.tables.resamples
    results = {
        "transfer": transfer_table(scored, resamples, seed),
        "per_label": per_label_table(scored, resamples, seed),
        "summary": summary_table(scored, resamples, seed),
    }
    for name, table in results.items():
        write_text(out / f"{name}.csv", table.to_csv(index=False, float_format=DIGITS))
        write_text(out / f"{name}.md", to_markdown(table))
