"""The oracle: the same simulated scene, taken by the target camera. Only a test may know it.

Its success is the upper bound of any attack; its distortion is that of a picture which the target camera really took.
"""

from pathlib import Path

import numpy as np

from cama.core.errors import CamaError
from cama.storage.images import read_rgb


def oracle_pictures(
    folder: Path, photographs: list[str], origins: np.ndarray, targets: list[str], crop: int
) -> np.ndarray:
    """The crops (N, crop, crop, 3), uint8, of what each target camera took of each photograph's scene.

    `photographs` are manifest paths `Make_Model/Make_Model_device_number.JPG`, `origins` (N, 2) rows and columns.
    """
    crops = []
    for path, (row, column), target in zip(photographs, origins, targets, strict=True):
        model, name = Path(path).parent.name, Path(path).stem
        number = name.rsplit("_", 1)[1]
        pictures = sorted((folder / model / target).glob(f"{target}_*_{number}.JPG"))
        if len(pictures) != 1:
            raise CamaError(
                f"{folder / model / target}: found {len(pictures)} pictures of scene {number}, expected one"
            )
        crops.append(read_rgb(pictures[0])[row : row + crop, column : column + crop])
    return np.stack(crops)
