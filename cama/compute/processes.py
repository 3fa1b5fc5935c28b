"""One training on several processes, started by torch's own launcher (`python -m torch.distributed.run`).

Each draws its share of the batch, and gradients and running statistics are averaged, so that all hold the same network.
"""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

from cama.compute.device import pick_device
from cama.core.errors import CamaError


def start(processes: int, device: str) -> None:
    """Join the other processes of this training, if there are several; it is an error if not `processes` were started."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != processes:
        how = f"start it by `python -m torch.distributed.run --standalone --nproc-per-node {processes} -m cama ...`"
        raise CamaError(f"training.processes: found {processes}, but {started} started; {how}")
    if processes > 1 and not dist.is_initialized():
        gpu, here = pick_device(device).type == "cuda", int(os.environ["LOCAL_RANK"])
        if gpu and here >= torch.cuda.device_count():
            raise CamaError(
                f"training.processes: found {here + 1} here, expected one a GPU, {torch.cuda.device_count()} at most"
            )
        if gpu:
            torch.cuda.set_device(here)
        dist.init_process_group("nccl" if gpu else "gloo")


def rank() -> int:
    """This process's number, from 0, which alone writes files."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes this training has."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_(tensors: Iterable[Tensor]) -> None:
    """Replace tensors, in place, by their means over all processes; those of whole numbers are left alone."""
    if count() == 1:
        return
    chosen = [tensor for tensor in tensors if tensor.is_floating_point()]
    if chosen:
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in chosen])
        dist.all_reduce(flat)
        flat /= count()
        for tensor, part in zip(chosen, flat.split([tensor.numel() for tensor in chosen]), strict=True):
            tensor.copy_(part.view_as(tensor))


def any_of(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    if count() == 1:
        return flag
    device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
    highest = torch.tensor(int(flag), device=device)
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    return bool(highest)
