"""Stage `devices`: is the device's own fingerprint still in the attacked pictures?

Of each test device, every second test photograph (untouched) gives its fingerprint, and the others are compared with it and
with another device's, before and after the attack. Columns: method, set, photograph, device (`own`, `other`), target (empty
before), attacked (0 or 1), pce (above 60 counts as a match; at the crop's size, which is smaller than a photograph).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cama.data.patches import Patches
from cama.files import open_hdf5, write_text
from cama.progress import Progress
from cama.settings.stages import DevicesStageSpec
from cama.signals.fingerprint import device_fingerprint, pce


def devices(spec: DevicesStageSpec, inside: Path, outside: Path, attacked: Path, out: Path) -> None:
    """Write the PCE of the pictures in `attacked` and of the crops that they were made from."""
    tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
    rows = []
    with open_hdf5(attacked, "images", "set", "row", "target") as file:
        sets, places, aims = file["set"].asstr()[:], file["row"][:], file["target"][:]
        for kind, test in tests.items():
            names = np.array([_device(photograph) for photograph in test.photograph])
            known = sorted(set(names))
            seen = {name: np.flatnonzero(names == name) for name in known}
            prints = {
                name: device_fingerprint(test.fields["rgb"][at].numpy() for at in seen[name][::2]) for name in known
            }
            held = {int(at) for name in known for at in seen[name][1::2]}
            jobs = [i for i in np.flatnonzero(sets == kind) if int(places[i]) in held]
            before = sorted({int(places[i]) for i in jobs})
            pictures = [(row, "", 0, test.fields["rgb"][row].numpy()) for row in before]
            progress = Progress(f"devices {spec.name}, {kind}", len(pictures) + len(jobs))
            for done, (row, target, changed, picture) in enumerate(
                [*pictures, *((int(places[i]), str(aims[i]), 1, i) for i in jobs)], start=1
            ):
                image = file["images"][picture] if changed else picture
                own = names[row]
                other = known[(known.index(own) + 1) % len(known)]
                for device, name in [("own", own), ("other", other)][: len(known)]:
                    found = pce(image, prints[name])
                    rows.append((spec.name, kind, test.photograph[row], device, target, changed, found))
                progress.at(done)
    columns = ["method", "set", "photograph", "device", "target", "attacked", "pce"]
    write_text(out, pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.5g"))


def _device(photograph: str) -> str:
    """`Make_Model_device` of a manifest path."""
    return Path(photograph).stem.rsplit("_", 1)[0]
