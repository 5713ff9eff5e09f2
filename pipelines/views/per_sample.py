"""What the readers of values that need no media share: nothing is loaded, and nothing goes through the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from pipelines.members import Members
from pipelines.samples import Samples
from pipelines.views import Shot
from vdata.views import Fact, Numbers

__all__ = ["PerSample", "Values"]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of B samples."""

    values: npt.NDArray[Any]
    """(B, ...)"""


class PerSample:
    """A ViewReader but for its draw."""

    def __init__(self, view: Numbers | Fact) -> None:
        """Takes the view."""
        self.view = view
        self.shot_names: Sequence[str] = ()

    def shots(self, drawn: Values, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """No pictures."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: Values) -> None:
        """Nothing."""

    def feeds(self, drawn: Values, loaded: Sequence[None]) -> dict[str, Any]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """None."""
        return ()

    def batch(self, drawn: Values, loaded: Sequence[None], outputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:  # noqa: ARG002 - a ViewReader
        """The values, (B, ...)."""
        return {self.view.name: torch.from_numpy(drawn.values)}

    def meta(self, drawn: Values, samples: Samples) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - a ViewReader
        """Nothing."""
        return {}
