"""Stage `patches`: one role's photographs, cut to HDF5."""

from pathlib import Path

from cama.core.errors import CamaError
from cama.data.crops import extract
from cama.data.manifest import read_table
from cama.settings.stages import PatchesStageSpec


def patches(spec: PatchesStageSpec, splits: Path, root: Path, out: Path) -> None:
    """Write the patches of a training role, or the whole crops of a test role. Without out-of-distribution
    models their test has no photographs; the stage `split` refuses every other role without photographs.
    """
    table = read_table(splits)
    table = table[table.role == spec.role]
    if table.empty and spec.role != "test_outdist":
        raise CamaError(f"{splits}: found no photograph of the role {spec.role}")
    extract(table, root, spec.labels, spec.patches, spec.role.startswith("test"), spec.seed, spec.fields, out)
