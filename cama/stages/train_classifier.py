"""Stage `train-classifier`: F, or a classifier of E."""

from pathlib import Path

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.core.errors import CamaError
from cama.data.patches import Patches, join
from cama.models.classifiers import save_classifier
from cama.models.estimator import load_estimator
from cama.models.frontends import WITH_ESTIMATOR
from cama.settings.stages import TrainClassifierSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training import classifier as training


def train_classifier(
    spec: TrainClassifierSpec, patches: list[Path], estimator: Path | None, out: Path, curve: Path, state: Path
) -> Checkpoint | None:
    """Write the classifier and its training curve; gives the state, to be marked as finished.

    `patches`: one role's, or several for the expanded labels;
    `estimator`: the owner's own, for the `prnu_lp` front-ends.
    """
    net = spec.classifier.net
    needs = net.frontend in WITH_ESTIMATOR
    if needs and estimator is None:
        raise CamaError(f"--estimator: found none, expected one for the front-end {net.frontend}")
    processes.start(spec.classifier.training.processes, spec.compute.device)
    checkpoint, record = begin("train_classifier", spec, state, *patches, *([estimator] if needs else []))
    data = join([Patches.read(path, "rgb", memory=free_memory() // 2 // len(patches)) for path in patches])
    owned = load_estimator(estimator) if needs else None
    classifier, history = training.train_classifier(
        spec.name, data, spec.classifier, owned, Compute(spec.compute), spec.seed, checkpoint
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_classifier(out, classifier, net, data.labels, record)
    return checkpoint
