"""The scenes of a run's simulated photographs, drawn or from a folder of photographs, for who needs them again."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cama.core.seeds import derive_seed
from cama.data.listing import list_scenes
from cama.settings.data import ModelsSpec, SimulationSpec
from cama.simulation.scene_photographs import Device, divide, picture_scene, read_picture
from cama.simulation.scenes import render_scene
from cama.simulation.sensor import OVERSAMPLING
from cama.simulation.series import Series


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
        """The photographs that serve each device as scenes; none where scenes are drawn."""
        if not self.simulation.scenes:
            return {}
        devices = self.simulation.devices(self.models)
        listing = list_scenes(Path(self.simulation.scenes), len(devices))
        pictures = sorted([*listing.photographs, *listing.dead_links])
        return divide(pictures, devices, derive_seed(self.series.seed, "scenes"))

    def of_photograph(self, name: str, device: int, number: int) -> np.ndarray:
        """The oversampled scene (2H, 2W, 3) of a photograph by a device of a known model."""
        if not self.pictures:
            return self.series.scene(number)
        simulation, own = self.simulation, self.pictures[name, device]
        first = 100_000 * (self.models.in_distribution.index(name) + 1) + device * simulation.photographs
        picture = read_picture(own[int((number - first) / simulation.photographs * len(own))])
        size = OVERSAMPLING * simulation.height, OVERSAMPLING * simulation.width
        return picture_scene(picture, derive_seed(self.series.seed, "scene", number), *size)

    def new(self, name: str, device: int, side: int, seed: int) -> np.ndarray:
        """An oversampled scene (2S, 2S, 3) that no photograph has, of the pictures of this device where it has any."""
        size = OVERSAMPLING * side, OVERSAMPLING * side
        if not self.pictures:
            return render_scene(seed, *size)
        own = self.pictures[name, device]
        chosen = own[np.random.default_rng(derive_seed(seed, "picture")).integers(len(own))]
        return picture_scene(read_picture(chosen), seed, *size)
