"""The matched filter of each target: a fixed linear filter that takes the spectrum of a photograph to the target's.

A camera's demosaicing, sharpening, denoising and noise show in the power of its pictures at each frequency of Y, Cb and Cr.
Means are of the *logarithm* of the power of small blocks, so that the few blocks of the highest contrast do not decide alone.
The target's own save, which follows the attack, adds traces of its own: the filter is corrected for it, by filtering other
cameras' photographs, encoding them as the target does, and measuring what is left.
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

SIDE = 32  # pixels of a block
ROUNDING = 1 / 30  # squared grey levels: what rounding of red, green and blue leaves in Y, Cb or Cr
LOWEST = 2  # cycles a block, vertical and horizontal, below which the scene alone decides, and the window blurs
ROUNDS = 3  # of the correction, each of which halves what is left or better
MEASURED = 4096  # most patches of a camera of which its mean is taken
CORRECTED = 192  # of these, those on which the correction is measured
MOST_CORRECTED = 0.5  # logarithm of a gain: what the target's save destroys no filter brings back
MOST = (-2.5, 2.0)  # logarithms of the least and the highest gain
BATCH = 64
Encode = Callable[[Tensor, Tensor], Tensor]  # pictures and their targets, to what the targets' cameras save


def matched_filters(
    patches: Patches, encode: Encode | None, taps: int, strength: float, seed: int, compute: Compute
) -> Tensor:
    """The filters (labels, 3, taps, taps) of Y, Cb and Cr towards each label, less the identity, from training patches.

    `strength`: how much of the difference between the target and the mean of the other labels is made; `encode`: the targets'
    encoders, if their save is corrected for.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pictures = [_training(patches, label, seed) for label in range(len(patches.labels))]
        means = torch.stack([_mean_log_powers(each, compute) for each in pictures])
        few = [each[:CORRECTED] for each in pictures]
        gains = []
        for target in range(len(means)):
            others = [source for source in range(len(means)) if source != target]
            correction = torch.zeros_like(means[0])
            for _ in range(ROUNDS if encode else 0):
                left = []
                for source in others:
                    filters = _filters((means[target] - means[source]) / 2 + correction, taps)
                    got = _mean_log_powers(few[source], compute, _through(filters, target, encode))
                    wanted = _mean_log_powers(few[source], compute) + means[target] - means[source]
                    left.append((wanted - got) / 2)
                correction = (correction + torch.stack(left).mean(0)).clamp(-MOST_CORRECTED, MOST_CORRECTED)
            usual = means[others].mean(0)
            gains.append(_filters(strength * (means[target] - usual) / 2 + correction, taps))
    return torch.stack(gains)


def log_powers(images: Tensor) -> Tensor:
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


def _training(patches: Patches, label: int, seed: int) -> Tensor:
    """Training patches (N, H, W, 3) of a label, drawn at random."""
    rows = np.flatnonzero(~patches.validation.astype(bool) & (patches.label == label))
    rows = np.random.default_rng(seed).permutation(rows)[:MEASURED]
    return torch.from_numpy(np.asarray(take(patches.arrays["rgb"], rows)))


@torch.no_grad()
def _mean_log_powers(stored: Tensor, compute: Compute, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The mean (3, 17, 17) of the log powers of patches (N, H, W, 3), after a change of each batch."""
    found = []
    for part in stored.split(BATCH):
        images = compute.images(part)
        found.append(log_powers(change(images) if change else images).cpu().double())
    return torch.cat(found).mean(0)


def _through(filters: Tensor, target: int, encode: Encode) -> Callable[[Tensor], Tensor]:
    """Pictures after the filters (3, taps, taps) and the target's save."""

    def change(images: Tensor) -> Tensor:
        kernels = filters.to(images).expand(len(images), -1, -1, -1)
        labels = torch.full((len(images),), target, device=images.device)
        return encode(images + filter_channels(images, kernels), labels)

    return change


def _filters(log_gains: Tensor, taps: int) -> Tensor:
    """The filters (3, taps, taps), less the identity, of the logarithms of gains (3, 17, 17), which stay at 1 where the scene
    decides.
    """
    kept = log_gains.clamp(*MOST)
    kept[:, :LOWEST, :LOWEST] = 0
    kernels = np.stack([kernel(channel.numpy(), taps) for channel in kept])
    kernels[:, taps // 2, taps // 2] -= 1
    return torch.from_numpy(kernels).float()
