"""Stage `train-generator`: G and its discriminators."""

from pathlib import Path

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.data.patches import Patches
from cama.models.discriminator import save_discriminators
from cama.models.evaluator import load_evaluator
from cama.models.generator import save_generator
from cama.settings.stages import TrainGeneratorSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training import generator as training


def train_generator(
    spec: TrainGeneratorSpec,
    patches: Path,
    evaluators: list[Path],
    out: Path,
    discriminators: Path,
    curve: Path,
    state: Path,
) -> Checkpoint | None:
    """Write G, its discriminators and the training curve; gives the state, to be marked as finished.

    `evaluators`: the fixed classifiers of E, in the spec's order.
    """
    processes.start(spec.learned.training.processes, spec.compute.device)
    checkpoint, record = begin("train_generator", spec, state, patches, *evaluators)
    data = Patches.read(patches, *{"rgb", spec.learned.generator.input}, memory=free_memory() // 2)
    evaluator = load_evaluator(spec.learned.evaluators, evaluators, data.labels)
    g, d, history = training.train_generator(
        spec.name, data, evaluator, spec.learned, Compute(spec.compute), spec.seed, checkpoint
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_discriminators(discriminators, d, spec.learned.discriminators, data.labels, record)
    save_generator(out, g, spec.learned.generator, data.labels, record)
    return checkpoint
