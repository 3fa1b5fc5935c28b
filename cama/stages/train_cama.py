"""Stage `train-cama`: G and D."""

from pathlib import Path

from cama.config import TrainCamaSpec
from cama.data.patches import Patches
from cama.errors import CamaError
from cama.files import write_text
from cama.models.classifiers import load_classifier
from cama.models.discriminator import save_discriminator
from cama.models.evaluator import Evaluator
from cama.models.generator import save_generator
from cama.stages.begin import begin
from cama.training import cama as training


def train_cama(
    spec: TrainCamaSpec, patches: Path, high: Path, low: Path, out: Path, discriminator: Path, curve: Path, state: Path
) -> None:
    """Write G, D and the training curve. `high`, `low`: E_H and E_L, fixed."""
    checkpoint, record = begin("train_cama", spec, state, patches, high, low)
    data = Patches.read(patches, *{"rgb", spec.cama.generator.input})
    streams = []
    for path in (high, low):
        stream, labels = load_classifier(path)
        if labels != data.labels:
            raise CamaError(
                f"{path}: found the labels {list(labels)}, expected those of {patches}: {list(data.labels)}"
            )
        streams.append(stream)
    g, d, history = training.train_cama(data, Evaluator(*streams), spec.cama, spec.compute, spec.seed, checkpoint)
    write_text(curve, history.to_csv(index=False))
    save_discriminator(discriminator, d, spec.cama.discriminator, data.labels, record)
    save_generator(out, g, spec.cama.generator, data.labels, record)
    checkpoint.clear()
