"""How fast this machine computes the steps of a config's trainings, on random patches."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from cama.commands.bench import LABELS, SIDE, generator_megapixels, product_rate, random_patches
from cama.compute.device import Compute
from cama.data.patches import Sampler
from cama.models.classifiers import Classifier
from cama.models.estimator import Estimator
from cama.models.evaluator import Evaluator
from cama.settings.config import Config
from cama.settings.networks import ClassifierNetSpec
from cama.settings.training import TrainingSpec
from cama.training.generator import GeneratorTraining
from cama.training.loop import Optimiser
from cama.workflow.cost import MEASURED, generator_operations
from cama.workflow.flops import classifier_training, estimator_training

WARM_STEPS, PROFILED_STEPS = 6, 3
MEASURED_S = 3.0
BLOCKS = 5  # of steps, whose median is taken
# Kinds of kernels on a GPU by parts of their names, in this order.
KERNELS = {
    "convolutions": ("conv", "xmma", "gemm", "cutlass", "wgrad", "dgrad", "fprop", "cudnn"),
    "fused by the compiler": ("triton",),
    "batch norms": ("batch_norm",),
    "copies": ("memcpy", "memset", "copy"),
}
Measure = tuple[str, Callable[[], dict[str, Any]]]


class Speeds:
    """Measurements of one config's networks on its device."""

    def __init__(self, config: Config, compute: Compute) -> None:
        self.config, self.compute = config, compute
        self.labels = len(config.models.in_distribution)
        self.target = next(iter(config.examiner.classifiers.values()))

    def first(self) -> list[Measure]:
        """What the lengths of trainings are planned by: the first generator, compiled as in a long training, and the first F,
        as short trainings and as long ones compute it.
        """
        always, never = ({"compile_from": 0}, {"compile_from": 2**31})
        return [
            ("product", lambda: {"tflops": _rounded(self._limit / 1e12)}),
            ("generator", lambda: self._generator(self.config.used_generators[0], self._with(always))),
            ("classifier", lambda: self._classifier(self.target.net, self._with(never))),
            ("classifier compiled", lambda: self._classifier(self.target.net, self._with(always))),
        ]

    def others(self) -> list[Measure]:
        """Further steps: E0, other architectures, and G on a picture."""
        never = {"compile_from": 2**31}
        measures: list[Measure] = [("estimator", lambda: self._estimator(self._with(never)))]
        for name in MEASURED:
            net = self.target.net.model_copy(update={"architecture": name})
            measures.append((f"classifier {name}", lambda net=net: self._classifier(net, self._with(never))))
        generator = self.config.adversary.generators[self.config.used_generators[0]].generator
        measures.append(
            ("forward", lambda: {"megapixels_per_s": _rounded(generator_megapixels(generator, self.compute))})
        )
        return measures

    def training_s(self, parts: dict[str, dict[str, Any]]) -> float:
        """Seconds that all trainings of the config would take at the measured rates `parts` of `first`."""
        config, side = self.config, self.config.patches.size
        short, long = (parts[f"speed {name}"]["tflops"] * 1e12 for name in ("classifier", "generator"))
        body = config.adversary.estimator.net
        seconds = 0.0
        for owner in (config.adversary, config.examiner):
            seconds += _patches(owner.estimator.training) * estimator_training(owner.estimator.net, side) / short
        evaluators = [config.adversary.evaluators[name] for name in config.adversary_classifiers]
        for spec in (*evaluators, *config.examiner.classifiers.values()):
            each = classifier_training(self.labels, spec.net, body, side, bool(spec.adversarial))
            seconds += _patches(spec.training) * each / short
        for name in config.used_generators:
            seconds += (
                _patches(config.adversary.generators[name].training) * generator_operations(self.config, name) / long
            )
        return seconds

    def _with(self, changes: dict[str, Any]) -> Compute:
        return Compute(self.config.compute.model_copy(update=changes))

    @cached_property
    def _limit(self) -> float:
        return product_rate(self.compute)

    def _generator(self, name: str, compute: Compute) -> dict[str, Any]:
        config = self.config
        spec = config.adversary.generators[name]
        torch.manual_seed(0)
        estimator = Estimator(config.adversary.estimator.net)
        nets = {one: config.adversary.evaluators[one].net for one in spec.evaluators}
        streams = {
            one: Classifier(self.labels, net, estimator if net.needs_estimator else None).eval()
            for one, net in nets.items()
        }
        patches = random_patches(("rgb", "remosaic"), self.labels)
        training = GeneratorTraining(patches, Evaluator(streams), spec, compute, 0)
        return self._measured(training.step, spec.training.batch, generator_operations(self.config, name))

    def _classifier(self, net: ClassifierNetSpec, compute: Compute) -> dict[str, Any]:
        torch.manual_seed(0)
        classifier = Classifier(LABELS, net)
        operations = classifier_training(LABELS, net, self.config.examiner.estimator.net, SIDE)
        return self._network(
            classifier,
            self.target,
            compute,
            operations,
            lambda outputs, images, labels: torch.nn.functional.cross_entropy(outputs, labels),
        )

    def _estimator(self, compute: Compute) -> dict[str, Any]:
        spec = self.config.adversary.estimator
        torch.manual_seed(0)
        operations = estimator_training(spec.net, SIDE)
        return self._network(
            Estimator(spec.net),
            spec,
            compute,
            operations,
            lambda outputs, images, labels: (outputs - images).square().mean(),
        )

    def _network(
        self, network: torch.nn.Module, spec: Any, compute: Compute, operations: float, loss: Callable
    ) -> dict[str, Any]:
        """A step of one network in batches of its training."""
        batch, steps = spec.training.batch, 2**30
        network = compute.for_training(network, steps if compute.compile_from == 0 else 1).train()
        sampler = Sampler(random_patches(("rgb",), LABELS), ("rgb",), batch, 0, compute)
        optimiser = Optimiser(network, spec.optimiser, steps, "speed")

        def step(index: int) -> None:
            compute.begin_step()
            (rgb,), labels = sampler.draw(index)
            images = compute.images(rgb)
            with compute.autocast():
                outputs = network(images)
            optimiser.update(loss(outputs.float(), images, compute.upload(labels)), index)

        return self._measured(step, batch, operations)

    def _measured(self, step: Callable[[int], Any], batch: int, operations: float) -> dict[str, Any]:
        """Rates of a step, with the shares of kinds of kernels in a GPU's time."""
        gpu = self.compute.device.type == "cuda"
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        steps = iter(range(2**30))
        first = self._seconds(step, steps, 1)
        self._seconds(step, steps, WARM_STEPS)
        count = max(1, round(MEASURED_S / BLOCKS / self._seconds(step, steps, 1)))
        each = statistics.median(self._seconds(step, steps, count) for _ in range(BLOCKS)) / count
        result = {
            "patches_per_s": _rounded(batch / each),
            "step_ms": _rounded(1e3 * each),
            "batch": batch,
            "gflop_per_patch": _rounded(operations / 1e9),
            "tflops": _rounded(operations * batch / each / 1e12),
            "share_of_product": _rounded(operations * batch / each / self._limit),
            "first_step_s": round(first, 1),
            "memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if gpu else None,
            "kernels": self._kernels(step, steps) if gpu else None,
        }
        torch.compiler.reset()
        if gpu:
            torch.cuda.empty_cache()
        return result

    def _seconds(self, step: Callable[[int], Any], steps: Iterator[int], count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            step(next(steps))
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    def _kernels(self, step: Callable[[int], Any], steps: Iterator[int]) -> dict[str, Any]:
        """Milliseconds a step of each kind of kernel, and of the GPU in all."""
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
            self._seconds(step, steps, PROFILED_STEPS)
        kinds = dict.fromkeys([*KERNELS, "others", "all"], 0.0)
        for event in profiled.events():
            if event.device_type == DeviceType.CUDA:
                name = event.name.lower()
                kind = next((kind for kind, parts in KERNELS.items() if any(part in name for part in parts)), "others")
                for one in (kind, "all"):
                    kinds[one] += event.device_time_total / 1e3 / PROFILED_STEPS
        return {kind: round(value, 3) for kind, value in kinds.items()}


def _patches(training: TrainingSpec) -> int:
    return training.steps * training.batch


def _rounded(value: float) -> float:
    """To five digits."""
    return float(f"{value:.5g}")
