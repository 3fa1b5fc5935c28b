"""How fast this machine computes the parts of trainings and attacks, beside the original implementation's figures."""

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

from cama.attacks.trained import trained_attack
from cama.compute.device import Compute, processor_flags
from cama.data.patches import Patches, Sampler
from cama.forensics.residual import noise_residual
from cama.models.classifiers import Classifier
from cama.models.evaluator import Evaluator
from cama.models.generator import Generator
from cama.settings.networks import BodySpec, ClassifierNetSpec, GeneratorSpec
from cama.settings.training import ClassifierSpec, ComputeSpec, LearnedSpec, TrainingSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.classifier import train_classifier
from cama.training.generator import train_generator
from cama.workflow.flops import classifier_training, generator_forward, generator_training

REPEATS = 5
MEASURED_S = 1.0  # the least time for which a training is measured
EVALUATORS = {name: ClassifierNetSpec(frontend=name) for name in ("con_conv", "rgb")}
SIDE, LABELS, COUNT = 64, 5, 2000  # training patches as in the paper: their side, camera models, how many are held


@dataclass(frozen=True)
class Row:
    """What is measured. `original`: the original implementation's figure on two cores of a Xeon with AMX, where there is one of
    the same; `operations`: of a network, how many it takes for one `unit`; `one_thread`: whether it takes one thread alone.
    """

    about: str
    unit: str
    measure: Callable[[ComputeSpec], float]
    original: float | None = None
    operations: Callable[[], float] | None = None
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


def random_patches(fields: tuple[str, ...], labels: int = LABELS) -> Patches:
    """COUNT patches of random pixels, of as many labels."""
    rng = np.random.default_rng(0)
    names = np.array([str(i) for i in range(COUNT)])
    return Patches(
        {name: torch.from_numpy(rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)) for name in fields},
        np.arange(COUNT) % labels,
        np.zeros(COUNT, bool),
        *(names, names, np.zeros((COUNT, 2), int), np.zeros(COUNT, int)),
        tuple(f"Camera_{label}" for label in range(labels)),
    )


def _loading(fields: tuple[str, ...], batch: int) -> Callable[[ComputeSpec], float]:
    def measure(settings: ComputeSpec) -> float:
        compute = Compute(settings)
        sampler = Sampler(random_patches(fields), fields, batch, 0, compute)
        steps = iter(range(1_000_000))

        def load() -> None:
            for _ in range(20):
                drawn, _ = sampler.draw(next(steps))
                for field in drawn:
                    compute.images(field)

        return 20 * batch / _median_s(load)

    return measure


def _per_second(train: Callable[[int, Checkpoint], Any], batch: int, steps: int) -> float:
    """Patches a second of a training, without its beginning and end; of more steps where `steps` take less than MEASURED_S."""

    def taken(count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            train(count, Checkpoint(Path(folder), {}))
            return time.perf_counter() - begun

    taken(1)
    ends = taken(1)
    while (spent := taken(1 + steps) - ends) < MEASURED_S:
        steps *= 4
    return steps * batch / spent


def _generator_steps(settings: ComputeSpec) -> float:
    batch, patches = 32, random_patches(("rgb", "remosaic"))
    evaluator = Evaluator({name: Classifier(LABELS, net, None) for name, net in EVALUATORS.items()})

    def train(steps: int, checkpoint: Checkpoint) -> None:
        spec = LearnedSpec(evaluators=list(EVALUATORS), training=TrainingSpec(steps=steps, batch=batch))
        train_generator("bench", patches, evaluator, spec, Compute(settings), 0, checkpoint)

    return _per_second(train, batch, 12)


def _generator_operations() -> float:
    spec = LearnedSpec()
    networks = (spec.generator, spec.discriminators, tuple(EVALUATORS.values()))
    return generator_training(LABELS, *networks, BodySpec(), SIDE)


def _classifier_steps(settings: ComputeSpec) -> float:
    batch, patches = 128, random_patches(("rgb",))

    def train(steps: int, checkpoint: Checkpoint) -> None:
        spec = ClassifierSpec(net=ClassifierNetSpec(), training=TrainingSpec(steps=steps, batch=batch))
        train_classifier("bench", patches, spec, None, Compute(settings), 0, checkpoint)

    return _per_second(train, batch, 3)


def _generator_forward(settings: ComputeSpec) -> float:
    return generator_megapixels(GeneratorSpec(input="rgb"), Compute(settings))


def generator_megapixels(spec: GeneratorSpec, compute: Compute) -> float:
    """Megapixels a second of a generator on a picture of 512x512."""
    attack = trained_attack(Generator(LABELS, spec).eval(), spec, compute)
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    return image.shape[0] * image.shape[1] / 1e6 / _median_s(lambda: attack(image, 0))


ROWS = {
    "residual": Row("noise residual, 512x512 RGB, one thread", "s", _residual, 0.235, one_thread=True),
    "patches": Row(
        "rgb and remosaic 64x64 training patches, one process", "patches/s", _loading(("rgb", "remosaic"), 128), 224
    ),
    "patches-rgb": Row("rgb 64x64 training patches, one process", "patches/s", _loading(("rgb",), 128), 1971),
    "generator": Row(
        "step of G and D at paper scale, batch 32",
        "patches/s",
        _generator_steps,
        7.5,
        _generator_operations,
    ),
    # The original's 204 patches/s must be of torchvision's stem, which costs a sixteenth: with this stem they would be ten
    # times the float32 rate of those cores.
    "classifier": Row(
        "step of a ResNet-18 at paper scale, batch 128",
        "patches/s",
        _classifier_steps,
        operations=lambda: classifier_training(LABELS, ClassifierNetSpec(), BodySpec(), SIDE),
    ),
    "forward": Row(
        "G at paper scale on 512x512",
        "megapixels/s",
        _generator_forward,
        0.38,
        lambda: generator_forward(LABELS, GeneratorSpec(), 512) * 1e6 / 512**2,
    ),
}


def product_rate(compute: Compute) -> float:
    """Operations a second of a large product of matrices, which no network exceeds."""
    side, times = (8192, 10) if compute.device.type == "cuda" else (2048, 1)  # on a GPU long beside the wait for it
    a, b = torch.randn(2, side, side).to(compute.device, compute.dtype)

    def product() -> None:
        for _ in range(times):
            c = a @ b
        c[0, 0].item()  # waits for a GPU

    return times * 2 * side**3 / _median_s(product)


def bench(names: list[str], settings: ComputeSpec) -> dict[str, Any]:
    """Measure the rows of these names. Returns `machine`, and `rows`: of each its `name`, `about`, `unit`, `original`,
    `figure`, `threads`, and of a network `share`, the part of the rate at which this machine multiplies matrices.
    """
    compute = Compute(settings)
    threads = torch.get_num_threads()
    limit = product_rate(compute)
    rows = []
    for name in names:
        row = ROWS[name]
        torch.set_num_threads(1 if row.one_thread else threads)
        figure = row.measure(settings)
        share = figure * row.operations() / limit if row.operations else None
        declared = {"name": name, "about": row.about, "unit": row.unit, "original": row.original}
        rows.append({**declared, "figure": figure, "share": share, "threads": torch.get_num_threads()})
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


def as_text(result: dict[str, Any]) -> str:
    """The result of `bench` for a person: a line on the machine, and a line a row."""
    machine = result["machine"]
    lines = [
        f"{machine['device']}, {machine['precision']}, torch {machine['torch']}; {' '.join(machine['flags'])};"
        f" {machine['tflops']:.2f} TFLOP/s in a large product"
    ]
    for row in result["rows"]:
        notes = [f"original {row['original']:g}"] if row["original"] is not None else []
        notes += [f"{row['share']:.0%} of a product's rate"] if row["share"] is not None else []
        notes.append(f"threads: {row['threads']}")
        lines.append(f"{row['name']:12} {row['figure']:10.4g} {row['unit']:12} {row['about']} ({'; '.join(notes)})")
    return "\n".join(lines)
