"""The command `device-table`: what cropping, resizing and bending do to the fingerprint of simulated devices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pandas as pd

from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.forensics.fingerprint import bent_match, device_fingerprint, pce, sensor_noise
from cama.forensics.thresholds import MATCH_PCE
from cama.photo.framing import Framing
from cama.photo.warping import warped
from cama.simulation.camera import CameraModel, flat_field, jpeg_file
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.series import Series
from cama.storage.files import write_text
from cama.storage.images import decoded, save_and_decode

SAVE = "jpeg92"  # as `cama anonymize --encoding neutral` writes it
COLUMNS = ["camera", "device", "treatment", "percent", "bent", "photograph", "pce", "match", "bent_match"]
OWN, OTHER = "own", "other"
FLAT = 10_000  # the number of the first flat field
LEVELS = 0.25, 0.6  # of the light of the darkest and the brightest, where nothing is saturated


def resized(picture: np.ndarray, percent: int) -> np.ndarray:
    """A picture (H, W, 3), uint8, with sides of so many percent, as `cama anonymize --resize` makes it."""
    return Framing(resize=round(max(picture.shape) * percent / 100)).apply(picture, 1, "")


def cropped(picture: np.ndarray, percent: int) -> np.ndarray:
    """The middle of a picture, with sides of so many percent, from an even place."""
    sizes = [round(length * percent / 100) for length in picture.shape[:2]]
    top, left = ((length - size) // 2 // 2 * 2 for length, size in zip(picture.shape[:2], sizes, strict=True))
    return picture[top : top + sizes[0], left : left + sizes[1]]


TREATMENTS: list[tuple[str, Callable[[np.ndarray, int], np.ndarray], int]] = [
    ("none", lambda picture, _: picture, 100),
    *(("resize", resized, percent) for percent in (75, 50, 35)),
    *(("crop", cropped, percent) for percent in (75, 50, 35)),
]


@dataclass(frozen=True)
class Extent:
    """How much is simulated: height and width in pixels, flat fields of a fingerprint, and photographs that are compared."""

    height: int
    width: int
    references: int
    photographs: int


def device_table(names: list[str], catalogue: int, extent: Extent, out: Path) -> None:
    """Write a CSV of the PCE of photographs of simulated devices with the fingerprint of their own, and of another of the
    model, and print a table of it. `names`: camera models of the `catalogue` of this seed.

    The examiner has the device, whose fingerprint is of evenly lit surfaces, the best there is, and knows the treatment: these
    are treated alike, but for the bend, which is drawn anew for each photograph, and looked for (`bent_match`). What is
    compared was saved as JPEG. The CSV grows with each treatment, since at full size one takes minutes.
    """
    cameras = draw_catalogue(catalogue, names)
    progress = Progress("device table", len(names) * len(TREATMENTS))
    rows: list[tuple] = []
    found = (row for name in names for row in _of_model(cameras[name], catalogue, extent))
    for done, (_, treated) in enumerate(groupby(found, lambda row: (row[0], *row[2:4])), start=1):
        rows += treated
        table = pd.DataFrame(rows, columns=COLUMNS)
        write_text(out, table.to_csv(index=False, float_format="%.5g"))
        progress.update(done)
    by = table.groupby(["treatment", "percent", "bent", "device"], sort=False)
    shown = by.agg(pce=("pce", "median"), match=("match", "mean"), bent_match=("bent_match", "median"))
    print(shown.unstack("device").round(2).to_markdown())


def _of_model(camera: CameraModel, catalogue: int, extent: Extent) -> Iterator[tuple]:
    series = Series(derive_seed(catalogue, "device table"), extent.height, extent.width)
    flat = [flat_field(level, extent.height, extent.width) for level in np.linspace(*LEVELS, extent.references)]
    references = {whose: _taken(camera, device, series, FLAT, flat) for device, whose in enumerate((OWN, OTHER))}
    scenes = (series.scene(number) for number in range(extent.photographs))
    photographs = {str(number): one for number, one in enumerate(_taken(camera, 0, series, 0, scenes))}
    for whose, kind, percent, bent, place, value, searched in compared(
        photographs, references, lambda *where: derive_seed(catalogue, camera.name, *where)
    ):
        yield camera.name, whose, kind, percent, bent, place, value, int(value > MATCH_PCE), searched


def compared(
    photographs: Mapping[str, np.ndarray],
    references: Mapping[str, list[np.ndarray]],
    seed: Callable[[str, int, str], int],
) -> Iterator[tuple[str, str, int, int, str, float, float]]:
    """Photographs against the fingerprint that each list of references gives, all (H, W, 3), uint8, after each treatment and
    with a bend of this seed, of treatment, percent and name: whose fingerprint, treatment, percent, bent (0 or 1), name, PCE
    and `bent_match`. References of another size, as where the camera was turned, are not compared.
    """
    for kind, change, percent in TREATMENTS:
        prints = {
            whose: device_fingerprint(change(one, percent) for one in pictures)
            for whose, pictures in references.items()
        }
        for bent, (name, photograph) in product((0, 1), photographs.items()):
            shown = change(photograph, percent)
            if bent:
                shown = warped(shown, np.random.default_rng(seed(kind, percent, name)))
            shown = save_and_decode(shown, SAVE)
            noise = sensor_noise(shown)
            for whose, fingerprint in prints.items():
                if fingerprint.shape == noise.shape:
                    found = pce(shown, fingerprint, noise), bent_match(shown, fingerprint, noise)
                    yield whose, kind, percent, bent, name, *found


def _taken(
    camera: CameraModel, device: int, series: Series, first: int, scenes: Iterable[np.ndarray]
) -> list[np.ndarray]:
    """The photographs (H, W, 3), uint8, that a device takes of scenes, as decoded from the files that it writes; they are
    numbered from `first` on.
    """
    found = []
    for number, scene in enumerate(scenes, start=first):
        picture, shot = series.take(camera, device, number, scene)
        found.append(decoded(jpeg_file(picture, shot, device, number)))
    return found
