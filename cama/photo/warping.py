"""A small random warp of a picture, which puts the noise of the individual sensor out of place.

The fingerprint of a device is a pattern that is compared pixel by pixel (`forensics.fingerprint`), and a shift of a pixel or
two that differs from place to place is enough to miss it, while a person does not see it. An examiner who looks for such shifts
in each part of the picture may find it again (`forensics.fingerprint.bent_match`, `docs/device.md`).
"""

from itertools import product

import numpy as np
from PIL import Image

CELL = 48  # pixels a side of a cell, at whose corners the shifts are drawn
LEAST, MOST = 1.0, 2.0  # pixels of a shift: less would leave the pattern where it is, more be seen at straight edges
TURN = (
    np.pi / 4
)  # by which the direction turns at most from a corner to the next: between opposite ones nothing would move
AROUND = 4  # mirrored pixels around the picture, since shifts lead out of it


def warped(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (H, W, 3), uint8, with each part of it shifted by one or two pixels, in directions that turn slowly from
    place to place.
    """
    rows, columns = (_edges(length) for length in picture.shape[:2])
    down, across = _shifts(len(rows), len(columns), rng)
    y, x = AROUND + rows[:, None] + down, AROUND + columns[None, :] + across
    mesh = []
    for i, j in product(range(len(rows) - 1), range(len(columns) - 1)):
        box = columns[j], rows[i], columns[j + 1], rows[i + 1]
        corners = ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))  # as Pillow has them
        mesh.append((tuple(map(int, box)), tuple(float(one[corner]) for corner in corners for one in (x, y))))
    image = Image.fromarray(np.pad(picture, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), mode="symmetric"))
    size = picture.shape[1], picture.shape[0]
    return np.asarray(image.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC))


def _edges(length: int) -> np.ndarray:
    """Where cells of a side begin and end."""
    return np.linspace(0, length, max(1, round(length / CELL)) + 1).round().astype(int)


def _shifts(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Shifts down and across (2, rows, columns), in pixels, of which neighbours have nearly the same direction."""
    # along each side the direction wanders, by no more than TURN from a corner to the next
    down, across = (np.cumsum(rng.uniform(-TURN, TURN, count)) for count in (rows, columns))
    angle = rng.uniform(0, 2 * np.pi) + down[:, None] + across[None, :]
    length = rng.uniform(LEAST, MOST, (rows, columns))
    return length * np.stack([np.sin(angle), np.cos(angle)])
