"""Training of a classifier: F, one of E, or a detector."""

import numpy as np
import pandas as pd
import torch

from cama.compute.device import Compute
from cama.core.seeds import derive_seed
from cama.data.patches import Patches, Sampler
from cama.models.classifiers import Classifier
from cama.models.estimator import Estimator
from cama.models.frontends import project_constraints_
from cama.models.linear import LinearModel
from cama.settings.training import ClassifierSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.linear import fit_linear
from cama.training.loop import Optimiser, run
from cama.training.resaves import changes

RISE = 0.3  # the share of a training in which what adversarial training moves rises to its full size
AT_ONCE = 16 * 512**2  # most pixels that are scored in one batch, as memory allows


def train_classifier(
    name: str,
    patches: Patches,
    spec: ClassifierSpec,
    estimator: Estimator | None,
    compute: Compute,
    seed: int,
    checkpoint: Checkpoint,
    start: Classifier | None = None,
) -> tuple[Classifier, pd.DataFrame]:
    """Train on `rgb` by cross-entropy, or fit what is no network; gives the classifier and its training curve. The network
    `start`, where there is one, goes on to train, and takes no estimator but its own.

    Every front-end computes its signal from these pixels, so what `augmentation` changes in them it sees.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    classifier = start or Classifier(len(patches.labels), spec.net, estimator)
    classifier = compute.for_training(classifier, spec.training.steps).train()
    batches = derive_seed(seed, "batches")
    sampler = Sampler(patches, ("rgb",), spec.training.batch, batches, compute, changes(spec.augmentation))
    if isinstance(classifier.net, LinearModel):
        curve = fit_linear(classifier.net, sampler, compute, patches.labels, spec.training.steps, name)
        return classifier.eval(), curve
    if start is None:
        classifier.frontend.calibrate(compute.images(sampler.draw(0)[0][0]))
    optimiser = Optimiser(classifier, spec.optimiser, spec.training.steps, name)

    def step(index: int) -> dict[str, torch.Tensor]:
        compute.begin_step()
        (rgb,), labels = sampler.draw(index)
        images, labels = compute.images(rgb), compute.upload(labels)
        if spec.adversarial:
            most = spec.adversarial * min(1.0, index / (RISE * spec.training.steps))
            images = moved_against(classifier, images, labels, most, compute)
        with compute.autocast():
            logits = classifier(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimiser.update(loss, index)
        project_constraints_(classifier)
        return {"loss": loss.detach(), "accuracy": (logits.argmax(1) == labels).float().mean()}

    parts = {"classifier": classifier, "optimiser": optimiser}
    curve = run(name, parts, step, spec.training.steps, derive_seed(seed, "steps"), checkpoint)
    return classifier.eval(), curve


def moved_against(
    classifier: Classifier, images: torch.Tensor, labels: torch.Tensor, most: float, compute: Compute
) -> torch.Tensor:
    """Images (N, 3, H, W) in [-1, 1] moved one step along the gradient of the cross-entropy of their labels (N,), each by a
    size of its own, drawn from 0 to `most` grey levels, root mean square (after Madry et al. 2018, with one step in L2).
    """
    training, images = classifier.training, images.detach().requires_grad_()
    with compute.autocast():
        logits = classifier.eval()(images)
    classifier.train(training)
    loss = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, images)
    # of a picture that it is sure of the gradient is so small that its square would be 0
    direction = gradient / gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    strength = direction.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    size = compute.upload(torch.rand(len(images), 1, 1, 1) * (most / 127.5))
    return images.detach() + direction * (size / strength)


@torch.no_grad()
def predict(classifier: Classifier, images: torch.Tensor, compute: Compute, batch: int = 16) -> np.ndarray:
    """Log-probabilities (N, classes), float32, of stored images (N, H, W, 3), uint8, each scored whole; of large ones fewer
    than `batch` at once.
    """
    rows = []
    for part in images.split(max(1, min(batch, AT_ONCE // (images.shape[1] * images.shape[2])))):
        with compute.autocast():
            logits = classifier(compute.images(part))
        rows.append(logits.float().log_softmax(1).cpu())
    return torch.cat(rows).numpy()
