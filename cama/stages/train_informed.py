"""Stage `train-informed`: F that goes on to train on attacked pictures, labelled with their true source, beside the untouched
ones. It knows the method, and a second training of the attack, but not the one that is measured.
"""

from pathlib import Path

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.core.errors import CamaError
from cama.data.examples import Examples
from cama.data.patches import Patches, join
from cama.models.classifiers import load_classifier, save_classifier
from cama.settings.stages import TrainInformedSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training.classifier import train_classifier


def train_informed(
    spec: TrainInformedSpec, patches: list[Path], examples: Path, start: Path, out: Path, curve: Path, state: Path
) -> Checkpoint | None:
    """Write the classifier and its training curve; gives the state, to be marked as finished.

    `patches`: those that `start`, the classifier that it begins as, has trained on; `examples`: attacked photographs.
    """
    processes.start(spec.classifier.training.processes, spec.compute.device)
    checkpoint, record = begin("train_informed", spec, state, *patches, examples, start)
    data = [Patches.read(path, "rgb", memory=free_memory() // 2 // len(patches)) for path in patches]
    data = join([*data, Examples.read(examples, spec.crop, spec.seed).patches("attacked", spec.size)])
    classifier, labels = load_classifier(start)
    if labels != data.labels:
        raise CamaError(f"{start}: found the labels {list(labels)}, expected those of the patches, {list(data.labels)}")
    net, compute = spec.classifier.net, Compute(spec.compute)
    trained, history = train_classifier(
        spec.name, data, spec.classifier, None, compute, spec.seed, checkpoint, classifier
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_classifier(out, trained, net, data.labels, record)
    return checkpoint
