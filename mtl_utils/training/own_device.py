"""Where a process of a group computes: on a GPU of its own if the group has them."""

from __future__ import annotations

import torch
from torch import distributed

from mtl_utils.objectives.across import in_process_group

#: With GPUs, tensors of the CPU are sent by gloo all the same: nccl alone has no way for them.
ON_GPUS, ON_CPUS = "cpu:gloo,cuda:nccl", "gloo"


def backend(on_gpus: bool) -> str:
    """Name what processes talk to each other by.

    Args:
        on_gpus: Whether each has a GPU.
    """
    return ON_GPUS if on_gpus else ON_CPUS


def own_device() -> torch.device | None:
    """Return the GPU of this process; ``None`` where no group has one, and all stays in place."""
    if not in_process_group() or "nccl" not in distributed.get_backend_config():
        return None
    return torch.device("cuda", torch.cuda.current_device())
