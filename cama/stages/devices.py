"""Stage `devices`: is the device's own fingerprint still in the attacked pictures?

Of each test device, every second test photograph (untouched) gives its fingerprint, and the others are compared with it and
with another device's, before and after the attack; of several trainings of a generator the first. Columns: method, set,
photograph, device (`own`, `other`), target (empty before), attacked (0 or 1), pce (above 60 counts as a match; at the crop's
size, which is smaller than a photograph).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.forensics.fingerprint import device_fingerprint, pce
from cama.settings.stages import DevicesStageSpec
from cama.storage.files import write_text


def devices(spec: DevicesStageSpec, inside: Path, outside: Path, attacked: Path, out: Path) -> None:
    """Write the PCE of the pictures in `attacked` and of the crops that they were made from."""
    rows = []
    with open_attacked(attacked) as file:
        places, aims, targets = file.rows, file.aims, file.targets
        for kind, path in (("in", inside), ("out", outside)):
            test = Patches.read(path, "rgb")
            if len(np.unique(test.origin, axis=0)) > 1:
                raise CamaError(
                    f"{path}: found crops from several places, expected one, since a fingerprint is of a place"
                )
            names = np.array(
                [f"{test.labels[label]} {device}" for label, device in zip(test.label, test.device, strict=True)]
            )
            known = sorted(set(names))
            seen = {name: np.flatnonzero(names == name) for name in known}
            few = [name for name in known if len(seen[name]) < 2]
            if few:
                raise CamaError(f"{path}: found one photograph of {few[0]}, expected two or more for its fingerprint")
            prints = {
                name: device_fingerprint(test.arrays["rgb"][at].numpy() for at in seen[name][1::2]) for name in known
            }
            held = {int(at) for name in known for at in seen[name][::2]}
            chosen = [int(i) for i in np.flatnonzero((file.runs == 1) & (file.sets == kind)) if int(places[i]) in held]
            pictures = [(int(places[i]), targets[aims[i]] if aims[i] >= 0 else "any", i) for i in chosen]
            before = [(row, "", None) for row in sorted({row for row, *_ in pictures})]
            progress = Progress(f"devices {spec.name}, {kind}", len(before) + len(pictures))
            for done, (row, target, index) in enumerate([*before, *pictures], start=1):
                image = test.arrays["rgb"][row].numpy() if index is None else file.images(index)
                own = names[row]
                other = known[(known.index(own) + 1) % len(known)]
                for device, name in [("own", own), ("other", other)][: len(known)]:
                    found = pce(image, prints[name])
                    rows.append((spec.name, kind, test.photograph[row], device, target, int(index is not None), found))
                progress.update(done)
    columns = ["method", "set", "photograph", "device", "target", "attacked", "pce"]
    write_text(out, pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.5g"))
