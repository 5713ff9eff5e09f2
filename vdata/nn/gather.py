"""The batch of all ranks, with gradients.

Own code because torch's `distributed.nn.functional.all_gather` is deprecated and its successor is a private module whose names
change between releases. Every function is the identity where no process group runs, so that a method says the same on one
device and on many.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["gather", "rank", "world_size"]


def rank() -> int:
    """This process's place among the ranks, 0 without a process group."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of ranks, 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def gather(x: Tensor) -> Tensor:
    """The rows of all ranks (world_size * B, ...) in rank order, of equally many rows B on each.

    The gradient of a rank's rows is the sum over the losses of all ranks. DistributedDataParallel then takes the mean over ranks,
    so that the mean of the ranks' losses is what is differentiated, exactly.
    """
    if world_size() == 1:
        return x
    return cast("Tensor", _Gather.apply(x))  # type: ignore[no-untyped-call]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context has no public type
        ctx.num_rows = len(x)
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ANN401 - as above
        # all_reduce, not reduce_scatter, because gloo has no reduce_scatter.
        grad = grads[0].contiguous().clone()
        dist.all_reduce(grad)
        start = rank() * ctx.num_rows
        return grad[start : start + ctx.num_rows]
