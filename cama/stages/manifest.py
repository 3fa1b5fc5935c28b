"""Stage `manifest`: every photograph, decoded once and hashed."""

from pathlib import Path

from cama.data.manifest import build_manifest
from cama.settings.stages import ManifestSpec
from cama.storage.files import write_text


def manifest(spec: ManifestSpec, photographs: list[Path], root: Path, out: Path, broken: Path) -> None:
    """Write the manifest of the folders `photographs` below `root`, and the photographs that were skipped."""
    skip = spec.dataset.broken == "skip"
    table, skipped = build_manifest(photographs, root, spec.models, spec.dataset.kind, skip, spec.smallest)
    write_text(broken, skipped.to_csv(index=False))
    write_text(out, table.to_csv(index=False))
