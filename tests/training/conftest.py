"""Patches of three invented cameras that a tiny network tells apart in seconds."""

import numpy as np
import pytest
import torch

from cama.compute.device import Compute
from cama.data.patches import Patches
from cama.settings.training import ComputeSpec

LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")
CPU = Compute(ComputeSpec(device="cpu", precision="float32"))


def camera_patches(count: int = 12, side: int = 32, seed: int = 0) -> Patches:
    """`count` patches a camera: a smooth random scene, a little noise, and the camera's own high-frequency pattern.

    The pattern is the residual, `remosaic` is another picture of the same scene.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    patterns = [6 * (-1.0) ** (x + y), 6 * np.sign(np.cos(np.pi * (x + y) / 2 + 0.1)), 0.0 * x]
    label = np.repeat(np.arange(3), count)
    slope = rng.uniform(-1.5, 1.5, (3 * count, 2, 1, 1, 3))
    scene = rng.uniform(80, 170, (3 * count, 1, 1, 3)) + slope[:, 0] * x[..., None] + slope[:, 1] * y[..., None]
    residual = np.stack([patterns[k] for k in label])[..., None] + rng.normal(0, 1.5, scene.shape)
    stored = [np.clip(np.round(scene + part), 0, 255).astype(np.uint8) for part in (residual, 0.5 * residual)]
    names = np.array([f"{LABELS[k]}_0_{i}.JPG" for i, k in enumerate(label)])
    fields = {"rgb": stored[0], "remosaic": stored[1], "residual": residual.astype(np.float16)}
    return Patches(
        {name: torch.from_numpy(value) for name, value in fields.items()},
        label,
        np.zeros(3 * count, bool),
        names,
        np.arange(3 * count).astype(str),
        np.zeros((3 * count, 2), int),
        np.zeros(3 * count, int),
        LABELS,
    )


@pytest.fixture(scope="session")
def patches() -> Patches:
    return camera_patches()


@pytest.fixture(autouse=True)
def _always(one_thread):
    pass
