"""Procedural scenes in linear light: objects with textures and shading that cover each other, under varying light.

A dead-leaves model (Ruderman 1997; Lee, Mumford and Huang 2001): objects whose sizes follow a power law cover each other,
which gives the edges and the 1/f amplitude spectrum of natural images.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.fft import irfft2, rfftfreq

OBJECTS = 420
DARKEST = 0.01  # the least light of the brighter parts of a scene that are exposed to the drawn level
MIN_RADIUS, MAX_RADIUS = 0.012, 0.35  # of objects, as shares of the longer side


def render_scene(seed: int, height: int, width: int) -> np.ndarray:
    """Linear RGB radiance (height, width, 3), float32, from 0 to about 1. The same seed and size give the same scene."""
    rng = np.random.default_rng(seed)
    objects, tops = _cover(rng, height, width)
    count = objects.max() + 1
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    rows, columns = rows / height, columns / width

    # each object has one colour, shading direction and texture; each scene has its own palette and contrast
    hue = rng.normal(0, 0.3, (3, 3))
    tint = rng.normal(0, rng.uniform(0.03, 0.2), (count, 3)) @ (np.eye(3) + hue)
    albedo = (rng.normal(-1.4, rng.uniform(0.12, 0.45), (count, 1)) + tint).astype(np.float32)
    slope = rng.normal(0, 0.4, (count, 2)).astype(np.float32)
    strength = np.minimum(rng.lognormal(-2.0, 0.9, count), 0.5).astype(np.float32)

    textures = np.stack([_noise(rng, height, width, exponent) for exponent in (-0.6, -1.0, -1.5)])
    kind = rng.integers(0, len(textures), count)
    shift = rng.integers(0, (height, width), (count, 2))
    y = (np.arange(height)[:, None] + shift[objects, 0]) % height
    x = (np.arange(width)[None, :] + shift[objects, 1]) % width
    texture = textures[kind[objects], y, x] * strength[objects]

    # logarithms of light, which are added: single precision, as Python's own numbers leave it
    direction = rng.normal(0, 0.3, 2).tolist()
    warmth = rng.normal(0, 0.12)
    light = direction[0] * (rows - 0.5) + direction[1] * (columns - 0.5) + 0.3 * textures[2]
    # the level of each object's shading at its own position is taken from its colour
    albedo -= (slope * tops[:count]).sum(axis=1, keepdims=True)
    albedo += np.array([warmth, 0, -warmth], np.float32)
    shading = slope[objects, 0] * rows + slope[objects, 1] * columns
    scene = np.exp(albedo[objects] + (texture + shading + light)[..., None])
    return expose_scene(rng, scene)


def expose_scene(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Linear light (height, width, 3) as radiance, float32: its brighter parts are at a drawn level from 0.35 to 0.7, but a
    scene that is nearly black stays dark.
    """
    bright = max(np.percentile(scene[::4, ::4], 90), DARKEST)
    return (scene * (rng.uniform(0.35, 0.7) / bright)).astype(np.float32)


def _cover(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The index of the foremost object at each pixel (H, W), and each object's position (count, 2) as shares of the sides."""
    longer = max(height, width)
    canvas = Image.new("I", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    # radii by inverse transform sampling of p(r) ~ r^-3
    radii = longer / np.sqrt(rng.uniform(MAX_RADIUS**-2, MIN_RADIUS**-2, OBJECTS))
    radii[: OBJECTS // 12] = longer * rng.uniform(0.15, 0.45, OBJECTS // 12)  # a background of large surfaces
    places = rng.uniform(-0.05, 1.05, (OBJECTS + 1, 2))
    for index, radius in enumerate(radii, start=1):
        centre = places[index] * (height, width)
        draw.polygon([tuple(point) for point in _outline(rng, radius) + centre[::-1]], fill=index)
    return np.asarray(canvas), places.astype(np.float32)


def _outline(rng: np.random.Generator, radius: float) -> np.ndarray:
    """Corners (n, 2) of an ellipse, a polygon or a bar around the origin, with a random rotation."""
    form = rng.integers(0, 4)
    if form == 0:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
    else:
        angles = np.linspace(0, 2 * np.pi, 24 if form < 3 else 4, endpoint=False) + (np.pi / 4 if form == 3 else 0)
    aspect = rng.uniform(0.08, 0.3) if form == 3 else rng.uniform(0.4, 1.0)
    points = np.stack([np.cos(angles), aspect * np.sin(angles)], axis=-1) * radius
    if form == 2:  # an uneven outline, like a leaf's
        points *= (1 + 0.25 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))[:, None]
    turn = rng.uniform(0, 2 * np.pi)
    return points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def _noise(rng: np.random.Generator, height: int, width: int, exponent: float) -> np.ndarray:
    """A periodic Gaussian field (H, W), unit variance, whose amplitude spectrum falls as f**exponent."""
    amplitude = _amplitude(height, width, exponent)
    parts = rng.standard_normal((2, *amplitude.shape), np.float32)
    spectrum = np.empty(amplitude.shape, np.complex64)
    np.multiply(amplitude, parts[0], out=spectrum.real)
    np.multiply(amplitude, parts[1], out=spectrum.imag)
    field = irfft2(spectrum, s=(height, width), overwrite_x=True)
    return field / field.std()


@lru_cache(maxsize=8)
def _amplitude(height: int, width: int, exponent: float) -> np.ndarray:
    """The amplitude (H, W // 2 + 1), float32, of each frequency of a field (H, W)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    return (frequency**exponent).astype(np.float32)
