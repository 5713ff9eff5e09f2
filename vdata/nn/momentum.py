"""A network that follows another by a moving average, and the queue of what it said.

Own code because the two releases that are followed here differ in what moves, and when: it is said in two functions.
"""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from torch import Tensor, nn

from vdata.nn.gather import gather

__all__ = ["MomentumEncoder", "Queue", "momentum_at"]


class MomentumEncoder(nn.Module):
    """A copy of a network whose parameters follow the original's; no gradient reaches it.

    Source: He et al. (MoCo), arXiv 1911.05722, equation 2. Buffers, as the statistics of norms, are its own: it runs in training
    mode on its own batches, as the releases of BE and DSM have it [C].
    """

    def __init__(self, original: nn.Module, momentum: float) -> None:
        """Copies the original as it is."""
        super().__init__()
        self.network = copy.deepcopy(original).requires_grad_(requires_grad=False)
        self.momentum = momentum

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """What the copy says, without a gradient."""
        return cast("Tensor", self.network(x))

    @torch.no_grad()
    def follow(self, original: nn.Module, momentum: float | None = None) -> None:
        """Moves every parameter: p = m * p + (1 - m) * original."""
        kept = self.momentum if momentum is None else momentum
        for own, other in zip(self.network.parameters(), original.parameters(), strict=True):
            own.lerp_(other.detach(), 1 - kept)


class Queue(nn.Module):
    """The last K vectors that were put in, (K, D), as buffers: they are saved with a checkpoint."""

    rows: Tensor
    """(K, D)."""
    place: Tensor
    """Where the oldest row is, int64 ()."""

    def __init__(self, size: int, dim: int, seed: int = 0) -> None:
        """Fills it with uniform noise in +-1 / sqrt(D / 3), the same on every rank.

        Source: the release of BE [C]; random rows are as far from everything as rows of no video can be.
        """
        super().__init__()
        spread = (3 / dim) ** 0.5
        noise = torch.rand(size, dim, generator=torch.Generator().manual_seed(seed)) * 2 * spread - spread
        self.register_buffer("rows", noise)
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def put(self, keys: Tensor) -> None:
        """Replaces the oldest rows by the keys (B, D) of all ranks, in rank order; B need not divide K."""
        keys = gather(keys.detach()).to(self.rows.dtype)[-len(self.rows) :]
        # On the device: a number read from it would wait for all work before.
        places = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.rows)
        self.rows[places] = keys
        self.place.copy_((self.place + len(keys)) % len(self.rows))


def momentum_at(step: int, steps: int, first: float) -> float:
    """A momentum that rises from `first` to 1 by half a cosine.

    Source: Grill et al. (BYOL), arXiv 2006.07733, section 3.3.
    """
    return 1 - (1 - first) * (math.cos(math.pi * step / steps) + 1) / 2
