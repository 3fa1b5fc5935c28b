"""A loss without an opponent: the power spectrum that another camera would have given the same scene.

Denoising, sharpening, demosaicing and noise show in the mean power of the coefficients of 8x8 DCT blocks, beside what the scene
decides. For each camera model a linear regression says what is usual at a picture's contrast and brightness. What a target's
camera would make of a photograph is then the photograph's own spectrum, moved by the difference of two regressions: what is
special about it stays.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cama.compute.device import Compute
from cama.data.arrays import take
from cama.data.patches import Patches
from cama.jpeg.differentiable import TO_YCC, cosines

STRIDE = 4  # of the blocks, which overlap, since the JPEG grid of a patch may lie anywhere
FLOOR = 0.1  # squared grey levels, about what rounding to 8 bits leaves in a coefficient
LOWEST = 2  # sum of both frequencies of a block, in half cycles, below which the scene alone decides
RIDGE = 1e-3  # keeps a regression defined where all patches of a camera are alike
BATCH = 256


def log_powers(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] to the logarithms (N, 6, 36) of the mean power of DCT coefficients over their blocks.

    The channels are R, G, B, Y, Cb and Cr, which together say how the colours correlate; the coefficients are those of (row,
    column) and (column, row) together, since training patches are turned.
    """
    mixed = torch.einsum("ij,njhw->nihw", _mixing().to(images), images.float()) * 127.5
    basis = cosines().to(mixed)
    kernels = torch.einsum("ux,vy->uvxy", basis, basis).reshape(64, 1, 8, 8)
    coefficients = F.conv2d(mixed.flatten(0, 1)[:, None], kernels, stride=STRIDE)
    power = coefficients.square().mean((2, 3)).reshape(len(images), 6, 8, 8)
    rows, columns = torch.triu_indices(8, 8)
    return ((power + power.transpose(2, 3)) / 2)[:, :, rows, columns].add(FLOOR).log()


def _mixing() -> Tensor:
    return torch.cat([torch.eye(3), TO_YCC])


def _about(images: Tensor, powers: Tensor) -> Tensor:
    """What a picture's spectrum usually goes by (N, 4): a constant, contrast at low frequencies, brightness and its square."""
    contrast = powers[:, 3, _frequency() == 1].mean(1)  # of the luminance
    brightness = images.float().mean((1, 2, 3))
    return torch.stack([torch.ones_like(contrast), contrast, brightness, brightness.square()], dim=1)


def _frequency() -> Tensor:
    """The sum of both frequencies of each of the 36 coefficients."""
    return torch.triu_indices(8, 8).sum(0)


class SpectrumLoss(nn.Module):
    """How far the spectra of G's pictures are from what the target's cameras would have made of the photographs."""

    def __init__(self, patches: Patches, compute: Compute) -> None:
        """Measure what is usual for each label, on the training patches."""
        super().__init__()
        training = torch.from_numpy(~patches.validation.astype(bool))
        usual = []
        for label in range(len(patches.labels)):
            rows = torch.nonzero(training & torch.from_numpy(patches.label == label)).flatten()
            parts = [self._measured(patches, part, compute) for part in rows.split(BATCH)]
            about, powers = (torch.cat(part).double() for part in zip(*parts, strict=True))
            normal = about.T @ about + RIDGE * len(rows) * torch.eye(about.shape[1], dtype=torch.float64)
            usual.append(torch.linalg.solve(normal, about.T @ powers.flatten(1)))
        self.register_buffer("usual", torch.stack(usual).float())  # (labels, 4, 6 * 36)
        self.register_buffer("counted", _frequency() >= LOWEST)

    @staticmethod
    @torch.no_grad()
    def _measured(patches: Patches, rows: Tensor, compute: Compute) -> tuple[Tensor, Tensor]:
        images = compute.images(torch.from_numpy(take(patches.arrays["rgb"], rows.numpy())))
        powers = log_powers(images)
        return _about(images, powers).cpu(), powers.cpu()

    def forward(self, real: Tensor, changed: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """The mean absolute difference of log powers, in nepers of power, of pictures `changed` (N, 3, H, W) from photographs
        `real` by the labels `source` towards `target` (N,).
        """
        with torch.no_grad():
            own = log_powers(real)
            step = torch.einsum("nk,nkf->nf", _about(real, own), self.usual[target] - self.usual[source])
            wanted = own + step.reshape(own.shape)
        return (log_powers(changed) - wanted)[:, :, self.counted].abs().mean()
