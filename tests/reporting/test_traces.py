"""Traces: what their measures say of pictures whose traces are known, and their plot."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cama.data.attacked import open_attacked, write_attacked
from cama.forensics.mosaic import demosaic, mosaic
from cama.reporting.traces import BANDS, Traces, attacked_traces, measure, photograph_traces, plot_traces
from tests.jpeg.helpers import scene
from tests.reporting.test_plots import DPI, picture

NOWHERE = np.zeros((1, 2), int)


def grain(deviation: float, side: int = 96, seed: int = 0) -> np.ndarray:
    """Grey pictures (1, side, side, 3) with equal noise in all channels."""
    noise = np.random.default_rng(seed).normal(0, deviation, (side, side, 1))
    return np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8).repeat(3, 2)[None]


def test_white_noise_has_its_power_in_every_band():
    found = measure(grain(8), NOWHERE)
    assert found.luma.shape == found.chroma.shape == (1, BANDS)
    assert found.luma[0, 4:] == pytest.approx(10 * np.log10(64), abs=2)
    assert found.chroma[0].max() < -10  # grey: what rounding leaves is floor


def test_a_blur_takes_the_high_bands_and_twice_the_noise_adds_six_decibels():
    once = measure(grain(4), NOWHERE).luma[0]
    twice = measure(grain(8), NOWHERE).luma[0]
    assert (twice - once)[4:] == pytest.approx(6, abs=1)
    blurred = gaussian_filter(grain(8).astype(float), (0, 1, 1, 0)).round().astype(np.uint8)
    lost = twice - measure(blurred, NOWHERE).luma[0]
    assert lost[2] < 1 < 8 < lost[-1]


@pytest.mark.parametrize("origin", [(0, 0), (0, 1), (1, 0), (3, 2)])
def test_green_that_was_interpolated_differs_less_from_its_neighbours_wherever_the_crop_begins(origin):
    noise = np.random.default_rng(1).normal(128, 20, (96, 96, 3))
    whole = np.clip(np.rint(demosaic(mosaic(noise), "RGGB", "bilinear")), 0, 255).astype(np.uint8)
    row, column = origin
    part = whole[None, 8 + row : 80 + row, 8 + column : 80 + column]  # away from the edges
    found = measure(part, np.array([origin])).places[0]
    assert found[0] == pytest.approx(found[3], abs=1)
    assert min(found[1:3]) > max(found[0], found[3]) + 6


def test_without_a_mosaic_no_place_differs():
    assert np.abs(measure(grain(8), NOWHERE).places).max() < 1


class Photographs:
    """What the traces read of a patch file."""

    labels = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")

    def __init__(self, pictures: np.ndarray, label: list[int]):
        self.arrays, self.label = {"rgb": torch.from_numpy(pictures)}, np.array(label)
        self.origin = np.zeros((len(label), 2), int)


def test_traces_of_files_are_those_of_first_trainings_in_distribution(tmp_path):
    pictures = np.concatenate([grain(deviation, 64) for deviation in (2, 4, 8)])
    test = Photographs(pictures, [0, 1, 1])
    own = photograph_traces(test)
    assert set(own) == {"Alcyon_A10", "Borealis_B2"}
    assert len(own["Borealis_B2"].luma) == 2
    made = [
        (1, ("in", 1, 0), pictures[0]),
        (1, ("in", 0, 1), pictures[2]),
        (1, ("out", 0, 1), pictures[0]),
        (2, ("in", 0, 1), pictures[0]),
    ]
    path = tmp_path / "a.h5"
    write_attacked(path, len(made), iter(made), ("Alcyon_A10", "Borealis_B2"), lambda done: None)
    with open_attacked(path) as file:
        found = attacked_traces(file, test, lambda picture, target: picture)
        darker = attacked_traces(
            file, test, lambda picture, target: picture // 2 if target == "Alcyon_A10" else picture
        )
    assert (darker["Alcyon_A10"].luma < found["Alcyon_A10"].luma).all()
    assert np.array_equal(darker["Borealis_B2"].luma, found["Borealis_B2"].luma)
    assert np.array_equal(found["Alcyon_A10"].luma, own["Alcyon_A10"].luma)
    assert np.array_equal(found["Borealis_B2"].luma, own["Borealis_B2"].luma[1:])
    (tmp_path / "p").mkdir()
    plot_traces(found, own, "cama", tmp_path / "p" / "t.png", DPI)
    picture(tmp_path / "p" / "t.png")


def test_one_photograph_and_six_targets_can_be_drawn(tmp_path):
    found = {f"Make_Model{number}": measure(scene(48, 64, number)[None], NOWHERE) for number in range(6)}
    plot_traces(found, found, "cama", tmp_path / "t.png", DPI)
    picture(tmp_path / "t.png")
    assert isinstance(found["Make_Model0"], Traces)
