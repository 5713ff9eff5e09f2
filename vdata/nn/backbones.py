"""Backbones by name: what `--backbone` takes, and the one shape they all have.

Apart from the architectures, which register themselves here and share nothing with each other beyond this.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from vdata.table import Table

__all__ = ["BACKBONES", "Backbone", "make_backbone"]


class Backbone(nn.Module):
    """A network from clips (N, C, T, H, W), float32, to features (N, num_features): the mean of its last map."""

    num_features: int

    @abstractmethod
    def maps(self, clips: Tensor) -> tuple[Tensor, ...]:
        """The map (N, C, T, H, W) of every stage, the finest first; the last has num_features channels."""

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, num_features)."""
        return self.maps(clips)[-1].mean(dim=(2, 3, 4))


BACKBONES: Table[Callable[[], Backbone]] = Table("backbone", package=__package__)


def make_backbone(name: str, seed: int = 0) -> Backbone:
    """The untrained backbone of that name, with the same weights in every process. torch's generator is left as it was.

    Raises:
        UnknownNameError: no backbone has that name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Channels last: on the CPU a step of r3d_small takes 0.55 s of processor time in place of 0.81.
        return cast("Backbone", BACKBONES[name]().to(memory_format=torch.channels_last_3d))  # type: ignore[call-overload]
