"""Stage `train-estimator`: E0, the adversary's or the examiner's own, or the adversary's denoiser."""

from pathlib import Path

from cama.compute import processes
from cama.compute.device import Compute
from cama.compute.memory import free_memory
from cama.data.patches import Patches
from cama.models.estimator import save_estimator
from cama.settings.stages import TrainEstimatorSpec
from cama.stages.resume import begin
from cama.storage.checkpoints import Checkpoint
from cama.storage.files import write_text
from cama.training import estimator as training


def train_estimator(
    spec: TrainEstimatorSpec, patches: Path, start: Path | None, out: Path, curve: Path, state: Path
) -> Checkpoint | None:
    """Write E0 and its training curve; gives the state, to be marked as finished. `start`: a network that it begins as."""
    processes.start(spec.estimator.training.processes, spec.compute.device)
    checkpoint, record = begin("train_estimator", spec, state, patches, *([start] if start else []))
    names = ("rgb",) if spec.noise else ("rgb", "residual")
    data = Patches.read(patches, *names, memory=free_memory() // 2)
    compute = Compute(spec.compute)
    estimator, history = training.train_estimator(
        data, spec.estimator, compute, spec.seed, checkpoint, spec.noise, start
    )
    if processes.rank():
        return None
    write_text(curve, history.to_csv(index=False))
    save_estimator(out, estimator, record)
    return checkpoint
