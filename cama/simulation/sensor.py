"""Optics and sensor: from the radiance of a scene to a raw Bayer mosaic."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from cama.forensics.mosaic import mosaic
from cama.simulation.lens import distort

OVERSAMPLING = 2  # scene samples per pixel along each side
FULL_WELL_BITS = 12


@dataclass(frozen=True)
class Optics:
    """The parameters of a lens; lengths are in pixels of the sensor."""

    blur: float  # standard deviation of the point spread function
    vignetting: float  # loss of light at the corners, 0..1
    red_scale: float  # lateral chromatic aberration: magnification of red and of blue relative to green, about 1
    blue_scale: float
    distortion: float = 0.0  # radial: what lies at the corners is moved inwards by this share
    focus: float = 0.0  # standard deviation of the blur of what is out of focus
    # standard deviations of the blur down and across by the motion of the camera
    motion: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Sensor:
    """The parameters of a sensor; noise is relative to full well."""

    bayer: str  # RGGB, GRBG, GBRG or BGGR
    response: tuple[float, float, float]  # sensitivity of the red, green and blue pixels
    shot_noise: float  # variance at full well
    read_noise: float  # standard deviation
    exposure: float = 1.0  # factor of the light


@dataclass(frozen=True)
class DevicePattern:
    """What differs between devices of one model: photo response non-uniformity and dark fixed pattern, each (H, W)."""

    gain: np.ndarray
    dark: np.ndarray

    @classmethod
    def draw(cls, seed: int, strength: float, dark: float, height: int, width: int) -> "DevicePattern":
        """Draw a pattern: `strength` is the standard deviation of the gain (0.003 to 0.01), `dark` that of the offset (relative
        to full well).
        """
        rng = np.random.default_rng(seed)
        gain = 1 + strength * rng.standard_normal((height, width), np.float32)
        return cls(gain, dark * rng.standard_normal((height, width), np.float32))


def expose(scene: np.ndarray, optics: Optics) -> np.ndarray:
    """The irradiance (H, W, 3) of an oversampled scene (2H, 2W, 3) through the lens."""
    height, width = scene.shape[0] // OVERSAMPLING, scene.shape[1] // OVERSAMPLING
    planes = []
    spread = [OVERSAMPLING * float(np.hypot(np.hypot(optics.blur, optics.focus), motion)) for motion in optics.motion]
    for channel, scale in enumerate((optics.red_scale, 1.0, optics.blue_scale)):
        plane = gaussian_filter(scene[..., channel], spread, mode="nearest", truncate=3)
        planes.append(distort(plane, optics.distortion, scale, OVERSAMPLING))
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    falloff = 1 - optics.vignetting * (rows**2 + columns**2) / 2
    return np.stack(planes, axis=-1) * falloff[..., None]


def capture(irradiance: np.ndarray, sensor: Sensor, device: DevicePattern, rng: np.random.Generator) -> np.ndarray:
    """The raw mosaic (H, W), float32 in 0..1 in 12-bit steps, of an irradiance (H, W, 3), with PRNU, shot and read noise."""
    light = (
        mosaic(irradiance * (sensor.exposure * np.array(sensor.response)), sensor.bayer).astype(np.float32)
        * device.gain
    )
    light = np.clip(light, 0, 1)
    noise = np.sqrt(sensor.shot_noise * light + sensor.read_noise**2)
    raw = light + device.dark + noise * rng.standard_normal(light.shape, np.float32)
    steps = 2**FULL_WELL_BITS - 1
    return np.clip(np.rint(raw * steps) / steps, 0, 1).astype(np.float32)
