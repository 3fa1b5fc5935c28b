"""G's pictures as the target cameras deliver them, between G and the networks that look at them in training.

D compares with real photographs of the target, which its camera has saved once. Without this G learns to imitate the traces of
that save, and the save of what is delivered adds them again. The grid of blocks is where it lies in the photograph, which
both its own camera and the target's save from the first pixel on.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cama.compute.device import Compute
from cama.compute.tensors import to_bytes
from cama.core.errors import CamaError
from cama.jpeg.differentiable import SUBSAMPLINGS, save_through
from cama.jpeg.imitation import Imitation

GRID = 16  # pixels after which the grid of blocks and of chroma samples repeats


class Encoding(NamedTuple):
    """One of a camera's encodings: tables (8, 8), subsampling, and the share of its photographs that have it."""

    luma: Tensor
    chroma: Tensor
    subsampling: str
    share: float


def encodings(name: str, imitation: Imitation) -> list[Encoding]:
    """The encodings of a camera of this name in luma and chroma, of which there must be some."""
    found = []
    for (coding, _), share in zip(imitation.choices, imitation.shares, strict=True):
        if coding["subsampling"] in SUBSAMPLINGS:
            luma, chroma = (
                torch.tensor(coding["quantisation"][str(component[3])], dtype=torch.float32).reshape(8, 8)
                for component in coding["components"][:2]
            )
            found.append(Encoding(luma, chroma, coding["subsampling"], float(share)))
    if not found:
        seen = sorted({coding["subsampling"] for coding, _ in imitation.choices})
        raise CamaError(f"profile of {name}: found the subsamplings {seen}, expected one of {list(SUBSAMPLINGS)}")
    return found


class TargetEncoders:
    """The encoders of all targets, as one differentiable function of pictures and their targets."""

    def __init__(self, imitations: Mapping[str, Imitation], labels: Sequence[str]) -> None:
        """`imitations`: the encoder of each of `labels`, the targets."""
        self.encodings = [encodings(name, imitations[name]) for name in labels]

    def __call__(self, images: Tensor, labels: Tensor, places: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1], sides multiples of 16 and 32 or more, as decoded after a save by their targets'
        cameras (N,). They begin at `places` (N, 2), rows and columns, in the photographs that are saved. Which of its encodings
        each target takes is drawn from torch's random state.
        """
        height, width = images.shape[2:]
        around = F.pad(images, (GRID,) * 4, mode="reflect").unbind()
        offsets = [(int(row) % GRID, int(column) % GRID) for row, column in places.tolist()]
        onto = [
            one[:, GRID - row : 2 * GRID - row + height, GRID - column : 2 * GRID - column + width]
            for one, (row, column) in zip(around, offsets, strict=True)
        ]
        on_grid, indices, saved = torch.stack(onto), [], []
        for label, choices in enumerate(self.encodings):
            shares = torch.tensor([choice.share for choice in choices])
            chosen = choices[int(torch.multinomial(shares, 1))]  # drawn for each, so that no draw depends on the labels
            rows = torch.nonzero(labels == label).flatten()
            indices.append(rows)
            saved.append(save_through(on_grid[rows], chosen.luma, chosen.chroma, chosen.subsampling))
        whole = torch.cat(saved)[torch.argsort(torch.cat(indices))].unbind()
        return torch.stack(
            [
                one[:, row : row + height, column : column + width]
                for one, (row, column) in zip(whole, offsets, strict=True)
            ]
        )

    @torch.no_grad()
    def delivered(
        self, patches: np.ndarray, target: int, places: np.ndarray, seed: int, compute: Compute
    ) -> np.ndarray:
        """Patches (n, S, S, 3), uint8, that begin at `places` (n, 2) in a photograph, as decoded after a save by the camera
        `target`, which of its encodings the seed decides; torch's random state stays.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            labels = torch.full((len(patches),), target, device=compute.device)
            return to_bytes(self(compute.images(patches), labels, torch.from_numpy(places)))
