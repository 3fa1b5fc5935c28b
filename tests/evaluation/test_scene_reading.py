"""Which classifiers read scenes."""

import math

import numpy as np
import pytest

from cama.evaluation.scene_reading import reads_scenes, remaining, without_high_frequencies


def test_the_blur_takes_traces_and_leaves_the_scene():
    y, x = np.mgrid[:64, :64]
    scene = 40 + 2 * x
    traces = 30 * (-1) ** (x + y) + 10 * (x % 4 == 0)
    image = np.stack([scene + traces, scene, np.full_like(scene, 200)], axis=2).astype(np.uint8)
    blurred = without_high_frequencies(image).astype(int)
    assert blurred.shape == image.shape
    inner = blurred[16:-16, 16:-16]
    assert np.abs(np.diff(inner[..., 0], axis=0)).max() == 0  # of the checkerboard nothing is left
    assert np.abs(inner[..., 0] - scene[16:-16, 16:-16] - 2.5).max() <= 1  # nor of the lines but their mean
    assert np.array_equal(inner[..., 1], scene[16:-16, 16:-16])
    assert set(blurred[..., 2].ravel()) == {200}  # colours do not mix


@pytest.mark.parametrize(
    ("clean", "blurred", "share", "reads"),
    [
        (1.0, 0.25, 0.0, False),
        (0.75, 0.5, 0.5, False),  # just half
        (0.85, 0.56, 0.31 / 0.6, True),
        (0.85, 0.9, 0.65 / 0.6, True),
        (0.85, 0.2, -0.05 / 0.6, False),
        (0.25, 0.5, math.nan, False),  # it was at chance
    ],
)
def test_more_than_half_of_what_is_above_chance_must_remain(clean, blurred, share, reads):
    assert remaining(clean, blurred, 0.25) == pytest.approx(share, nan_ok=True)
    assert reads_scenes(clean, blurred, 0.25) is reads
