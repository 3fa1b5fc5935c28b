"""The catalogue of simulated camera models, drawn from a seed, and photographs by their devices."""

from dataclasses import asdict, dataclass

import numpy as np
from PIL import ExifTags, Image

from cama.core.seeds import derive_seed
from cama.jpeg.quantisation import CHROMINANCE, LUMINANCE
from cama.simulation.processing import Processing, develop, encode
from cama.simulation.sensor import OVERSAMPLING, DevicePattern, Optics, Sensor, capture, expose

PRNU_STRENGTHS = (0.003, 0.010)  # standard deviations of the gain in real sensors: 0.3 to 1 percent


@dataclass(frozen=True)
class CameraModel:
    """The parameters of a camera model, which all its devices share."""

    name: str  # Make_Model, as in file names
    optics: Optics
    sensor: Sensor
    processing: Processing
    prnu: float  # standard deviation of a device's gain
    dark: float  # standard deviation of a device's offset

    def traits(self) -> dict[str, object]:
        """The drawn parameters as one flat row of a table."""
        return {"name": self.name, "prnu": self.prnu, **asdict(self.sensor), **asdict(self.processing)}


def draw_catalogue(seed: int, names: list[str]) -> dict[str, CameraModel]:
    """One model for each name. The parameters that distinguish models most are spread evenly over their ranges and shuffled
    over the models, so that no two models of a catalogue are alike; the other parameters are drawn independently.
    """
    rng = np.random.default_rng(derive_seed(seed, "catalogue"))
    count = len(names)

    def spread(low: float, high: float) -> np.ndarray:
        """One value in each of `count` equal parts of the range, shuffled over the models."""
        return low + (high - low) * rng.permutation((np.arange(count) + rng.uniform(0.2, 0.8, count)) / count)

    def deal(options: list[str]) -> list[str]:
        """Each option about equally often, shuffled over the models."""
        return [options[i % len(options)] for i in rng.permutation(count)]

    demosaicing = deal(["bilinear", "malvar", "menon"])
    bayer = deal(["RGGB", "GRBG", "GBRG", "BGGR"])
    subsampling = deal(["4:2:0", "4:2:2", "4:4:4"])
    blur, radius, amount = spread(0.35, 0.65), spread(0.5, 1.3), spread(0.2, 1.0)
    luma, chroma = spread(0.0, 0.015), spread(0.3, 1.6)
    quality, shot = spread(86, 97), spread(np.log(5e-5), np.log(3e-4))
    models = {}
    for i, name in enumerate(names):
        response = (rng.normal(0.62, 0.02), 1.0, rng.normal(0.70, 0.02))
        luma_table, chroma_table = _tables(rng, quality[i])
        models[name] = CameraModel(
            name=name,
            optics=Optics(blur[i], rng.uniform(0.05, 0.2), 1 + rng.normal(0, 6e-4), 1 + rng.normal(0, 6e-4)),
            sensor=Sensor(bayer[i], response, float(np.exp(shot[i])), rng.uniform(5e-4, 1.5e-3)),
            processing=Processing(
                white_balance=tuple(1 / value for value in response),
                demosaicing=demosaicing[i],
                colour_matrix=_colour_matrix(rng),
                luma_denoise=luma[i],
                chroma_denoise=chroma[i],
                gamma=rng.normal(2.2, 0.03),
                contrast=rng.uniform(0.15, 0.3),
                sharpen_radius=radius[i],
                sharpen_amount=amount[i],
                sharpen_core=rng.uniform(0.002, 0.01),
                luma_table=luma_table,
                chroma_table=chroma_table,
                subsampling=subsampling[i],
            ),
            prnu=rng.uniform(*PRNU_STRENGTHS),
            dark=rng.uniform(1e-4, 4e-4),
        )
    return models


def device_pattern(seed: int, model: CameraModel, device: int, height: int, width: int) -> DevicePattern:
    """The fixed pattern of one device on a sensor of this size."""
    return DevicePattern.draw(derive_seed(seed, "device", model.name, device), model.prnu, model.dark, height, width)


def photograph(scene: np.ndarray, model: CameraModel, pattern: DevicePattern, seed: int) -> np.ndarray:
    """The developed picture (H, W, 3), uint8, of an oversampled scene (2H, 2W, 3), with shot and read noise from `seed`."""
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


def _colour_matrix(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """A matrix that raises saturation slightly; its rows sum to 1, so that grey stays grey."""
    off = rng.normal(-0.12, 0.015, (3, 3))
    np.fill_diagonal(off, 0)
    np.fill_diagonal(off, 1 - off.sum(axis=1))
    return tuple(tuple(float(value) for value in row) for row in off)


def _tables(rng: np.random.Generator, quality: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Luminance and chrominance tables near the standard's at `quality`, with a random slope over frequency and random steps,
    like those of camera makers.
    """
    scale = (200 - 2 * quality) / 100
    row, column = np.mgrid[0:8, 0:8]
    tables = []
    for base in (LUMINANCE, CHROMINANCE):
        tilt = np.exp(rng.normal(0, 0.25) * (row + column - 7) / 7 + rng.normal(0, 0.08, (8, 8)))
        steps = np.rint(base * scale * tilt)
        tables.append(tuple(int(step) for step in np.clip(steps, 1, 255).ravel()))
    return tables[0], tables[1]
