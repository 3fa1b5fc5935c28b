"""The loop that every training shares: draw, step, refuse what is not finite, checkpoint, resume."""

import contextlib
import math
import signal
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from cama.compute import processes
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.settings.training import OptimiserSpec
from cama.storage.checkpoints import Checkpoint

RECORDS = 100  # rows of a training curve, about
CHECK_EVERY = 50  # steps after which a GPU is asked whether all gradients were finite
FINITE = 2**62  # no step has this number: all gradients so far were finite


class Stateful(Protocol):
    """What a checkpoint keeps."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def learning_rate(spec: OptimiserSpec, step: int, steps: int) -> float:
    """The rate at `step` of `steps`: a function of the step alone, so that there is no schedule to resume."""
    progress = step / steps
    if spec.schedule == "steps":
        return spec.rate * 0.1 ** ((progress >= 0.5) + (progress >= 0.75))
    if spec.schedule == "one_cycle":
        # a quarter of the way up from rate / 25, then down to nothing, on cosines (Smith and Topin 2018)
        if progress < 0.25:
            return spec.rate * (0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / 0.25)))
        return spec.rate * 0.5 * (1 + math.cos(math.pi * (progress - 0.25) / 0.75))
    return spec.rate


class Optimiser:
    """An optimiser on its schedule that refuses a loss or gradient that is not finite: on a processor before the update; on a
    GPU, which would have to be waited for, within CHECK_EVERY steps, and before the state is saved.
    """

    def __init__(self, module: nn.Module, spec: OptimiserSpec, steps: int, name: str) -> None:
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.spec, self.steps, self.name = spec, steps, name
        gpu = self.parameters[0].device.type == "cuda"
        self.first_bad = torch.tensor(FINITE, device=self.parameters[0].device) if gpu else None
        self.inner: torch.optim.Optimizer
        if spec.name == "sgd":
            self.inner = torch.optim.SGD(
                self.parameters,
                spec.rate,
                spec.beta1,
                nesterov=spec.beta1 > 0,
                weight_decay=spec.weight_decay,
                fused=gpu or None,
            )
        else:
            kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
            betas = (spec.beta1, 0.999)
            self.inner = kind(self.parameters, spec.rate, betas, weight_decay=spec.weight_decay, fused=gpu or None)

    def update(self, loss: Tensor, step: int) -> None:
        """One update of the parameters by the gradient of `loss`, and of nothing else."""
        if self.first_bad is None and not torch.isfinite(loss):
            raise CamaError(
                f"training of {self.name}: found the loss {loss.item()} at step {step}, expected a finite one"
            )
        gradients = torch.autograd.grad(loss, self.parameters)
        processes.average_(gradients)
        finite = torch.isfinite(torch.stack(torch._foreach_norm(gradients)).sum())
        if self.first_bad is not None:  # a loss that is not finite has such gradients too
            self.first_bad = torch.where(finite, self.first_bad, self.first_bad.clamp(max=step))
            if step % CHECK_EVERY == 0:
                self._check()
        elif not finite:
            raise self._not_finite(step)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for group in self.inner.param_groups:
            group["lr"] = learning_rate(self.spec, step, self.steps)
        self.inner.step()
        for parameter in self.parameters:
            parameter.grad = None

    def _check(self) -> None:
        """Wait for a GPU, and refuse gradients that were not finite."""
        if self.first_bad is not None and (step := int(self.first_bad)) != FINITE:
            raise self._not_finite(step)

    def _not_finite(self, step: int) -> CamaError:
        return CamaError(f"training of {self.name}: found a gradient that is not finite at step {step}")

    def state_dict(self) -> dict[str, Any]:
        self._check()
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.inner.load_state_dict(state)
        for parameter, kept in self.inner.state.items():
            for key, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # files know no order of memory, and sums of two orders are slow
                    kept[key] = torch.empty_like(parameter).copy_(value)


def run(
    name: str,
    parts: dict[str, Stateful],
    step: Callable[[int], dict[str, Tensor]],
    steps: int,
    seed: int,
    checkpoint: Checkpoint,
) -> pd.DataFrame:
    """Call `step` for each step, from the checkpoint if there is one; give the curve of what it returns.

    Each step starts from its own random state, so a resumed training equals an uninterrupted one bit for bit. The state is
    saved at the end too, and on SIGTERM, where the program ends with status 143. Of several processes the first alone saves
    and prints.
    """
    buffers = [buffer for part in parts.values() if isinstance(part, nn.Module) for buffer in part.buffers()]
    start, history = _restore(parts, buffers, checkpoint)
    rank, every = processes.rank(), max(1, steps // RECORDS)
    progress = Progress(name, steps, start)

    def save(done: int) -> None:
        if rank == 0:
            states = {key: part.state_dict() for key, part in parts.items()}
            checkpoint.save({"step": done, "history": history, "parts": states})

    with _sigterm_noted() as terminated:
        for index in range(start, steps):
            torch.manual_seed(derive_seed(seed, index, *([rank] if rank else [])))
            losses = step(index)
            processes.average_(buffers)
            recorded = (index + 1) % every == 0 or index + 1 == steps
            if recorded:
                history.append({"step": index + 1, **{key: float(value) for key, value in losses.items()}})
            if processes.any_of(terminated()):  # before anything is printed: the reader may be killed already
                save(index + 1)
                raise SystemExit(143)
            if checkpoint.due():
                save(index + 1)
            if recorded and rank == 0:
                row = ", ".join(f"{key} {value:.3g}" for key, value in history[-1].items() if key != "step")
                progress.update(index + 1, row)
        if start < steps:
            save(steps)
    return pd.DataFrame(history)


def _restore(
    parts: dict[str, Stateful], buffers: list[Tensor], checkpoint: Checkpoint
) -> tuple[int, list[dict[str, float]]]:
    """Fill the parts from the checkpoint, if there is one; gives the step to begin with and the curve so far."""
    saved = checkpoint.load()
    if saved is None:
        processes.average_(buffers)  # each process measured them on its share of the first batch
    else:
        for key, part in parts.items():
            part.load_state_dict(saved["parts"][key])
    processes.any_of(False)  # a barrier: no process saves before all have read
    return (0, []) if saved is None else (saved["step"], saved["history"])


@contextlib.contextmanager
def _sigterm_noted() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM instead of ending; yields a function that gives whether it came."""
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    previous = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGTERM, previous)
