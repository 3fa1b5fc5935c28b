"""Stage `train-classifier`: F, or a classifier of E."""

from pathlib import Path

import torch

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.core.errors import CamaError
from cama.core.seeds import derive_seed
from cama.data.patches import Patches, join
from cama.models.classifiers import Classifier, save_classifier
from cama.models.estimator import load_estimator
from cama.settings.stages import TrainClassifierSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.storage.weights import begin_as
from cama.training import classifier as training

OWN_ESTIMATOR = "frontend.estimator."  # which is that of the owner, and the same in all classifiers


def train_classifier(
    spec: TrainClassifierSpec,
    patches: list[Path],
    estimator: Path | None,
    start: Path | None,
    out: Path,
    curve: Path,
    state: Path,
) -> Checkpoint | None:
    """Write the classifier and its training curve; gives the state, to be marked as finished.

    `patches`: one role's, or several for the expanded labels;
    `estimator`: the owner's own, for the `prnu_lp` front-ends; `start`: a classifier that it begins as.
    """
    net = spec.classifier.net
    needs = net.needs_estimator
    if needs and estimator is None:
        raise CamaError(f"--estimator: found none, expected one for the front-end {net.frontend}")
    processes.start(spec.classifier.training.processes, spec.compute.device)
    others = [*([estimator] if needs else []), *([start] if start else [])]
    checkpoint, record = begin("train_classifier", spec, state, *patches, *others)
    data = join([Patches.read(path, "rgb", memory=free_memory() // 2 // len(patches)) for path in patches])
    owned = load_estimator(estimator) if needs else None
    begun = None
    if start:
        torch.manual_seed(derive_seed(spec.seed, "weights"))
        begun = Classifier(len(data.labels), net, owned)
        begin_as(begun, start, "classifier", own=(OWN_ESTIMATOR,))
    classifier, history = training.train_classifier(
        spec.name, data, spec.classifier, owned, Compute(spec.compute), spec.seed, checkpoint, begun
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_classifier(out, classifier, net, data.labels, record)
    return checkpoint
