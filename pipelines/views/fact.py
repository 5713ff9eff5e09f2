"""Fact: a column of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as kinds

from pipelines.clips import Clips
from pipelines.samples import Samples
from pipelines.views.per_sample import PerSample, Values
from vdata.config import check
from vdata.errors import UnknownNameError
from vdata.views import Fact, View

__all__ = ["FactReader"]

_VIDEO = "video"


class FactReader(PerSample):
    """Reads a Fact. The column is read once, from the index where it is kept there, and then kept."""

    view: Fact

    def __init__(self, view: Fact, views: Mapping[str, View]) -> None:  # noqa: ARG002 - a ViewReader
        """Takes the view."""
        super().__init__(view)
        self._column: npt.NDArray[Any] | _Lists | None = None

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> Values:  # noqa: ARG002 - a ViewReader
        """The column of each sample's first clip.

        Raises:
            UnknownNameError: the rows have no such column.
            ConfigError: it holds what the view does not take, or an index beyond its classes.
        """
        if self._column is None:
            self._column = _lists(samples.clips, self.view) if self.view.classes else _scalars(samples.clips, self.view)
        if isinstance(self._column, _Lists):
            return Values(self._column.multi_hot(samples.first_clip, self.view.classes))
        return Values(self._column[samples.first_clip])


class _Lists:
    """Lists of class indices, one a clip, as one array."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        joined = column.combine_chunks().cast(pa.large_list(pa.int64()))
        self._items = joined.flatten().to_numpy(zero_copy_only=False)
        self._ends = np.cumsum(joined.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))

    @property
    def largest(self) -> int:
        """The largest index of all; -1 where there is none."""
        return int(self._items.max(initial=-1))

    def multi_hot(self, clips: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float32]:
        """(B, classes)."""
        hot = np.zeros((len(clips), classes), np.float32)
        for row, clip in enumerate(clips.tolist()):
            first = self._ends[clip - 1] if clip else 0
            hot[row, self._items[first : self._ends[clip]]] = 1
        return hot


def _scalars(clips: Clips, view: Fact) -> npt.NDArray[Any]:
    """(N,): int64, float32 or bool."""
    if view.source == _VIDEO:
        return np.asarray(clips.video)
    kind = _kind(clips, view)
    key, rule = f"views.{view.name}.column", "must hold numbers or truths; give classes for a list of class indices"
    check(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind), key, f"{view.source}: {kind}", rule)
    column = clips.table([view.source])[view.source]
    if kinds.is_boolean(kind):
        return np.asarray(column.fill_null(bool(view.missing > 0)).to_numpy())
    whole = kinds.is_integer(kind)
    wide = column.cast(pa.int64() if whole else pa.float32()).fill_null(int(view.missing) if whole else view.missing)
    return np.asarray(wide.to_numpy())


def _lists(clips: Clips, view: Fact) -> _Lists:
    kind = _kind(clips, view)
    fits = kinds.is_list(kind) and kinds.is_integer(kind.value_type)
    check(fits, f"views.{view.name}.column", f"{view.source}: {kind}", "must hold lists of class indices; leave classes out")
    lists = _Lists(clips.table([view.source])[view.source])
    rule = f"must be more than the largest index of '{view.source}', {lists.largest}"
    check(view.classes > lists.largest, f"views.{view.name}.classes", view.classes, rule)
    return lists


def _kind(clips: Clips, view: Fact) -> pa.DataType:
    if view.source not in clips.schema.names:
        raise UnknownNameError("column", view.source, clips.schema.names)
    return clips.schema.field(view.source).type
