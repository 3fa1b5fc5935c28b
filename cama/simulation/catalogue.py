"""The catalogue of simulated camera models, drawn from a seed."""

import numpy as np

from cama.core.seeds import derive_seed
from cama.jpeg.quantisation import CHROMINANCE, LUMINANCE
from cama.simulation.camera import CameraModel, Habits, Table
from cama.simulation.processing import Processing
from cama.simulation.sensor import Optics, Sensor

PRNU_STRENGTHS = (0.003, 0.010)  # standard deviations of the gain in real sensors: 0.3 to 1 percent
ENCODERS = 2 / 3  # of the number of models: some share their JPEG tables and subsampling, as models of one maker do
MERGING = 0.25  # share of models that merge frames, as phones do
CORRECTING = 0.4  # share of models that correct their lens's distortion
SUBSAMPLINGS, OFTEN = ("4:2:0", "4:2:2", "4:4:4"), (0.4, 0.45, 0.15)
LEVELS = (-1.2, 0.0, 0.8)  # of quality relative to an encoder's, among which a camera chooses


def draw_catalogue(seed: int, names: list[str]) -> dict[str, CameraModel]:
    """One model for each name. Each is drawn independently of the others, so that some may resemble each other; some share
    their encoder and their demosaicing.
    """
    rng = np.random.default_rng(derive_seed(seed, "catalogue"))
    encoders = [_encoder(rng) for _ in range(max(1, round(ENCODERS * len(names))))]
    return {name: _draw_model(rng, name, encoders) for name in names}


def _draw_model(rng: np.random.Generator, name: str, encoders: list[tuple]) -> CameraModel:
    response = (rng.normal(0.62, 0.02), 1.0, rng.normal(0.70, 0.02))
    tables, subsampling = encoders[rng.integers(len(encoders))]
    merges, corrects = rng.random() < MERGING, rng.random() < CORRECTING
    distortion = float(rng.uniform(0.01, 0.05)) if corrects else 0.0
    luma_table, chroma_table = tables[LEVELS.index(0.0)]
    return CameraModel(
        name=name,
        optics=Optics(
            blur=rng.uniform(0.3, 0.45),
            vignetting=rng.uniform(0.05, 0.2),
            red_scale=1 + rng.normal(0, 6e-4),
            blue_scale=1 + rng.normal(0, 6e-4),
            distortion=distortion,
        ),
        sensor=Sensor(
            bayer=str(rng.choice(["RGGB", "GRBG", "GBRG", "BGGR"])),
            response=response,
            shot_noise=float(np.exp(rng.uniform(np.log(1.5e-4), np.log(6e-4)))) * (4 if merges else 1),  # small pixels
            read_noise=rng.uniform(5e-4, 1.5e-3),
        ),
        processing=Processing(
            white_balance=tuple(1 / value for value in response),
            demosaicing=str(rng.choice(["bilinear", "malvar", "menon"])),
            colour_matrix=_colour_matrix(rng),
            luma_smooth=rng.uniform(0.42, 0.58),
            luma_denoise=rng.uniform(0.004, 0.015) * (1.5 if merges else 1),
            chroma_denoise=rng.uniform(0.5, 1.6),
            gamma=rng.normal(2.2, 0.03),
            contrast=rng.uniform(0.15, 0.3),
            sharpen_radius=rng.uniform(0.6, 1.3),
            sharpen_amount=rng.uniform(0.3, 0.7),
            sharpen_core=rng.uniform(0.002, 0.01),
            luma_table=luma_table,
            chroma_table=chroma_table,
            subsampling=subsampling,
            adaptation=3.0 if merges else 1.5,  # phones map tones more than other cameras do
            correction=distortion,
            correction_order=int(rng.choice([1, 3])),
        ),
        habits=Habits(
            gain=float(np.exp(rng.uniform(np.log(3), np.log(10)))),
            frames=int(rng.integers(3, 9)) if merges else 1,
            focus=rng.uniform(0.1, 0.3),
            shake=rng.uniform(0.1, 0.5),
            exposure=rng.uniform(0.2, 0.4),
            white_balance=rng.uniform(0.02, 0.06),
            contrast=rng.uniform(0.03, 0.08),
            tables=tables,
        ),
        prnu=rng.uniform(*PRNU_STRENGTHS),
        dark=rng.uniform(1e-4, 4e-4),
    )


def _encoder(rng: np.random.Generator) -> tuple[tuple[tuple[Table, Table], ...], str]:
    """The pairs of tables among which a camera chooses, by `LEVELS`, and its subsampling."""
    quality, shapes = rng.uniform(93.5, 96.5), [_shape(rng) for _ in range(2)]
    tables = tuple(
        tuple(
            _table(base, quality + level, shape) for base, shape in zip((LUMINANCE, CHROMINANCE), shapes, strict=True)
        )
        for level in LEVELS
    )
    return tables, str(rng.choice(SUBSAMPLINGS, p=OFTEN))


def _shape(rng: np.random.Generator) -> np.ndarray:
    """By how much the steps (8, 8) of a maker's table differ from the standard's: a random slope over frequency and random
    steps.
    """
    row, column = np.mgrid[0:8, 0:8]
    return np.exp(rng.normal(0, 0.25) * (row + column - 7) / 7 + rng.normal(0, 0.08, (8, 8)))


def _table(base: np.ndarray, quality: float, shape: np.ndarray) -> Table:
    """The steps of the standard's table `base` at a quality, in a maker's shape, row by row."""
    steps = np.rint(base * (200 - 2 * quality) / 100 * shape)
    return tuple(int(step) for step in np.clip(steps, 1, 255).ravel())


def _colour_matrix(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """A matrix that raises saturation slightly; its rows sum to 1, so that grey stays grey."""
    off = rng.normal(-0.12, 0.015, (3, 3))
    np.fill_diagonal(off, 0)
    np.fill_diagonal(off, 1 - off.sum(axis=1))
    return tuple(tuple(float(value) for value in row) for row in off)
