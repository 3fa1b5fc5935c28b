"""Numbered photographs of simulated cameras."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cama.core.seeds import derive_seed
from cama.settings.data import SimulationSpec
from cama.simulation.camera import CameraModel, device_pattern, for_photograph, photograph
from cama.simulation.scenes import render_scene
from cama.simulation.sensor import OVERSAMPLING

_pattern = lru_cache(maxsize=32)(device_pattern)


@dataclass(frozen=True)
class Series:
    """Photographs of one size. Scene, noise and what varies within a camera model derive from `seed` and the photograph's
    number, so that any of them can be taken again.
    """

    seed: int
    height: int
    width: int

    @classmethod
    def of(cls, seed: int, spec: SimulationSpec) -> "Series":
        """The photographs of a run with this seed."""
        return cls(derive_seed(seed, "photographs", spec.catalogue_seed), spec.height, spec.width)

    def scene(self, number: int) -> np.ndarray:
        """The oversampled scene (2H, 2W, 3) of a photograph."""
        return render_scene(
            derive_seed(self.seed, "scene", number), OVERSAMPLING * self.height, OVERSAMPLING * self.width
        )

    def take(self, camera: CameraModel, device: int, number: int, scene: np.ndarray) -> tuple[np.ndarray, CameraModel]:
        """The picture (H, W, 3), uint8, before compression that a device takes of a scene; and the camera as it was set for
        this photograph, with which `jpeg_file` writes it.
        """
        key = (camera.name, device)
        shot = for_photograph(camera, derive_seed(self.seed, "shot", *key, number))
        pattern = _pattern(self.seed, camera, device, self.height, self.width)
        return photograph(scene, shot, pattern, derive_seed(self.seed, "noise", *key, number)), shot
