"""What `--resize`, `--crop` and `--device-noise` leave of the fingerprints of real devices, at full size: photographs against
the fingerprint of their own device, of its flat fields, and of another of the model. As `cama device-table`, which has
simulated devices.

    uv run python -m tests.forensics.measure_devices ../shared/data/dresden-sample --out devices.csv
"""

import argparse
from pathlib import Path

import pandas as pd

from cama.commands.device_table import OTHER, OWN, compared
from cama.core.progress import Progress
from cama.forensics.thresholds import MATCH_PCE
from cama.storage.images import read_rgb


def by_device(folder: Path) -> dict[str, list[Path]]:
    """Photographs of a folder by device, MAKE_MODEL_DEVICE, which their names begin with."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.JPG")):
        found.setdefault(path.stem.rpartition("_")[0], []).append(path)
    return found


def measured(folder: Path, most: int) -> pd.DataFrame:
    """A row for each photograph (at most so many of a device), treatment and fingerprint."""
    flats, natural = by_device(folder / "flatfield"), by_device(folder / "natural")
    rows: list[tuple] = []
    progress = Progress("devices", len(natural))
    for done, (device, paths) in enumerate(natural.items(), start=1):
        other = next(one for one in flats if one != device and one.rpartition("_")[0] == device.rpartition("_")[0])
        rows += compared(
            {path.name: read_rgb(path) for path in paths[:most]},
            {whose: [read_rgb(path) for path in flats[one]] for whose, one in ((OWN, device), (OTHER, other))},
            lambda _kind, _percent, name: int(Path(name).stem.rpartition("_")[2]),
        )
        progress.update(done)
    return pd.DataFrame(rows, columns=["device", "treatment", "percent", "bent", "photograph", "pce", "bent_match"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with flatfield/ and natural/")
    parser.add_argument("--most", type=int, default=1, help="photographs of a device")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    table = measured(options.folder, options.most)
    table.to_csv(options.out, index=False, float_format="%.5g")
    by = table.groupby(["treatment", "percent", "bent", "device"], sort=False)
    shown = by.agg(
        pce=("pce", "median"),
        matches=("pce", lambda one: (one > MATCH_PCE).mean()),
        bent_match=("bent_match", "median"),
    )
    print(len(table.photograph.unique()), "photographs")
    print(shown.unstack("device").round(2).to_markdown())
