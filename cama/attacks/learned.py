"""The attack by a trained generator: G's picture, and where that is refined, gradient steps on E from there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cama.attacks.refinement import GENERATOR, refine
from cama.attacks.tiles import TILE, transform
from cama.core.errors import CamaError


@dataclass(frozen=True)
class LearnedAttack:
    """A trained generator for photographs of any size, by whatever runs its networks.

    `generate`: G's picture (H, W, 3), uint8, of such a picture, whose sides are multiples of 16, for a label; `reach`: how far,
    in pixels, a change of the picture can change G's; `walk`: the picture after gradient steps on E for a label, each pixel
    within a bound in grey levels, in 0 to 255 and not rounded, or None where pictures are not refined; `effort`: how much
    longer that takes than G; `headroom`: how many dB more G's change of any region may have than the PSNR asks on average
    (see `even_out`); 0 leaves it where G makes it; `workers`: threads, of which each has a tile of `tile` pixels a side.
    """

    generate: Callable[[np.ndarray, int], np.ndarray]
    reach: int
    walk: Callable[[np.ndarray, int, float], np.ndarray] | None = None
    effort: int = 1
    headroom: float = 0
    workers: int = 1
    tile: int = TILE

    def __call__(
        self,
        picture: np.ndarray,
        target: int,
        psnr: float = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """The picture (H, W, 3), uint8, changed towards the label `target`, so that it has `psnr` dB; 0, for a generator whose
        pictures are not refined, leaves the change as G makes it. `progress` is called with parts of the work done and of all.
        """
        if self.walk and not psnr:
            raise CamaError("psnr: found 0, expected a PSNR in dB: this generator's pictures are refined at one")
        whole = 1 + (self.effort if self.walk else 0)
        made = transform(
            picture,
            lambda context: self.generate(context, target),
            self.reach,
            psnr + GENERATOR if self.walk else psnr,
            self.headroom,
            self.tile,
            self.workers,
            lambda done, total: progress(done, total * whole),
        )
        if not self.walk:
            return made
        return refine(
            picture,
            made,
            lambda context, bound: self.walk(context, target, bound),
            psnr,
            self.tile,
            self.workers,
            lambda done, total: progress(total + done * self.effort, total * whole),
            made,
        )
