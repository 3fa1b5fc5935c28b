"""A generator over a photograph of any size, tile by tile, as if in one pass."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import torch

from cama.alignment import MCU
from cama.compute.device import Compute
from cama.compute.psnr import at_psnr
from cama.compute.tensors import to_bytes
from cama.forensics.mosaic import remosaic
from cama.models.generator import MATCHED_TAPS, Generator, blur_radius
from cama.settings.networks import GeneratorSpec

TILE = 512  # pixels a side, on multiples of 16, so that Bayer phase and JPEG grid are the same in each
DEMOSAICING_REACH = 16  # pixels from which Menon's demosaicing may take a pixel


def reach(spec: GeneratorSpec) -> int:
    """How far, in pixels, a change of the input can change G's output."""
    down = sum(2**level for level in range(spec.downsamplings))
    inner = 2 * spec.blocks * 2**spec.downsamplings
    own = 2 * (spec.kernel // 2) + 2 * down + inner + 2**spec.downsamplings
    own += blur_radius(spec.detail)
    if spec.output == "filters":
        own = max(own, spec.taps // 2)
    own += MATCHED_TAPS // 2 if spec.matched else 0
    return own + (DEMOSAICING_REACH if spec.input == "remosaic" else 0)


@torch.no_grad()
def transform(
    picture: np.ndarray,
    generator: Generator,
    spec: GeneratorSpec,
    target: int,
    compute: Compute,
    psnr: float = 0,
    tile: int = TILE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """G's picture (H, W, 3), uint8, of such a picture for the label `target`; G is on the device of `compute`. Each tile, a
    multiple of 16 pixels a side, goes through G with as many pixels around it as can change it, so the result is that of one
    pass, and memory is bounded by the tile. `progress` is called with the numbers of tiles done and of all tiles. With `psnr`,
    in dB, the change of the whole picture is scaled to that at last (`at_psnr`).
    """
    height, width = picture.shape[:2]
    # to multiples of 16 by mirroring: G may need even sides, and no photograph ends with a jump
    below, right = -height % MCU, -width % MCU
    padded = picture if not (below or right) else np.pad(picture, ((0, below), (0, right), (0, 0)), mode="symmetric")
    margin = -(-reach(spec) // MCU) * MCU
    rows, columns = ([(first, first + tile) for first in range(0, length, tile)] for length in padded.shape[:2])
    result = np.empty_like(padded)
    label = torch.tensor([target], device=compute.device)

    def change(context: np.ndarray) -> np.ndarray:
        if spec.input == "remosaic":
            context = remosaic(context)
        with compute.autocast():
            return to_bytes(generator(compute.images(context[None].copy()), label))[0]

    over_tiles(padded, rows, columns, margin, change, result, progress)
    changed = result[:height, :width]
    return at_psnr(picture[None], changed[None], psnr)[0] if psnr else changed


def over_tiles(
    padded: np.ndarray,
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    margin: int,
    change: Callable[[np.ndarray], np.ndarray],
    result: np.ndarray,
    progress: Callable[[int, int], None],
) -> None:
    """Fill `result` (H, W, 3) tile by tile, each from `change` of the picture `padded` (H, W, 3) there, with so many pixels
    around it. `rows` and `columns`: where tiles begin and end.
    """
    for done, ((top, bottom), (left, right)) in enumerate(product(rows, columns), start=1):
        above, before = max(0, top - margin), max(0, left - margin)
        changed = change(padded[above : bottom + margin, before : right + margin])
        result[top:bottom, left:right] = changed[top - above : bottom - above, left - before : right - before]
        progress(done, len(rows) * len(columns))
