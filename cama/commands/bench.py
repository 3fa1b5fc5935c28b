"""How fast this machine computes what trainings and attacks spend their time on, beside what the original needs."""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cama.attacks.tiles import transform
from cama.compute.device import Compute, processor_flags
from cama.data.patches import Patches, Sampler
from cama.forensics.residual import noise_residual
from cama.models.classifiers import Classifier
from cama.models.evaluator import Evaluator
from cama.models.fusion import fuse_batch_norms_
from cama.models.generator import Generator
from cama.settings.networks import ClassifierNetSpec, GeneratorSpec
from cama.settings.training import ClassifierSpec, ComputeSpec, LearnedSpec, TrainingSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.classifier import train_classifier
from cama.training.generator import train_generator
from cama.workflow.cost import generated, generator_step, trained

REPEATS = 5
LONG_S = 1.0  # what a training is measured for at least
SIDE, LABELS, COUNT = 64, 5, 2000  # training patches as in the paper: their side, camera models, how many are held


@dataclass(frozen=True)
class Row:
    """What is measured. `original`: the original implementation's figure, measured on two cores of a Xeon with AMX;
    `wanted`: this project's aim there; `less`: whether less is better; `operations`: of one of what a network's `unit` counts.
    """

    about: str
    unit: str
    original: float
    wanted: float
    measure: Callable[[ComputeSpec], float]
    operations: Callable[[], float] | None = None
    less: bool = False
    one_thread: bool = False


def _median_s(call: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median seconds of a call, after one that is not counted."""
    call()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _residual(_: ComputeSpec) -> float:
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    return _median_s(lambda: noise_residual(image))


def _patches(fields: tuple[str, ...]) -> Patches:
    rng = np.random.default_rng(0)
    names = np.array([str(i) for i in range(COUNT)])
    return Patches(
        {name: torch.from_numpy(rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)) for name in fields},
        np.arange(COUNT) % LABELS,
        np.zeros(COUNT, bool),
        *(names, names, np.zeros((COUNT, 2), int), np.zeros(COUNT, int)),
        tuple(f"Camera_{label}" for label in range(LABELS)),
    )


def _loading(fields: tuple[str, ...], batch: int) -> Callable[[ComputeSpec], float]:
    def measure(compute: ComputeSpec) -> float:
        compute = Compute(compute)
        sampler = Sampler(_patches(fields), fields, batch, 0, compute)
        steps = iter(range(1_000_000))

        def load() -> None:
            for _ in range(20):
                drawn, _ = sampler.draw(next(steps))
                for field in drawn:
                    compute.images(field)

        return 20 * batch / _median_s(load)

    return measure


def _per_second(train: Callable[[int, Checkpoint], Any], batch: int, steps: int) -> float:
    """Patches a second of a training, without what it takes to begin and to end; of more steps where these take no time."""

    def taken(count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            train(count, Checkpoint(Path(folder), {}))
            return time.perf_counter() - begun

    taken(1)
    ends = taken(1)
    while (spent := taken(1 + steps) - ends) < LONG_S:
        steps *= 4
    return steps * batch / spent


def _streams() -> dict[str, Classifier]:
    return {name: Classifier(LABELS, ClassifierNetSpec(frontend=name), None) for name in ("con_conv", "rgb")}


def _generator_steps(compute: ComputeSpec) -> float:
    batch, patches, streams = 32, _patches(("rgb", "remosaic")), _streams()

    def train(steps: int, checkpoint: Checkpoint) -> None:
        spec = LearnedSpec(evaluators=list(streams), training=TrainingSpec(steps=steps, batch=batch))
        train_generator("bench", patches, Evaluator(streams), spec, Compute(compute), 0, checkpoint)

    return _per_second(train, batch, 12)


def _classifier_steps(architecture: str) -> Callable[[ComputeSpec], float]:
    def measure(compute: ComputeSpec) -> float:
        batch, patches = 128, _patches(("rgb",))

        def train(steps: int, checkpoint: Checkpoint) -> None:
            net, training = ClassifierNetSpec(architecture=architecture), TrainingSpec(steps=steps, batch=batch)
            spec = ClassifierSpec(net=net, training=training)
            train_classifier("bench", patches, spec, None, Compute(compute), 0, checkpoint)

        return _per_second(train, batch, 10)

    return measure


def _generator_forward(compute: ComputeSpec) -> float:
    spec = GeneratorSpec(input="rgb")
    compute = Compute(compute)
    generator = compute.to_device(fuse_batch_norms_(Generator(LABELS, spec).eval()))
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    return image.shape[0] * image.shape[1] / 1e6 / _median_s(lambda: transform(image, generator, spec, 0, compute))


ROWS = {
    "residual": Row("noise residual, 512x512 RGB, one thread", "s", 0.235, 0.06, _residual, less=True, one_thread=True),
    "patches": Row(
        "rgb and remosaic 64x64 training patches, one process",
        "patches/s",
        224,
        20_000,
        _loading(("rgb", "remosaic"), 128),
    ),
    "patches-rgb": Row("rgb 64x64 training patches, one process", "patches/s", 1971, 30_000, _loading(("rgb",), 128)),
    "generator": Row(
        "step of G and D at paper scale, batch 32",
        "patches/s",
        7.5,
        30,
        _generator_steps,
        lambda: generator_step(LABELS, LearnedSpec(), list(_streams().values()), SIDE),
    ),
    # torchvision's stem, of which the original's figure must be: with the other it would be ten times those cores' float32
    "classifier": Row(
        "step of a ResNet-18 with torchvision's stem, batch 128",
        "patches/s",
        204,
        550,
        _classifier_steps("resnet18"),
        lambda: trained(Classifier(LABELS, ClassifierNetSpec(architecture="resnet18")), SIDE),
    ),
    "forward": Row(
        "G at paper scale on 512x512",
        "megapixels/s",
        0.38,
        1.2,
        _generator_forward,
        lambda: generated(Generator(LABELS, GeneratorSpec()), 512) * 1e6 / 512**2,
    ),
}


def _product_rate(compute: Compute) -> float:
    """Operations a second of a large product of matrices, which no network exceeds."""
    side, times = (8192, 10) if compute.device.type == "cuda" else (2048, 1)  # on a GPU long beside the wait for it
    a, b = torch.randn(2, side, side).to(compute.device, compute.dtype)

    def product() -> None:
        for _ in range(times):
            c = a @ b
        c[0, 0].item()  # waits for a GPU

    return times * 2 * side**3 / _median_s(product)


def bench(names: list[str], compute: ComputeSpec) -> dict[str, Any]:
    """Measure the rows of these names. Gives `machine`, and `rows`, of each its `name`, `about`, `figure`, `unit`, `original`,
    `wanted`, `reached`, `threads`, and of a network the `share` of the rate at which this machine multiplies matrices.
    """
    compute = Compute(compute)
    threads = torch.get_num_threads()
    limit = _product_rate(compute)
    rows = []
    for name in names:
        row = ROWS[name]
        torch.set_num_threads(1 if row.one_thread else threads)
        figure = row.measure(compute)
        reached = figure <= row.wanted if row.less else figure >= row.wanted
        about = {"name": name, "about": row.about, "unit": row.unit, "original": row.original, "wanted": row.wanted}
        share = figure * row.operations() / limit if row.operations else None
        found = {"figure": figure, "reached": reached, "share": share, "threads": torch.get_num_threads()}
        rows.append({**about, **found})
    torch.set_num_threads(threads)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "flags": processor_flags(),
        "device": torch.cuda.get_device_name() if compute.device.type == "cuda" else "cpu",
        "precision": str(compute.dtype).removeprefix("torch."),
        "tflops": limit / 1e12,
        "torch": torch.__version__,
    }
    return {"machine": machine, "rows": rows}


def as_text(found: dict[str, Any]) -> str:
    """What a person reads of it."""
    machine = found["machine"]
    lines = [
        f"{machine['device']}, {machine['precision']}, torch {machine['torch']}; {' '.join(machine['flags'])};"
        f" {machine['tflops']:.2f} TFLOP/s in a large product"
    ]
    for row in found["rows"]:
        aim = f"original {row['original']:g}, wanted {row['wanted']:g}{'' if row['reached'] else ', NOT reached'}"
        share = "" if row["share"] is None else f"; {row['share']:.0%} of a product's rate"
        figure = f"{row['name']:12} {row['figure']:10.4g} {row['unit']:12}"
        lines.append(f"{figure} {row['about']} ({aim}{share}; threads: {row['threads']})")
    return "\n".join(lines)
