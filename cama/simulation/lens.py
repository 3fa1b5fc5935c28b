"""Radial distortion of a lens, and its correction."""

import numpy as np
from scipy.ndimage import map_coordinates, uniform_filter


def distort(plane: np.ndarray, strength: float, scale: float = 1.0, step: int = 1) -> np.ndarray:
    """A plane (H, W) as a lens shows it that moves what lies at the radius r, of 1 at the corners, to about r (1 - `strength`
    r^2), and magnifies it by `scale`: (H / `step`, W / `step`), each pixel the mean of `step` x `step` samples. The edges of
    the plane go on.
    """
    radius, offsets, centre = _radii((plane.shape[0] // step, plane.shape[1] // step))
    factor = (1 + strength * radius) / max(1.0, 1 + strength) / scale
    # means first, so that each pixel asks for one place alone; a mean has the index of its first sample
    means = uniform_filter(plane, step, mode="nearest", origin=-(step // 2))
    places = [step * (c + o * factor) for c, o in zip(centre, offsets, strict=True)]
    return map_coordinates(means, places, order=1, mode="nearest")


def correct(image: np.ndarray, strength: float, order: int) -> np.ndarray:
    """An image (H, W, 3), resampled by splines of an `order` so that the distortion of this strength is gone. Nothing from
    beyond its edges is needed.
    """
    radius, offsets, centre = _radii(image.shape[:2])
    factor = 1 / (1 + strength * radius) / max(1.0, 1 / (1 + strength))
    places = [c + o * factor for c, o in zip(centre, offsets, strict=True)]
    planes = [map_coordinates(image[..., channel], places, order=order, mode="nearest") for channel in range(3)]
    return np.clip(np.stack(planes, axis=-1), 0, 1)


def _radii(shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], tuple[float, float]]:
    """Of each pixel of an image (H, W) the square of the radius, 1 at the corners; the offsets from the centre down and
    across; and the centre.
    """
    centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    down = (np.arange(shape[0], dtype=np.float32) - np.float32(centre[0]))[:, None]
    across = (np.arange(shape[1], dtype=np.float32) - np.float32(centre[1]))[None]
    return (down**2 + across**2) / np.float32(centre[0] ** 2 + centre[1] ** 2), (down, across), centre
