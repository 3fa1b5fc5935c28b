"""Stage `devices`: is the device's own fingerprint still in the attacked pictures?

Of each test device, every second test photograph (untouched) gives its fingerprint, and the others are compared with it and
with another device's, before and after the attack; of several trainings of a generator the first. Columns: method, set,
photograph, device (`own`, `other`), target (empty before), attacked (0 or 1), pce (above 60 counts as a match; at the crop's
size, which is smaller than a photograph).
"""

from collections.abc import Container
from pathlib import Path

import numpy as np
import pandas as pd

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import Attacked, open_attacked
from cama.data.patches import Patches
from cama.forensics.fingerprint import device_fingerprint, pce, sensor_noise
from cama.settings.stages import DevicesStageSpec
from cama.storage.files import write_text

COLUMNS = ["method", "set", "photograph", "device", "target", "attacked", "pce"]


def devices(spec: DevicesStageSpec, inside: Path, outside: Path, attacked: Path, out: Path) -> None:
    """Write the PCE of the pictures in `attacked` and of the crops that they were made from."""
    rows: list[tuple] = []
    with open_attacked(attacked) as file:
        for kind, path in (("in", inside), ("out", outside)):
            rows += _compare(spec.name, file, kind, path)
    write_text(out, pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, float_format="%.5g"))


def _compare(method: str, file: Attacked, kind: str, path: Path) -> list[tuple]:
    """The rows of one set, whose crops are in `path`."""
    test = Patches.read(path, "rgb")
    rows_of = _rows_by_device(test, path)
    fingerprints = {
        name: device_fingerprint(test.arrays["rgb"][row].numpy() for row in rows[1::2])
        for name, rows in rows_of.items()
    }
    device_of = {int(row): name for name, rows in rows_of.items() for row in rows[::2]}
    pictures = _pictures(file, kind, device_of)
    progress = Progress(f"devices {method}, {kind}", len(pictures))
    names = list(fingerprints)
    table = []
    for done, (row, target, place) in enumerate(pictures, start=1):
        image = test.arrays["rgb"][row].numpy() if place is None else file.images(place)
        own, noise = device_of[row], sensor_noise(image)
        other = names[(names.index(own) + 1) % len(names)]
        for device, name in [("own", own), ("other", other)][: len(names)]:  # of a single device there is no other
            value = pce(image, fingerprints[name], noise)
            table.append((method, kind, test.photograph[row], device, target, int(place is not None), value))
        progress.update(done)
    return table


def _rows_by_device(test: Patches, path: Path) -> dict[str, np.ndarray]:
    """The rows of each device's crops, by its name, sorted; an error where they cannot give fingerprints."""
    if len(np.unique(test.origin, axis=0)) > 1:
        raise CamaError(f"{path}: found crops from several places, expected one, since a fingerprint is of a place")
    pairs = zip(test.label, test.device, strict=True)
    names = np.array([f"{test.labels[label]} {device}" for label, device in pairs])
    rows_of = {name: np.flatnonzero(names == name) for name in sorted(set(names))}
    for name, rows in rows_of.items():
        if len(rows) < 2:
            raise CamaError(f"{path}: found one photograph of {name}, expected two or more for its fingerprint")
    return rows_of


def _pictures(file: Attacked, kind: str, rows: Container[int]) -> list[tuple[int, str, int | None]]:
    """The crops in these rows that were attacked, and then their attacked pictures: row, target, and place in `file`."""
    attacked = []
    for place in np.flatnonzero((file.runs == 1) & (file.sets == kind)):
        row, aim = int(file.rows[place]), file.aims[place]
        if row in rows:
            attacked.append((row, file.targets[aim] if aim >= 0 else "any", int(place)))
    return [*((row, "", None) for row in sorted({row for row, *_ in attacked})), *attacked]
