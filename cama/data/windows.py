"""What attack and save see of a photograph, a window, and the crop of it that classifiers and detectors see."""

import numpy as np


def random_crop(picture: np.ndarray, side: int, seed: int) -> np.ndarray:
    """A crop (side, side, 3) of a picture (H, W, 3) at a random place that `seed` alone decides; of a picture that is smaller
    all that there is.
    """
    rng = np.random.default_rng(seed)
    top, left = (int(rng.random() * (max(0, length - side) + 1)) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]
