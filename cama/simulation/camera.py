"""Camera models, what varies from photograph to photograph of one, and photographs by their devices."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from PIL import ExifTags, Image

from cama.core.seeds import derive_seed
from cama.simulation.processing import MOST_CONTRAST, Processing, develop, encode
from cama.simulation.sensor import OVERSAMPLING, DevicePattern, Optics, Sensor, capture, expose

Table = tuple[int, ...]


@dataclass(frozen=True)
class Habits:
    """What varies from photograph to photograph of a camera model."""

    gain: float  # the largest gain over the sensor's base sensitivity (ISO), at least 1; noise and noise reduction grow with it
    frames: int  # that are merged into a photograph: their noise averages out
    focus: float  # standard deviation, in pixels, of the blur of what is out of focus
    shake: float  # the largest standard deviation, in pixels, of the blur along the motion of the camera
    exposure: float  # standard deviation of the logarithm of the exposure
    white_balance: float  # standard deviation of the logarithm of the gains of red and blue
    contrast: float  # standard deviation of the strength of the S-curve
    tables: tuple[tuple[Table, Table], ...]  # of luminance and chrominance, among which it chooses


@dataclass(frozen=True)
class CameraModel:
    """The parameters of a camera model, which all its devices share; or with `for_photograph` those of one photograph."""

    name: str  # Make_Model, as in file names
    optics: Optics
    sensor: Sensor
    processing: Processing
    habits: Habits
    prnu: float  # standard deviation of a device's gain
    dark: float  # standard deviation of a device's offset

    def traits(self) -> dict[str, object]:
        """The drawn parameters as one flat row of a table: those of a photograph without the changes of its habits; and what
        varies, with `varies_` before its names. Of the tables that vary stand the sums of their steps, luminance + chrominance.
        """
        parts = asdict(self.optics) | asdict(self.sensor) | asdict(self.processing)
        habits = {f"varies_{name}": value for name, value in asdict(self.habits).items()}
        sums = [" + ".join(str(sum(table)) for table in pair) for pair in self.habits.tables]
        habits["varies_tables"] = ", ".join(sums)
        return {"name": self.name, "prnu": self.prnu, "dark": self.dark, **parts, **habits}


def for_photograph(model: CameraModel, seed: int) -> CameraModel:
    """A model with the parameters of one photograph, drawn by its habits: sensitivity, focus, motion, exposure, white balance,
    tone and quantisation tables.
    """
    rng, habits = np.random.default_rng(seed), model.habits
    gain = float(habits.gain ** rng.beta(1, 2))  # most photographs are taken at low sensitivity
    shake, angle = habits.shake * rng.beta(1, 4), rng.uniform(0, np.pi)
    exposure = float(np.exp(rng.normal(-0.3, habits.exposure)))  # most keep the highlights
    red, blue = np.exp(rng.normal(0, habits.white_balance, 2))
    luma_table, chroma_table = habits.tables[rng.integers(len(habits.tables))]
    sensor, processing = model.sensor, model.processing
    balance = processing.white_balance
    return replace(
        model,
        optics=replace(
            model.optics,
            focus=abs(float(rng.normal(0, habits.focus))),
            motion=(shake * abs(float(np.sin(angle))), shake * abs(float(np.cos(angle)))),
        ),
        sensor=replace(
            sensor,
            exposure=exposure,
            shot_noise=sensor.shot_noise * gain / habits.frames,
            read_noise=sensor.read_noise * gain**0.75 / habits.frames**0.5,
        ),
        processing=replace(
            processing,
            white_balance=(balance[0] * float(red), balance[1], balance[2] * float(blue)),
            luma_denoise=processing.luma_denoise * gain**0.5,
            chroma_denoise=processing.chroma_denoise * gain**0.25,
            contrast=float(np.clip(processing.contrast + rng.normal(0, habits.contrast), 0, MOST_CONTRAST)),
            luma_table=luma_table,
            chroma_table=chroma_table,
        ),
    )


def device_pattern(seed: int, model: CameraModel, device: int, height: int, width: int) -> DevicePattern:
    """The fixed pattern of one device on a sensor of this size."""
    return DevicePattern.draw(derive_seed(seed, "device", model.name, device), model.prnu, model.dark, height, width)


def photograph(scene: np.ndarray, model: CameraModel, pattern: DevicePattern, seed: int) -> np.ndarray:
    """The developed picture (H, W, 3), uint8, of an oversampled scene (2H, 2W, 3), with shot and read noise from `seed`.

    `model` is what `for_photograph` gives; a model itself takes it without the changes of its habits.
    """
    raw = capture(expose(scene, model.optics), model.sensor, pattern, np.random.default_rng(seed))
    return develop(raw, model.sensor.bayer, model.processing)


def flat_field(level: float, height: int, width: int) -> np.ndarray:
    """A uniform oversampled scene (2H, 2W, 3) of radiance `level`."""
    return np.full((height * OVERSAMPLING, width * OVERSAMPLING, 3), level, np.float32)


def jpeg_file(picture: np.ndarray, model: CameraModel, device: int, number: int) -> bytes:
    """The JPEG file that the camera writes, with the model's coding and EXIF."""
    make, _, name = model.name.partition("_")
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = make
    exif[ExifTags.Base.Model] = name
    exif[ExifTags.Base.Software] = f"{name} firmware 1.0"
    exif[ExifTags.Base.Orientation] = 1
    taken = f"2024:{1 + number % 12:02d}:{1 + number % 28:02d} {number % 24:02d}:{number % 60:02d}:00"
    exif[ExifTags.Base.DateTime] = taken
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = taken
    details[ExifTags.Base.BodySerialNumber] = f"{derive_seed(0, model.name, device) % 10**8:08d}"
    return encode(picture, model.processing, exif)
