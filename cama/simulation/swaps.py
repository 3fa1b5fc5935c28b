"""Photographs of cameras that have one part of another camera's pipeline: which part is it that a classifier goes by?"""

from dataclasses import replace
from functools import cache

import numpy as np

from cama.core.seeds import derive_seed
from cama.simulation.camera import CameraModel, for_photograph
from cama.simulation.processing import develop, encode
from cama.simulation.sensor import OVERSAMPLING, DevicePattern, capture, expose

# Each field of a camera model but its name is in one of these. What varies from photograph to photograph goes with what it
# varies; the white balance goes with the response of the pixels that it makes up for.
SINGLE_PARTS: dict[str, tuple[str, ...]] = {
    "optics": (
        *("optics.blur", "optics.vignetting", "optics.red_scale", "optics.blue_scale", "optics.distortion"),
        *("optics.focus", "optics.motion", "processing.correction", "processing.correction_order"),
        *("habits.focus", "habits.shake"),
    ),
    "sensor": (
        *(
            "sensor.bayer",
            "sensor.response",
            "sensor.shot_noise",
            "sensor.read_noise",
            "sensor.exposure",
            "prnu",
            "dark",
        ),
        *("processing.white_balance", "habits.gain", "habits.frames", "habits.exposure"),
    ),
    "demosaicing": ("processing.demosaicing",),
    "colour and tone": (
        *("processing.colour_matrix", "processing.gamma", "processing.contrast", "processing.adaptation"),
        *("habits.white_balance", "habits.contrast"),
    ),
    "noise reduction": ("processing.luma_smooth", "processing.luma_denoise", "processing.chroma_denoise"),
    "sharpening": ("processing.sharpen_radius", "processing.sharpen_amount", "processing.sharpen_core"),
    "JPEG tables": ("processing.luma_table", "processing.chroma_table", "habits.tables"),
    "JPEG subsampling": ("processing.subsampling",),
}
# the fields of each part of a pipeline, by its name: single ones between none and all
PARTS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    **SINGLE_PARTS,
    "everything but JPEG": tuple(
        f for part, fields in SINGLE_PARTS.items() if not part.startswith("JPEG") for f in fields
    ),
    "everything": tuple(field for fields in SINGLE_PARTS.values() for field in fields),
}


def with_part(camera: CameraModel, other: CameraModel, part: str) -> CameraModel:
    """A camera model with one of PARTS from another."""
    changed: dict[str, dict[str, object]] = {"": {}}
    for field in PARTS[part]:
        group, _, name = field.rpartition(".")
        changed.setdefault(group, {})[name] = getattr(getattr(other, group) if group else other, name)
    own = changed.pop("")
    return replace(camera, **own, **{group: replace(getattr(camera, group), **new) for group, new in changed.items()})


def swaps(camera: CameraModel, other: CameraModel, scene: np.ndarray, seed: int) -> dict[str, bytes]:
    """The JPEG file of an oversampled scene (2H, 2W, 3) by a device of `camera` with each of PARTS from `other`, by the part's
    name. Noise and what varies within a model come from `seed`, alike for all.
    """
    height, width = (side // OVERSAMPLING for side in scene.shape[:2])
    exposed = cache(lambda optics: expose(scene, optics))  # most parts leave the optics as they are
    files = {}
    for part in PARTS:
        shot = for_photograph(with_part(camera, other, part), derive_seed(seed, "shot"))
        pattern = DevicePattern.draw(derive_seed(seed, "device"), shot.prnu, shot.dark, height, width)
        rng = np.random.default_rng(derive_seed(seed, "noise"))
        raw = capture(exposed(shot.optics), shot.sensor, pattern, rng)
        files[part] = encode(develop(raw, shot.sensor.bayer, shot.processing), shot.processing)
    return files
