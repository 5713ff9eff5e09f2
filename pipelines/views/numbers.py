"""Numbers: random ones for a method's own use."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from pipelines.samples import Samples
from pipelines.views.per_sample import PerSample, Values
from vdata.views import Numbers, View

__all__ = ["NumbersReader"]


class NumbersReader(PerSample):
    """Reads a Numbers."""

    view: Numbers

    def __init__(self, view: Numbers, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view."""
        super().__init__(view)

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> Values:  # noqa: ARG002 - a ViewReader
        """The numbers, (B, *shape): float32 or int64."""
        view, u = self.view, samples.u[self.view.name]
        if view.kind == "order":
            return Values(np.argsort(u[:, : int(view.high)], axis=1, kind="stable"))
        u = u[:, : prod(view.shape)].reshape(len(u), *view.shape)
        if view.kind == "integer":
            low, high = int(view.low), int(view.high)
            return Values(low + np.floor((high - low) * u).astype(np.int64))
        values = (view.low + (view.high - view.low) * u).astype(np.float32)
        # One in some 10 million would be rounded up to the end, which is not among them.
        below = np.nextafter(np.float32(view.high), np.float32(view.low))
        return Values(np.minimum(values, below))
