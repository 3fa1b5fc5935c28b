"""Training of E0: an image to its noise residual."""

import pandas as pd
import torch

from cama.compute.device import Compute
from cama.core.seeds import derive_seed
from cama.data.arrays import standard_deviation
from cama.data.patches import Patches, Sampler
from cama.models.estimator import Estimator
from cama.settings.training import EstimatorSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.loop import Optimiser, run


def train_estimator(
    patches: Patches, spec: EstimatorSpec, compute: Compute, seed: int, checkpoint: Checkpoint
) -> tuple[Estimator, pd.DataFrame]:
    """Train on `rgb` and `residual` by mean squared error; the residual is scaled to unit variance, without which the
    network learns nothing in the same time. Gives E0 and the training curve.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    estimator = Estimator(spec.net)
    estimator.scale.fill_(standard_deviation(patches.arrays["residual"]) / 127.5)
    estimator = compute.for_training(estimator, spec.training.steps)
    sampler = Sampler(patches, ("rgb", "residual"), spec.training.batch, derive_seed(seed, "batches"), compute)
    optimiser = Optimiser(estimator, spec.optimiser, spec.training.steps, "E0")

    def step(index: int) -> dict[str, torch.Tensor]:
        compute.begin_step()
        (rgb, residual), _ = sampler.draw(index)
        images = compute.images(rgb)
        target = compute.upload(residual).movedim(-1, 1).float() / 127.5 / estimator.scale
        with compute.autocast():
            estimate = estimator(images)
        loss = (estimate.float() - target).square().mean()
        optimiser.update(loss, index)
        return {"loss": loss.detach()}

    parts = {"estimator": estimator, "optimiser": optimiser}
    curve = run("E0", parts, step, spec.training.steps, derive_seed(seed, "steps"), checkpoint)
    return estimator.eval(), curve
