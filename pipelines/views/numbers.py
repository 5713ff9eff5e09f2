"""Numbers: random ones for a method's own use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Shot
from vdata.views import Numbers, View

__all__ = ["NumbersDraw", "NumbersReader"]


@dataclass(frozen=True, slots=True, eq=False)
class NumbersDraw:
    """The numbers of B samples."""

    values: npt.NDArray[Any]
    """(B, *shape): float32 or int64."""


class NumbersReader:
    """Reads a Numbers."""

    def __init__(self, view: Numbers, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view."""
        self.view = view
        self.shot_names: Sequence[str] = ()

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> NumbersDraw:  # noqa: ARG002 - a ViewReader
        """The numbers."""
        view, u = self.view, samples.u[self.view.name]
        if view.kind == "order":
            return NumbersDraw(np.argsort(u[:, : int(view.high)], axis=1, kind="stable"))
        u = u[:, : prod(view.shape)].reshape(len(u), *view.shape)
        if view.kind == "integer":
            low, high = int(view.low), int(view.high)
            return NumbersDraw(low + np.floor((high - low) * u).astype(np.int64))
        values = (view.low + (view.high - view.low) * u).astype(np.float32)
        # One in some 10 million would be rounded up to the end, which is not among them.
        below = np.nextafter(np.float32(view.high), np.float32(view.low))
        return NumbersDraw(np.minimum(values, below))

    def shots(self, drawn: NumbersDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """No pictures."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: NumbersDraw) -> None:
        """Nothing."""

    def feeds(self, drawn: NumbersDraw, loaded: Sequence[None]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing: numbers do not go through the graph."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None."""
        return ()

    def batch(self, drawn: NumbersDraw, loaded: Sequence[None], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ARG002 - a ViewReader
        """The numbers, (B, *shape)."""
        return {self.view.name: torch.from_numpy(drawn.values)}

    def meta(self, drawn: NumbersDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}
