"""Where networks compute, and how precisely."""

from pathlib import Path

import torch

from cama.errors import CamaError


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
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bfloat16()
        name = "bfloat16" if fast else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]


def processor_flags() -> list[str]:
    """Of the processor's features those that decide how fast networks compute."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return []
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]


def _cpu_has_bfloat16() -> bool:
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(processor_flags())
