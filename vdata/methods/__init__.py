"""Station 6, step: a batch becomes losses. One file a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from vdata.table import Table
from vdata.views import View

__all__ = ["METHODS", "Method", "MovesAfterSteps"]


class Method(Protocol):
    """What a file of this folder registers: an nn.Module with a Config, views and a loss."""

    Config: ClassVar[type]
    """A frozen dataclass; paper numbers carry their tag in the docstrings."""

    def __init__(self, backbone: Any, config: Any) -> None:  # noqa: ANN401 - each method has its own Config
        """Builds the heads on a backbone that maps (N, C, T, H, W) to (N, backbone.num_features)."""

    @property
    def backbone(self) -> nn.Module:
        """The backbone that was given: evaluation reads it from a checkpoint, where its keys begin with `backbone.`."""

    @staticmethod
    def views(config: Any) -> tuple[View, ...]:  # noqa: ANN401 - see __init__
        """What the method reads of every sample; the names are the batch's keys."""

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The total as "loss", and any parts worth a curve, all scalars."""


@runtime_checkable
class MovesAfterSteps(Protocol):
    """What a method has beside if something in it moves that no gradient reaches, as a momentum encoder."""

    def after_step(self, step: int, steps: int) -> None:
        """Called after the optimiser's step number `step`, counted from 0, of `steps`; on every rank."""


METHODS: Table[type[Method]] = Table("method", package=__name__)
