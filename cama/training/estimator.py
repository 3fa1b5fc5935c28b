"""Training of E0: an image to its noise residual; or of `purify`'s denoiser, the same network: to noise added to it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cama.compute.device import Compute
from cama.core.seeds import derive_seed
from cama.data.arrays import standard_deviation
from cama.data.patches import Patches, Sampler
from cama.models.estimator import Estimator
from cama.settings.training import EstimatorSpec, ResavesSpec
from cama.storage.checkpoints import Checkpoint
from cama.storage.weights import begin_as
from cama.training.loop import Optimiser, run
from cama.training.resaves import changes

SAVED = ResavesSpec(jpeg=0.5)  # of the noisy patches that a denoiser trains on

Draw = Callable[
    [int], tuple[Tensor, Tensor]
]  # of a step: images (N, 3, S, S), and what E0 is to estimate, in grey levels


def train_estimator(
    patches: Patches,
    spec: EstimatorSpec,
    compute: Compute,
    seed: int,
    checkpoint: Checkpoint,
    noise: float = 0,
    start: Path | None = None,
) -> tuple[Estimator, pd.DataFrame]:
    """Train by mean squared error on `rgb` and `residual`, which is scaled to unit variance, without which the network learns
    nothing in the same time. Gives E0 and the training curve.

    With `noise` train a denoiser on `rgb` alone: it sees patches with noise of about that standard deviation in grey levels,
    half of them saved as JPEG after that, and estimates what to subtract from them (DnCNN: Zhang et al. 2017). `start`: the
    file of a network that it begins as.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    name = "denoiser" if noise else "E0"
    estimator = Estimator(spec.net)
    if start:
        begin_as(estimator, start, "estimator")
    estimator.scale.fill_((noise or standard_deviation(patches.arrays["residual"])) / 127.5)
    estimator = compute.for_training(estimator, spec.training.steps)
    batches = spec.training.batch, derive_seed(seed, "batches"), compute
    draw = _noisy(patches, noise, *batches) if noise else _residuals(patches, *batches)
    optimiser = Optimiser(estimator, spec.optimiser, spec.training.steps, name)

    def step(index: int) -> dict[str, Tensor]:
        compute.begin_step()
        images, residual = draw(index)
        target = residual / 127.5 / estimator.scale
        with compute.autocast():
            estimate = estimator(images)
        loss = (estimate.float() - target).square().mean()
        optimiser.update(loss, index)
        return {"loss": loss.detach()}

    parts = {"estimator": estimator, "optimiser": optimiser}
    curve = run(name, parts, step, spec.training.steps, derive_seed(seed, "steps"), checkpoint)
    return estimator.eval(), curve


def _residuals(patches: Patches, batch: int, seed: int, compute: Compute) -> Draw:
    """Patches and their noise residuals."""
    sampler = Sampler(patches, ("rgb", "residual"), batch, seed, compute)

    def draw(index: int) -> tuple[Tensor, Tensor]:
        (rgb, residual), _ = sampler.draw(index)
        return compute.images(rgb), compute.upload(residual).movedim(-1, 1).float()

    return draw


def _noisy(patches: Patches, noise: float, batch: int, seed: int, compute: Compute) -> Draw:
    """Noisy patches, and how they differ from the patches."""
    sampler = Sampler(patches, ("rgb",), batch, seed, compute, partial(_pairs, noise))

    def draw(index: int) -> tuple[Tensor, Tensor]:
        (both,), _ = sampler.draw(index)
        clean, noisy = (compute.upload(part.contiguous()) for part in both.chunk(2, dim=-1))
        return compute.images(noisy), (noisy.float() - clean.float()).movedim(-1, 1)

    return draw


def _pairs(noise: float, patches: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Patches (N, S, S, 3), uint8, and behind them in the last axis the same with noise, and perhaps saved."""
    noisy = np.stack([with_noise(noise, *one) for one in zip(patches, seeds, strict=True)])
    return np.concatenate([patches, changes(SAVED)(noisy, seeds)], axis=-1)


def with_noise(noise: float, patch: np.ndarray, seed: int) -> np.ndarray:
    """A patch (S, S, 3), uint8, with Gaussian noise drawn from its seed, whose variance grows with brightness as a sensor's
    does: from half to one and a half times the square of `noise`, in grey levels.
    """
    drawn = np.random.default_rng([int(seed), 1]).normal(size=patch.shape)  # not what its save is drawn from
    return np.clip(np.rint(patch + noise * np.sqrt(0.5 + patch / 255) * drawn), 0, 255).astype(np.uint8)
