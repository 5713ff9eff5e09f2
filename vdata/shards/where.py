"""Filters choose clips by the columns of their rows: `where="motion_score > 0.2 and label in (1, 2)"`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import acero

from vdata.config import check
from vdata.errors import ConfigError, UnknownNameError
from vdata.shards.where_text import parse_where

__all__ = ["Filterable", "Selection", "Where", "select"]

Where: TypeAlias = "str | pc.Expression"
"""A filter: text of the language that docs/filters.md describes, or Arrow's own form of one."""


class Filterable(Protocol):
    """What a filter asks of clips; vdata.shards.Index is one."""

    @property
    def schema(self) -> pa.Schema:
        """The columns that there are."""

    def table(self, names: Sequence[str]) -> pa.Table:
        """These columns, a row a clip."""

    def __len__(self) -> int:
        """The number of clips."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The clips that a filter chooses."""

    where: str
    """The filter as text."""
    chosen: npt.NDArray[np.bool_]
    """(N,)"""
    num_null: int
    """Clips, not chosen, for which it has no answer: a value that decides is null."""

    def __str__(self) -> str:
        """One sentence with the counts."""
        left_out = len(self.chosen) - int(self.chosen.sum())
        without = f", {self.num_null} of them for want of a value" if self.num_null else ""
        return f"where {self.where!r} leaves out {left_out} of {len(self.chosen)} clips{without}"


def select(clips: Filterable, where: Where) -> Selection:
    """The clips for which the filter is true. A null is neither true nor false, and so chooses nothing.

    Raises:
        UnknownNameError: no clip has such a column; the message names the nearest and all.
        ConfigError: the filter is not of the language, or compares what cannot be compared.
    """
    if isinstance(where, str):
        text, (expression, names) = where, parse_where(where, clips.schema)
    else:
        check(isinstance(where, pc.Expression), "where", where, "must be text or a pyarrow.compute.Expression")
        text, expression = " ".join(str(where).split()), where
        names = _names_in(expression, text, clips.schema)
    chosen = _evaluated(expression, clips.table(names), text)
    check(pa.types.is_boolean(chosen.type), "where", text, f"gives {chosen.type} and no truth: compare it with something")
    mask: npt.NDArray[np.bool_] = chosen.fill_null(False).to_numpy()
    return Selection(text, mask, chosen.null_count)


def _names_in(expression: pc.Expression, text: str, schema: pa.Schema) -> list[str]:
    """The columns that an Arrow expression names: those without which it cannot be bound. It does not tell them itself."""
    empty = schema.empty_table()
    _evaluated(expression, empty, text)
    return [name for name in schema.names if not _binds(expression, empty.drop_columns([name]))]


def _binds(expression: pc.Expression, table: pa.Table) -> bool:
    try:
        _projected(expression, table)
    except pa.ArrowInvalid:
        return False
    return True


def _evaluated(expression: pc.Expression, table: pa.Table, text: str) -> pa.ChunkedArray:
    """The expression's value for every row."""
    try:
        return _projected(expression, table)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        missing = re.match(r"No match for FieldRef\.Name\((.*?)\)", str(error))
        if missing:
            raise UnknownNameError("column", missing[1], table.column_names) from error
        raise ConfigError(f"where ({text!r}) has no value: {str(error).splitlines()[0]}") from error


def _projected(expression: pc.Expression, table: pa.Table) -> pa.ChunkedArray:
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions([expression], ["chosen"]))
    # Threads would change the order.
    return acero.Declaration.from_sequence([source, project]).to_table(use_threads=False)["chosen"]
