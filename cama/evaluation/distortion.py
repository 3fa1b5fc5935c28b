"""How much an attack changes a picture. Images are uint8 (H, W, 3)."""

import math
import warnings
from pathlib import Path

import numpy as np
import torch
from pytorch_msssim import ms_ssim as multi_scale
from skimage.metrics import structural_similarity

from cama.compute.tensors import to_float
from cama.core.errors import CamaError
from cama.storage.files import file_hash

AREA = 32  # pixels a side of an area whose mean colour is compared


def ssim(image: np.ndarray, changed: np.ndarray) -> float:
    """Mean structural similarity (Wang et al. 2004): Gaussian window of 1.5, over the three channels."""
    return float(
        structural_similarity(
            image, changed, channel_axis=-1, data_range=255, gaussian_weights=True, use_sample_covariance=False
        )
    )


def ms_ssim(image: np.ndarray, changed: np.ndarray) -> float:
    """Structural similarity over five scales (Wang et al. 2003); nan below 161 pixels a side, where the last has no window."""
    if min(image.shape[:2]) <= 160:
        return math.nan
    # the channels stay last in memory, which takes two thirds of the time
    both = [torch.from_numpy(x).permute(2, 0, 1)[None].float() for x in (image, changed)]
    return float(multi_scale(*both, data_range=255))


def area_shift(image: np.ndarray, changed: np.ndarray) -> float:
    """By how many grey levels the mean colour of areas moves: root mean square over the channels of all whole areas of 32 x 32
    pixels, or of the one that a smaller picture is. What an attack does to traces alone leaves it near 0.
    """
    height, width = (max(1, side // AREA) for side in image.shape[:2])
    side = min(AREA, *image.shape[:2])
    change = changed[: height * side, : width * side].astype(np.float64) - image[: height * side, : width * side]
    means = change.reshape(height, side, width, side, -1).mean((1, 3))
    return float(np.sqrt(np.square(means).mean()))


class Lpips:
    """Learned perceptual distance (Zhang et al. 2018) on AlexNet's features; 0 for equal images, lower is closer.

    `weights` is torchvision's file of AlexNet; it is refused where its SHA-256 does not begin with `sha256`.
    """

    def __init__(self, weights: Path, sha256: str) -> None:
        digest = file_hash(weights)
        if not digest.startswith(sha256):
            raise CamaError(f"{weights}: found SHA-256 {digest}, expected one that begins with {sha256}")
        from lpips import LPIPS  # slow to import, and rarely used

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it uses a deprecated argument of torchvision
            self.net = LPIPS(net="alex", pnet_rand=True, verbose=False)
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            own = {name: state["features." + name.partition(".")[2]] for name in self.net.net.state_dict()}
            self.net.net.load_state_dict(own)
        except Exception as error:
            raise CamaError(f"{weights}: found no weights of torchvision's AlexNet ({error})") from error

    @torch.no_grad()
    def __call__(self, image: np.ndarray, changed: np.ndarray) -> float:
        """The distance of two pictures."""
        return float(self.net(*(to_float(torch.from_numpy(x)[None]) for x in (image, changed))))
