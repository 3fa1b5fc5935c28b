"""Where networks compute, and how precisely."""

import ctypes
import sys
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from cama.compute.memory import read_lines
from cama.compute.tensors import to_float
from cama.core.errors import CamaError
from cama.settings.training import ComputeSpec


class Compute:
    """Device and precision of a training or an inference."""

    def __init__(self, spec: ComputeSpec) -> None:
        self.device = pick_device(spec.device)
        self.dtype = pick_precision(spec.precision, self.device)
        self.compile_from = spec.compile_from
        self.compiled = False
        if self.device.type == "cpu":
            _keep_memory()
        else:
            torch.backends.cudnn.benchmark = (
                True  # batches of a training are alike: the quickest algorithm is looked for once
            )

    def to_device(self, module: nn.Module) -> nn.Module:
        """Move a network to the device, channels last."""
        return module.to(self.device, memory_format=torch.channels_last)

    def for_training(self, module: nn.Module, steps: int) -> nn.Module:
        """Move a network to the device for a training of so many steps. On a GPU a long training's networks are compiled, and
        their kernels are started as graphs (CUDA graphs): starting them one by one takes longer than computing them. Weights
        and their names stay the same.
        """
        self.to_device(module)
        if self.device.type == "cuda" and steps >= self.compile_from:
            module.compile(mode="reduce-overhead", dynamic=False)
            self.compiled = True
        return module

    def begin_step(self) -> None:
        """Say that a training step begins: results of compiled networks of earlier steps are no longer needed."""
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()

    def upload(self, values: Tensor) -> Tensor:
        """A tensor on the device of this training or inference."""
        return upload(values, self.device)

    def autocast(self) -> torch.autocast:
        """The context in which networks run forward."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def images(self, stored: np.ndarray | Tensor) -> Tensor:
        """Stored images (N, H, W, 3), uint8, as float32 (N, 3, H, W) in [-1, 1] on the device, channels last."""
        return to_float(self.upload(torch.as_tensor(stored))).contiguous(memory_format=torch.channels_last)

    def free_gpu_memory(self) -> int:
        """Bytes of a GPU's memory that patches may take, half of what is free; 0 on a processor."""
        return torch.cuda.mem_get_info(self.device)[0] // 2 if self.device.type == "cuda" else 0


def upload(values: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device. A GPU is not waited for, as it would be by `to`."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@cache
def _keep_memory() -> None:
    """Have this process keep the memory that it frees. glibc would give each large block back to the system, which clears it
    anew for the next layer: half the time of G on a photograph, a quarter of a ResNet's training.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:  # glibc's
            no_mapped_blocks, no_return = (-4, 0), (-1, 2**31 - 1)  # M_MMAP_MAX, M_TRIM_THRESHOLD
            mallopt(*no_mapped_blocks)
            mallopt(*no_return)


def resolved(spec: ComputeSpec) -> dict[str, str]:
    """What `auto` means here: device, precision, and the torch that computes."""
    device = pick_device(spec.device)
    precision = str(pick_precision(spec.precision, device)).removeprefix("torch.")
    return {"device": device.type, "precision": precision, "torch": f"torch {torch.__version__}"}


def pick_device(name: str) -> torch.device:
    """`auto` takes the GPU where there is one. Asking for one where there is none is an error."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise CamaError("device: found no GPU, expected one; set `compute.device: cpu` or `auto`")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` takes bfloat16 where the processor computes it natively, else float32."""
    if name == "auto":
        fast = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else _cpu_has_bfloat16()
        name = "bfloat16" if fast else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]


def processor_flags() -> list[str]:
    """The features of this processor on which the speed of networks depends."""
    flags = {flag for line in read_lines("/proc/cpuinfo") if line.startswith("flags") for flag in line.split()}
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]


def _cpu_has_bfloat16() -> bool:
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(processor_flags())
