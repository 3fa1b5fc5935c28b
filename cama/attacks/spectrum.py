"""The linear attack: a filter gives a picture the target camera's mean power spectrum, as the adversary's photographs show it.

Each YCbCr channel is filtered by the gain (mean power of the target / of the source) ** (alpha / 2) at each frequency, and the
change of each picture is then scaled to a given PSNR, which is a linear filter still. The gain is even in both directions,
so that filtering the picture with its mirror images is a product in its DCT: nothing wraps around from the opposite border,
and the mean stays, but for values clipped to the range. It does not depend on place, so that a JPEG grid stays where it is.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.fft import dctn, idctn, rfft2
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq

from cama.attacks.classical import Attack
from cama.compute.psnr import at_psnr, psnr
from cama.core.errors import CamaError
from cama.data.arrays import take
from cama.data.patches import Patches
from cama.settings.attacks import MethodSpec

TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])  # of JFIF
ROUNDING = 1 / 30  # squared grey levels: what rounding of red, green and blue leaves in Y, Cb or Cr
LOWEST = 2  # cycles a patch, vertical and horizontal, below which the scene alone decides, and the window blurs
MOST_ALPHA = 3.0
PAIRS = 200  # photographs and targets on which alpha is chosen
BATCH = 256  # patches


class Strength(NamedTuple):
    """A filter's alpha, and the mean PSNR in dB that it has on the adversary's validation photographs before it is scaled."""

    alpha: float
    psnr: float


def spectrum_attack(path: Path, method: MethodSpec, targets: tuple[str, ...]) -> tuple[Attack, dict[str, Strength]]:
    """The attack, and how strong it is from a known source and from an unknown one, which a source of -1 always is.

    `path`: the adversary's patch file, whose labels are `targets`. The spectrum of an unknown source is the mean of all
    labels. Alpha is that at which the mean PSNR is `method.psnr`, at most 3; each picture is then scaled to that PSNR.
    """
    patches = Patches.read(path, "rgb", memory=0)
    if patches.labels != targets:
        raise CamaError(f"{path}: found the labels {list(patches.labels)}, expected {list(targets)}")
    log_gain = _log_gains(path, patches)
    pairs = _pictures(path, patches)
    strengths = {"unknown": _strength(method.psnr, [(x, log_gain(-1, target)) for x, _, target in pairs])}
    if method.source == "known":
        strengths["known"] = _strength(method.psnr, [(x, log_gain(*labels)) for x, *labels in pairs])

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        changed = []
        for image, own, aim in zip(images, source, target, strict=True):
            known = own >= 0 and method.source == "known"
            alpha = strengths["known" if known else "unknown"].alpha
            changed.append(filtered(image[None], alpha * log_gain(own if known else -1, aim))[0])
        return at_psnr(images, np.stack(changed), method.psnr)

    return attack, strengths


def _log_gains(path: Path, patches: Patches) -> Callable[[int, int], np.ndarray]:
    """The logarithm (F, F, 3) of the gain from a source, -1 for an unknown one, to a target, for an alpha of 1."""
    powers = _mean_powers(path, patches)
    # the last, which is also at -1, of an unknown source
    powers = np.concatenate([powers, powers.mean(0, keepdims=True)])

    def log_gain(source: int, target: int) -> np.ndarray:
        gain = np.log(powers[target] / powers[source]) / 2
        gain[:LOWEST, :LOWEST] = 0
        return gain

    return log_gain


def _pictures(path: Path, patches: Patches) -> list[tuple[np.ndarray, int, int]]:
    """The patches of a validation photograph, its label and another label: all of these, or some chosen at random."""
    pairs = [
        (rows[patches.photograph[rows] == name], source, target)
        for source, rows in _rows(path, patches, validation=True)
        for name in np.unique(patches.photograph[rows])
        for target in range(len(patches.labels))
        if target != source
    ]
    # always the same ones, so that the attack is the same wherever it is made
    chosen = np.random.default_rng(0).permutation(len(pairs))[:PAIRS]
    return [(take(patches.arrays["rgb"], rows), *labels) for rows, *labels in (pairs[place] for place in chosen)]


def _strength(level: float, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Strength:
    """The alpha at which the mean PSNR of photographs, each some patches (n, S, S, 3), is `level`. Each has its own gain."""

    def mean_psnr(alpha: float) -> float:
        # over all patches of a photograph, since in pictures, which are scored, smooth parts make up for busy ones
        levels = [psnr(np.concatenate(x), np.concatenate(np.rint(filtered(x, alpha * gain)))) for x, gain in pairs]
        return float(np.mean(np.minimum(levels, 100)))  # infinite where nothing changes

    alpha = MOST_ALPHA
    if mean_psnr(alpha) < level:
        alpha = float(brentq(lambda value: mean_psnr(value) - level, 0, MOST_ALPHA, xtol=1e-3))
    return Strength(alpha, mean_psnr(alpha))


def filtered(images: np.ndarray, log_gain: np.ndarray) -> np.ndarray:
    """Images (N, H, W, 3), uint8, filtered in YCbCr by a gain, as float32 in 0 to 255. The gain's logarithm (F, F, 3) is given
    at F frequencies from 0 to half a cycle a pixel, vertical and horizontal, and interpolated between them. The mean stays
    where the first is 0.
    """
    known = np.linspace(0, 0.5, len(log_gain))
    wanted = np.meshgrid(*(np.arange(side) / (2 * side) for side in images.shape[1:3]), indexing="ij")
    gain = np.exp(RegularGridInterpolator((known, known), log_gain)(tuple(wanted)))
    waves = dctn(images @ TO_YCBCR.T, axes=(1, 2), norm="ortho")
    changed = idctn(waves * gain, axes=(1, 2), norm="ortho") @ np.linalg.inv(TO_YCBCR).T
    return np.clip(changed, 0, 255).astype(np.float32)


def power_spectrum(images: np.ndarray) -> np.ndarray:
    """Mean power (S // 2 + 1, S // 2 + 1, 3) of the YCbCr channels of images (N, S, S, 3) in squared grey levels: at every
    frequency the variance, for white noise. Without each image's mean; that of an image and its mirror images.
    """
    side = images.shape[1] // 2 * 2  # an even one has half a cycle a pixel among its frequencies
    window = np.outer(np.hanning(side), np.hanning(side))[..., None]  # no leakage from one border to the other
    channels = images[:, :side, :side] @ TO_YCBCR.T
    waves = rfft2((channels - channels.mean((1, 2), keepdims=True)) * window, axes=(1, 2))
    power = np.square(np.abs(waves)).mean(0) / np.square(window).sum()
    return (power + power[-np.arange(side)])[: side // 2 + 1] / 2


def _mean_powers(path: Path, patches: Patches) -> np.ndarray:
    """The power spectrum (L, F, F, 3) of each label's training patches, at least that of rounding."""
    powers = []
    for _, rows in _rows(path, patches, validation=False):
        parts = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
        each = [power_spectrum(take(patches.arrays["rgb"], part)) for part in parts]
        powers.append(np.average(each, axis=0, weights=[len(part) for part in parts]))
    return np.maximum(powers, ROUNDING)


def _rows(path: Path, patches: Patches, validation: bool) -> Iterator[tuple[int, np.ndarray]]:
    """Each label and its rows of one part, of which there must be some."""
    part = patches.validation.astype(bool) == validation
    for label, name in enumerate(patches.labels):
        rows = np.flatnonzero(part & (patches.label == label))
        if not len(rows):
            kind = "validation" if validation else "training"
            raise CamaError(f"{path}: found no {kind} patch of {name}, expected at least one for each label")
        yield label, rows
