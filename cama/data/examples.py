"""Examples of an attack, for those who learn to see it: windows of photographs, untouched and attacked whole.

A file is a patch file (see `crops`) whose arrays are `untouched` and `attacked` (N, H, W, 3) uint8, with the value `target`
(N,: a label, -1 where the attack has no target); `label` is that of the photograph.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cama.core.seeds import derive_seed
from cama.data.patches import Patches
from cama.data.windows import random_crop
from cama.storage.hdf5 import open_hdf5, read_values, write_hdf5

ARRAYS = ("untouched", "attacked")


@dataclass(frozen=True)
class Window:
    """A part (H, W, 3) of a photograph, uint8, from its `origin` (row, column) on."""

    picture: np.ndarray
    photograph: str
    origin: tuple[int, int]
    device: int
    scene: str
    label: int


def write_examples(
    path: Path,
    examples: Iterable[tuple[Window, np.ndarray, int]],
    labels: tuple[str, ...],
    progress: Callable[[int], None],
) -> None:
    """Write windows with their attacked pictures and targets as they are made; `progress` gets the number done."""
    windows, targets = [], []
    with write_hdf5(path) as file:
        for place, (window, attacked, target) in enumerate(examples):
            for name, picture in zip(ARRAYS, (window.picture, attacked), strict=True):
                if not place:
                    file.create_images(name, 0, picture.shape, np.uint8)
                file.put_images(name, place, picture[None])
            windows.append(replace(window, picture=np.empty(0)))
            targets.append(target)
            progress(place + 1)
        for name in ("label", "device", "origin"):
            file.write_values(name, np.array([getattr(window, name) for window in windows]))
        for name in ("photograph", "scene"):
            file.write_texts(name, [getattr(window, name) for window in windows])
        file.write_values("validation", np.zeros(len(windows), bool))
        file.write_values("target", np.array(targets))
        file.write_attribute("labels", labels)


@dataclass(frozen=True)
class Examples:
    """Crops (N, S, S, 3) of the windows of a file, at the same place in both, and the targets (N,) of the attacked ones."""

    crops: Patches
    targets: np.ndarray

    @classmethod
    def read(cls, path: Path, crop: int, seed: int) -> "Examples":
        """Read a file, and cut a crop of this side at a random place of each window."""
        file = open_hdf5(path, *ARRAYS, "target")
        whole = Patches.read(path, *ARRAYS)
        cut = {
            name: np.stack(
                [
                    random_crop(picture, crop, derive_seed(seed, "crop", photograph))
                    for picture, photograph in zip(pictures.numpy(), whole.photograph, strict=True)
                ]
            )
            for name, pictures in whole.arrays.items()
        }
        return cls(
            replace(whole, arrays={name: torch.from_numpy(crops) for name, crops in cut.items()}),
            read_values(file, "target"),
        )

    def patches(self, name: str, size: int) -> Patches:
        """The patches (M, size, size, 3) of the crops `untouched` or `attacked`, as `rgb`; what is left beside whole ones is
        left out.
        """
        crops = self.crops.arrays[name].numpy()
        side = crops.shape[1] // size
        whole = crops[:, : side * size, : side * size].reshape(-1, side, size, side, size, 3)
        about = {
            key: np.repeat(getattr(self.crops, key), side**2, axis=0)
            for key in ("label", "validation", "photograph", "scene", "origin", "device")
        }
        patches = whole.swapaxes(2, 3).reshape(-1, size, size, 3)
        return replace(self.crops, arrays={"rgb": torch.from_numpy(patches)}, **about)
