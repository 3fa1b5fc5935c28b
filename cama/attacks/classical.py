"""Attacks that know nothing of cameras. They ignore the labels.

Every attack is `attack(images, source, target) -> images`: stored images (N, H, W, 3), uint8; labels (N,), ints.
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import median_filter

from cama.images import deliver
from cama.signals.mosaic import remosaic

Attack = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def untargeted(change: Callable[[np.ndarray], np.ndarray]) -> Attack:
    """An attack from a change of one image (H, W, 3)."""

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([change(image) for image in images])

    return attack


def classical_attack(method: str, strength: int) -> Attack:
    """A classical attack by name. `strength`: quality of `jpeg`, window of `median`."""
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "identity": lambda image: image,
        "jpeg": lambda image: deliver(image, f"jpeg{strength}"),
        "median": lambda image: median_filter(image, (strength, strength, 1), mode="reflect"),
        "remosaic": remosaic,
    }
    return untargeted(changes[method])
