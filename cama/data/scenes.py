"""The scenes of a run's simulated photographs, drawn or from a folder of photographs, for who needs them again."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cama.core.seeds import derive_seed
from cama.data.listing import left_out_line, list_scenes
from cama.settings.data import ModelsSpec, SimulationSpec
from cama.simulation.scene_photographs import Device, check_pictures, divide, picture_scene, read_picture
from cama.simulation.scenes import render_scene
from cama.simulation.sensor import OVERSAMPLING
from cama.simulation.series import Series

PHOTOGRAPHS = 100_000  # numbers that each model has for its photographs


@dataclass(frozen=True)
class Scenes:
    """The scenes of the photographs of a run with this seed, as the stage `simulate` numbers them and takes their pictures."""

    seed: int
    simulation: SimulationSpec
    models: ModelsSpec

    @cached_property
    def series(self) -> Series:
        """The photographs of the run."""
        return Series.of(self.seed, self.simulation)

    @cached_property
    def pictures(self) -> dict[Device, list[Path]]:
        """The photographs that serve each device as scenes, of each its own, so that no two roles share one; none where
        scenes are drawn. Prints which files of the folder were left out.
        """
        if not self.simulation.scenes:
            return {}
        folder, devices = Path(self.simulation.scenes), self.simulation.devices(self.models)
        listing = list_scenes(folder, len(devices))
        for reason, paths in listing.left_out.items():
            print(f"scenes: {left_out_line(reason, paths, folder)}", flush=True)
        pictures = sorted([*listing.photographs, *listing.dead_links])  # a dead link is an error
        return divide(pictures, devices, derive_seed(self.series.seed, "scenes"))

    def check(self, name: str) -> None:
        """CamaError where a photograph that serves this model as a scene cannot be read or is too small."""
        own = [path for (model, _), paths in self.pictures.items() if model == name for path in paths]
        check_pictures(own, *self._size(self.simulation.height, self.simulation.width))

    def of_photograph(self, name: str, device: int, part: float, number: int) -> np.ndarray:
        """The oversampled scene (2H, 2W, 3) of the photograph of this number, which lies at `part`, 0 to 1, of its device's."""
        if not self.pictures:
            return self.series.scene(number)
        own, size = self.pictures[name, device], self._size(self.simulation.height, self.simulation.width)
        picture = read_picture(own[int(part * len(own))])
        return picture_scene(picture, derive_seed(self.series.seed, "scene", number), *size)

    def part(self, device: int, number: int) -> float:
        """Where the photograph of this number lies among those of its device, if all devices of the model have as many."""
        return (number % PHOTOGRAPHS - device * self.simulation.photographs) / self.simulation.photographs

    def new(self, name: str, device: int, side: int, seed: int) -> np.ndarray:
        """An oversampled scene (2S, 2S, 3) that no photograph has, of the pictures of this device where it has any."""
        size = self._size(side, side)
        if not self.pictures:
            return render_scene(seed, *size)
        own = self.pictures[name, device]
        chosen = own[np.random.default_rng(derive_seed(seed, "picture")).integers(len(own))]
        return picture_scene(read_picture(chosen), seed, *size)

    @staticmethod
    def _size(height: int, width: int) -> tuple[int, int]:
        return OVERSAMPLING * height, OVERSAMPLING * width
