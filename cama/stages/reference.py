"""The recorded statistics of real photographs, which are not part of the project."""

import json
from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.data.crops import crop_origins
from cama.data.listing import left_out_line, list_photographs
from cama.forensics.statistics import QUARTILES, photograph_statistics
from cama.settings.data import PatchesSpec
from cama.storage.files import write_text
from cama.storage.images import read_rgb

CROP = PatchesSpec(size=64, crop=256)


def reference(photographs: Path, out: Path) -> None:
    """Write the quartiles of each figure over the middle crops of 256x256 pixels of all JPEG files of a folder and its
    subfolders, one crop a photograph.
    """
    listing = list_photographs(photographs)
    if not listing.photographs:
        raise CamaError(f"{photographs}: found no JPEG file")
    for reason, paths in listing.left_out.items():
        print(f"reference: {left_out_line(reason, paths, photographs)}", flush=True)
    rows = []
    for path in (*listing.photographs, *listing.dead_links):  # a dead link is an error
        picture = read_rgb(path)
        row, column = crop_origins(*picture.shape[:2], CROP, 0)[0]
        rows.append(photograph_statistics(picture[row : row + CROP.crop, column : column + CROP.crop]))
    table = pd.DataFrame(rows)
    quartiles = {key: table.quantile(share) for key, share in QUARTILES.items()}
    figures = {name: {key: round(float(value[name]), 4) for key, value in quartiles.items()} for name in table.columns}
    write_text(out, json.dumps(figures, indent=1) + "\n")
