"""Stage `train-generator`: G and its discriminators."""

from pathlib import Path

import numpy as np

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.compute.psnr import together_at_psnr
from cama.core.errors import CamaError
from cama.data.patches import Patches
from cama.models.classifiers import load_classifier
from cama.models.discriminator import save_discriminators
from cama.models.evaluator import load_evaluator
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import save_generator
from cama.photo.encoders import target_encoders
from cama.settings.stages import TrainGeneratorSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training import generator as training
from cama.training.encoding import TargetEncoders
from cama.training.selection import Selection


def train_generator(
    spec: TrainGeneratorSpec,
    patches: Path,
    evaluators: list[Path],
    judges: list[Path] | None,
    profiles: Path | None,
    start: list[Path] | None,
    out: Path,
    discriminators: Path,
    curve: Path,
    state: Path,
) -> Checkpoint | None:
    """Write G, its discriminators and the training curve; gives the state, to be marked as finished.

    `evaluators`: the fixed classifiers of E, in the spec's order; `judges`: those that choose among the states of G;
    `profiles`: the folder of the targets' container profiles, where G's pictures are encoded as theirs; `start`: the
    generator and the discriminators that they begin as.
    """
    if start and len(start) != 2:
        raise CamaError(f"--start: found {len(start)} files, expected two: a generator and its discriminators")
    processes.start(spec.learned.training.processes, spec.compute.device)
    folder = sorted(profiles.glob("*.json")) if profiles else []
    checkpoint, record = begin(
        "train_generator", spec, state, patches, *evaluators, *(judges or []), *folder, *(start or [])
    )
    data = Patches.read(patches, *{"rgb", spec.learned.generator.input}, memory=free_memory() // 2)
    evaluator = load_evaluator(spec.learned.evaluators, evaluators, data.labels)
    compute = Compute(spec.compute)
    encoders: TargetEncoders | None = None
    if spec.learned.encode:
        encoders = TargetEncoders(target_encoders(["target"], profiles, data.labels), data.labels)
    selection = _selection(spec, data, judges or [], encoders, compute)
    g, d, history = training.train_generator(
        spec.name, data, evaluator, spec.learned, compute, spec.seed, checkpoint, selection, encoders, start
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_discriminators(discriminators, d, spec.learned.discriminators, data.labels, record)
    save_generator(out, g, spec.learned.generator, data.labels, record)
    return checkpoint


def _selection(
    spec: TrainGeneratorSpec, data: Patches, judges: list[Path], encoders: TargetEncoders | None, compute: Compute
) -> Selection | None:
    if len(judges) != len(spec.learned.judges):
        expected = ", ".join(spec.learned.judges) or "none"
        raise CamaError(f"--judges: found {len(judges)} files, expected {len(spec.learned.judges)}: {expected}")
    if not judges:
        return None
    loaded = [load_classifier(path) for path in judges]
    for judge, _ in loaded:
        fuse_batch_norms_(judge)
    learned, level = spec.learned, spec.learned.target_psnr.end

    def deliver(before: np.ndarray, after: np.ndarray, target: int, places: np.ndarray, number: int) -> np.ndarray:
        """At the PSNR at which the training ends, where it holds one, and after the target's save, where it trains on that."""
        held = together_at_psnr(before, after, level) if level else after
        return encoders.delivered(held, target, places, number, compute) if encoders else held

    return Selection(data, learned.generator.input, loaded, deliver, learned.training.steps, compute)
