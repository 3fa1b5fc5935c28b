"""The matched filter of each target: a fixed linear filter that takes the spectrum of a photograph to the target's.

A camera's demosaicing, sharpening, denoising and noise show in the power of its pictures at each frequency of Y, Cb and Cr.
Means are of the *logarithm* of the power of small blocks, so that the few blocks of the highest contrast do not decide alone.
The target's own save, which follows the attack, adds traces of its own: the filter is corrected for it, by filtering other
cameras' photographs, encoding them as the target does, and measuring what is left. Vertical and horizontal frequencies are
kept apart.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cama.compute.device import Compute
from cama.data.arrays import take
from cama.data.patches import Patches
from cama.jpeg.differentiable import TO_YCC
from cama.models.colour_filters import filter_channels, kernel
from cama.models.generator import MATCHED_TAPS

SIDE = 32  # pixels of a block
ROUNDING = 1 / 30  # squared grey levels: what rounding of red, green and blue leaves in Y, Cb or Cr
LOWEST = 3  # cycles a block, vertical and horizontal, below which the scene alone decides, and the window blurs
ROUNDS = 3  # of the correction
MEASURED = 4096  # most patches of a camera of which its mean is taken
CORRECTED = 192  # of these, those on which the correction is measured
DESTROYED = -1.0  # logarithm of the power that a save leaves of a frequency, below which no filter brings it back
MOST = (-2.5, 2.0)  # logarithms of the least and the highest gain
BATCH = 64
# pictures, their targets and where they begin in their photographs, to what the targets' cameras save
Encode = Callable[[Tensor, Tensor, Tensor], Tensor]
Change = Callable[[Tensor, Tensor], Tensor]  # pictures and where they begin, to others


def matched_filters(
    patches: Patches, source: str, encode: Encode | None, strength: float, seed: int, compute: Compute
) -> Tensor:
    """The filters (labels, 3, 31, 31) of Y, Cb and Cr towards each label, less the identity, from training patches.

    `source`: the array that G takes; targets are measured on `rgb`. `strength`: how much is made of the difference between the
    target and the mean of the other labels; the correction for the save of `encode`, the targets' encoders, is made whole.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        labels, rows = range(len(patches.labels)), _training_rows(patches, seed)
        wanted = torch.stack([mean_log_powers(patches, "rgb", own, compute) for own in rows])
        given = wanted
        if source != "rgb":
            given = torch.stack([mean_log_powers(patches, source, own, compute) for own in rows])
        filters = []
        for target in labels:
            others = [label for label in labels if label != target]
            step = (wanted[target] - given[others].mean(0)) / 2
            correction = torch.zeros_like(step)
            if encode:
                few = np.concatenate([rows[label][:CORRECTED] for label in others])
                own = mean_log_powers(patches, source, few, compute)
                saved = mean_log_powers(patches, source, few, compute, _through(correction, target, encode))
                for _ in range(ROUNDS):
                    through = _through(step + correction, target, encode)
                    got = mean_log_powers(patches, source, few, compute, through)
                    correction += ((own - got) / 2 + step) * (saved - own > DESTROYED)
            filters.append(_filter(strength * step + correction))
    return torch.stack(filters)


def block_log_powers(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] to the means (N, 3, 17, 17) over blocks of the logarithm of the power of Y, Cb and Cr in
    squared grey levels, at 0 to half a cycle a pixel, vertical and horizontal; both signs of a frequency count as one.
    """
    channels = torch.einsum("ij,njhw->nihw", TO_YCC.to(images), images.float()) * 127.5
    blocks = channels.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).flatten(2, 3)  # (N, 3, K, SIDE, SIDE)
    edge = torch.hann_window(SIDE, periodic=False, device=images.device)
    window = edge[:, None] * edge  # no leakage from one border to the other
    waves = torch.fft.rfft2((blocks - blocks.mean((-2, -1), keepdim=True)) * window)
    power = waves.abs().square() / window.square().sum()
    mirrored = power[..., (-torch.arange(SIDE)) % SIDE, :]
    power = ((power + mirrored) / 2)[..., : SIDE // 2 + 1, :]
    smooth = F.avg_pool2d(F.pad(power.flatten(0, 1), (1,) * 4, mode="reflect"), 3, stride=1)
    return smooth.unflatten(0, power.shape[:2]).add(ROUNDING).log().mean(2)


@torch.no_grad()
def mean_log_powers(
    patches: Patches, array: str, rows: np.ndarray, compute: Compute, change: Change | None = None
) -> Tensor:
    """The mean (3, 17, 17) of the log powers of some patches, after a change of each batch."""
    found = []
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        images = compute.images(take(patches.arrays[array], part))
        changed = change(images, torch.from_numpy(patches.origin[part])) if change else images
        found.append(block_log_powers(changed).cpu().double())
    return torch.cat(found).mean(0)


def _training_rows(patches: Patches, seed: int) -> list[np.ndarray]:
    """The rows of training patches of each label, drawn at random."""
    rng, training = np.random.default_rng(seed), ~patches.validation.astype(bool)
    labels = range(len(patches.labels))
    return [rng.permutation(np.flatnonzero(training & (patches.label == label)))[:MEASURED] for label in labels]


def _through(log_gains: Tensor, target: int, encode: Encode) -> Change:
    """Pictures after a filter of these gains and the target's save."""
    filters = _filter(log_gains)

    def change(images: Tensor, places: Tensor) -> Tensor:
        kernels = filters.to(images).expand(len(images), -1, -1, -1)
        labels = torch.full((len(images),), target, device=images.device)
        return encode(images + filter_channels(images, kernels), labels, places)

    return change


def _filter(log_gains: Tensor) -> Tensor:
    """The filter (3, 31, 31), less the identity, of the logarithms of gains (3, 17, 17), made 1 where the scene decides."""
    kept = log_gains.clamp(*MOST)
    kept[:, :LOWEST, :LOWEST] = 0
    kernels = np.stack([kernel(channel.numpy(), MATCHED_TAPS) for channel in kept])
    kernels[:, MATCHED_TAPS // 2, MATCHED_TAPS // 2] -= 1
    return torch.from_numpy(kernels).float()
