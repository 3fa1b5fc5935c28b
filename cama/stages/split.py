"""Stages `split` and `check-split`: the division of the photographs among the roles."""

from pathlib import Path

import cama.data.splits
from cama.data.manifest import read_table
from cama.settings.stages import SplitStageSpec
from cama.storage.files import write_text
from cama.workflow.provenance import find_record


def split(spec: SplitStageSpec, manifest: Path, out: Path) -> None:
    """Write the manifest's rows with their roles, not yet checked."""
    table = cama.data.splits.split(read_table(manifest), spec.models, spec.split, spec.seed)
    write_text(out, table.to_csv(index=False))


def check_split(spec: SplitStageSpec, splits: Path, started: Path | None, out: Path) -> None:
    """Copy the splits to `out` if every role has its photographs and no two roles share what the policy forbids. `started`: the
    splits of the run as whose networks the adversary's begin, and by their record those of the run that these began as.
    """
    table = read_table(splits)
    cama.data.splits.check_counts(table, spec.split.expected)
    cama.data.splits.check(table, spec.split.policy)
    seen: set[Path] = set()
    while started and started not in seen:
        seen.add(started)
        cama.data.splits.check_start(table, read_table(started), spec.split.policy)
        record = find_record(started.absolute())
        inputs = record.absolute(record.inputs) if record else {}
        started = next((path for path in inputs if path.name == started.name), None)
    write_text(out, table.to_csv(index=False))
