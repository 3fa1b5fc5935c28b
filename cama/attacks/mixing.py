"""The weights of a mixture: how strong each change is, and how much of each serves a target best, by judges."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cama.attacks.auto import evenly
from cama.attacks.spectrum import filter_gains, validation_pairs
from cama.compute.device import Compute
from cama.compute.psnr import together_at_psnr
from cama.data.arrays import take
from cama.data.patches import Patches
from cama.models.classifiers import Classifier
from cama.models.colour_filters import kernel
from cama.models.generator import Generator
from cama.models.mixture import Mixture
from cama.settings.networks import MixtureNetSpec
from cama.training.classifier import predict

SHOWN = 16  # most patches of a photograph that judges see


def shares(members: int, parts: int) -> Iterator[tuple[float, ...]]:
    """All ways to give each of so many members a whole number of `parts` parts of one, the most even first."""
    found = [each for each in product(range(parts + 1), repeat=members) if sum(each) == parts]
    found.sort(key=lambda each: max(each) - min(each))
    return (tuple(part / parts for part in each) for each in found)


def as_good_as_best(scored: Sequence[tuple[np.ndarray, tuple[float, ...]]]) -> tuple[float, ...]:
    """The first shares whose scores (N,) of the same photographs are at most a standard error of the difference below the
    best.
    """
    best, _ = max(scored, key=lambda one: one[0].mean())

    def as_good(hits: np.ndarray) -> bool:
        less = best - hits
        return less.mean() <= (less.std(ddof=1) / np.sqrt(len(less)) if len(less) > 1 else 0)

    return next(each for hits, each in scored if as_good(hits))


def mix(
    path: Path,
    members: Sequence[Generator],
    spec: MixtureNetSpec,
    judges: Sequence[Classifier],
    psnr: float,
    parts: int,
    compute: Compute,
) -> tuple[Mixture, pd.DataFrame]:
    """A mixture of trained generators and the linear filter of an unknown source, from the adversary's patch file.

    Towards each target every member's change first gets the same strength on the validation photographs, that of `psnr` dB.
    Each picture is then mixed with all `shares` and scaled to `psnr` in 8 bits. Kept are the most even shares that the judges
    find as good as the best: their probabilities of the target differ by at most a standard error over photographs.

    The table has a row for each target and shares: `target`, a column for each member, `filter`, `judged` (the mean
    probability of the target over photographs, patches and judges), and `chosen`.
    """
    patches = Patches.read(path, "rgb", memory=0)  # few of them are used at once
    mixture = Mixture(len(patches.labels), spec).eval()
    for own, member in zip(mixture.members, members, strict=True):
        own.load_state_dict(member.state_dict())
    gains, _ = filter_gains(path, patches, psnr)  # (L, F, F, 3)
    kernels = [[kernel(gain[..., channel], spec.taps) for channel in range(3)] for gain in gains]
    mixture.kernels.copy_(torch.from_numpy(np.array(kernels, np.float32)))
    compute.to_device(mixture)
    pairs = [
        (np.asarray(take(patches.arrays["rgb"], np.array(evenly(rows, SHOWN)))), target)
        for rows, _, target in validation_pairs(path, patches)
    ]
    rows = []
    for target, label in enumerate(patches.labels):
        pictures = [picture for picture, aim in pairs if aim == target]
        changes = [_changes(mixture, picture, target, compute) for picture in pictures]
        strength = np.sqrt(np.mean([np.square(change).mean((1, 2, 3, 4)) for change in changes], axis=0))
        scale = 255 * 10 ** (-psnr / 20) / np.maximum(strength, 1e-6)  # (K,)
        scored = []
        for each in shares(len(members) + 1, parts):
            weights = np.array(each) * scale
            hits = [
                _judged(judges, picture, change, weights, psnr, target, compute)
                for picture, change in zip(pictures, changes, strict=True)
            ]
            scored.append((np.array(hits), each))
        chosen = as_good_as_best(scored)
        mixture.weights[target] = torch.from_numpy((np.array(chosen) * scale).astype(np.float32))
        rows += [(label, *each, hits.mean(), each == chosen) for hits, each in scored]
    columns = ["target", *(f"member_{place + 1}" for place in range(len(members))), "filter", "judged", "chosen"]
    return mixture, pd.DataFrame(rows, columns=columns)


@torch.no_grad()
def _changes(mixture: Mixture, picture: np.ndarray, target: int, compute: Compute) -> np.ndarray:
    """What each member changes of the patches (n, S, S, 3) of a photograph, in grey levels: (K, n, S, S, 3), float32."""
    labels = torch.full((len(picture),), target, device=compute.device)
    with compute.autocast():
        changes = mixture.changes(compute.images(picture), labels)
    return np.stack([change.movedim(1, -1).float().cpu().numpy() * 127.5 for change in changes])


def _judged(
    judges: Sequence[Classifier],
    picture: np.ndarray,
    change: np.ndarray,
    weights: np.ndarray,
    psnr: float,
    target: int,
    compute: Compute,
) -> float:
    """How surely the judges take a mixed photograph for the target."""
    mixed = np.clip(picture + np.tensordot(weights.astype(np.float32), change, 1), 0, 255)
    pictures = torch.from_numpy(together_at_psnr(picture, mixed, psnr))
    return float(np.mean([np.exp(predict(judge, pictures, compute))[:, target].mean() for judge in judges]))
