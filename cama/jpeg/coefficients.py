"""From pixels to quantised coefficients with any sampling factors, step for step as the Independent JPEG Group's encoder."""

from collections.abc import Sequence

import numpy as np

from cama.jpeg.coding import Component
from cama.jpeg.quantisation import ZIGZAG

# Rows that are worked on at a time, which bounds the memory: a multiple of the height of every MCU, 8 to 32.
BAND = 480
# R, G and B to Y, Cb and Cr (ITU-R BT.601): weights in units of 1 / 65536, and what is added to the sum before it is rounded.
COLOUR = np.array([[19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]])
ADDED = np.array([32768, (128 << 16) + 32767, (128 << 16) + 32767])
PASSES = (11, 15)  # bits that are rounded away after the transform of the rows, and of the columns


def _transform_matrix() -> np.ndarray:
    """The DCT of 8 samples (Loeffler, Ligtenberg and Moschytz 1989) in integers, in units of 1 / 8192."""
    even, odd = np.eye(8, dtype=int)[:4], np.eye(8, dtype=int)[:4]
    mirrored = np.eye(8, dtype=int)[:3:-1]
    t0, t1, t2, t3 = even + mirrored
    t7, t6, t5, t4 = odd - mirrored
    z1 = (t1 - t2 + t0 - t3) * 4433
    middle = (z1 + (t0 - t3) * 6270, z1 - (t1 - t2) * 15137)
    z5 = (t4 + t6 + t5 + t7) * 9633
    z1, z2, z3, z4 = (t4 + t7) * -7373, (t5 + t6) * -20995, (t4 + t6) * -16069 + z5, (t5 + t7) * -3196 + z5
    return np.array(
        [
            (t0 + t1 + t2 + t3) * 8192,
            t7 * 12299 + z1 + z4,
            middle[0],
            t6 * 25172 + z2 + z3,
            (t0 - t1 - t2 + t3) * 8192,
            t5 * 16819 + z2 + z4,
            middle[1],
            t4 * 2446 + z1 + z3,
        ],
        dtype=np.float64,  # holds these integers exactly, and multiplies fast
    )


TRANSFORM = _transform_matrix()


def coefficients(
    picture: np.ndarray, components: Sequence[Component], tables: Sequence[Sequence[int]], rgb: bool = False
) -> list[np.ndarray]:
    """The quantised coefficients of each component, int16 (block rows, block columns, 64) in zigzag order.

    `picture`: (H, W, 3), uint8, RGB. `tables`: each component's steps in the order of the block. The components are Y, Cb and
    Cr, or with `rgb` the picture's own channels.
    """
    height, width = picture.shape[:2]
    most = max(c.horizontal for c in components), max(c.vertical for c in components)
    found = []
    for number, (component, table) in enumerate(zip(components, tables, strict=True)):
        columns = -(-width * component.horizontal // (8 * most[0]))
        rows = -(-height * component.vertical // (8 * most[1]))
        ratios = most[0] // component.horizontal, most[1] // component.vertical
        blocks = np.empty((rows, columns, 64), np.int16)
        done = 0
        for top in range(0, height, BAND):
            samples = _downsample(_channel(picture[top : top + BAND], number, rgb), ratios, columns * 8)
            part = _quantise(samples, np.array(table))[: rows - done]
            blocks[done : done + len(part)] = part
            done += len(part)
        found.append(blocks)
    return found


def _channel(band: np.ndarray, number: int, rgb: bool) -> np.ndarray:
    """One component of a band (h, W, 3): integers (h, W)."""
    if rgb:
        return band[..., number].astype(np.int32)
    weights = COLOUR[number].astype(np.int32)
    total = sum(band[..., i].astype(np.int32) * weights[i] for i in range(3))
    return (total + np.int32(ADDED[number])) >> 16


def _downsample(samples: np.ndarray, ratios: tuple[int, int], width: int) -> np.ndarray:
    """Means of `ratios` (horizontal, vertical) samples, `width` of them a row; the last column and row are repeated to fill
    whole blocks.
    """
    across, down = ratios
    right, below = width * across - samples.shape[1], -samples.shape[0] % down
    samples = np.pad(samples[:, : width * across], ((0, below), (0, max(0, right))), mode="edge")
    if ratios != (1, 1):
        sums = samples.reshape(samples.shape[0] // down, down, width, across).sum((1, 3))
        if ratios in ((2, 1), (2, 2)):  # rounds up and down in turn
            samples = (sums + np.arange(width) % 2 + (down - 1)) // (across * down)
        else:
            samples = (sums + across * down // 2) // (across * down)
    return np.pad(samples, ((0, -samples.shape[0] % 8), (0, 0)), mode="edge")


def _quantise(samples: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The quantised coefficients of samples (8 h, 8 w): int16 (h, w, 64) in zigzag order."""
    blocks = samples.reshape(-1, 8, samples.shape[1] // 8, 8).swapaxes(1, 2) - 128.0
    for bits in PASSES:  # each turns the block over, so that the second pass has the columns and restores the order
        blocks = (blocks.reshape(-1, 8) @ TRANSFORM.T).reshape(blocks.shape)
        blocks = np.floor((blocks + (1 << bits - 1)) / (1 << bits)).swapaxes(2, 3)
    steps = table.reshape(8, 8) * 8  # the transform gives eight times the coefficients
    sizes = np.abs(blocks).astype(np.int32)
    quantised = np.sign(blocks) * ((sizes + steps // 2) // steps)
    return quantised.astype(np.int16).reshape(*blocks.shape[:2], 64)[..., list(ZIGZAG)]
