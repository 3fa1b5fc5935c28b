"""Stage `manifest`: every photograph, decoded once and hashed."""

from pathlib import Path

from cama.data.manifest import build_manifest, scene_by_number, scene_unknown
from cama.files import write_text
from cama.settings.stages import ManifestSpec


def manifest(spec: ManifestSpec, photographs: list[Path], root: Path, out: Path, broken: Path) -> None:
    """Write the manifest of the folders `photographs` below `root`, and the photographs that were skipped."""
    scene_of = scene_by_number if spec.dataset.kind == "simulated" else scene_unknown
    skip = spec.dataset.broken == "skip"
    table, skipped = build_manifest(photographs, root, spec.models, scene_of, skip, spec.smallest)
    write_text(broken, skipped.to_csv(index=False))
    write_text(out, table.to_csv(index=False))
