"""The rows' columns as the index keeps them: numbers and truths as flat arrays, all others by name and type only.

Apart from the clips' own arrays because shards of one folder may differ here: a field is added shard by shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as kinds

from vdata.errors import SchemaMismatchError
from vdata.shards.rows import read_rows, read_schema
from vdata.shards.schema import without_cells

__all__ = ["Scalar", "from_names", "is_scalar", "joined_schema", "read_columns", "scalar_arrays", "to_names"]

TypeNames = str | dict[str, Any] | list[Any]
"""A type as JSON holds it: Arrow's name, {part: type} for a struct, [type] for a list."""

_UNNAMED = "null"
"""Stands for a type that has no name to come back from, as a decimal's."""


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A column of numbers or truths, one entry a clip."""

    values: npt.NDArray[Any]
    """(N,); a float's NaN is a null, and a null is NaN. Else the value under a null is 0."""
    null: npt.NDArray[np.bool_] | None = None
    """(N,): where a clip has no value; None where all have one, and for floats."""

    def arrow(self) -> pa.Array:
        """The same as Arrow, nulls as nulls."""
        return pa.array(self.values, mask=self.null, from_pandas=True)

    def numpy(self) -> npt.NDArray[Any]:
        """(N,) of the column's own type; float64 with NaN if numbers are missing, objects with None if truths are."""
        if self.null is None:
            return np.asarray(self.values)
        missing: npt.NDArray[Any] = self.arrow().to_numpy(zero_copy_only=False)
        return missing


def is_scalar(field: pa.Field) -> bool:
    """Whether the index keeps an array of it; its name is a part of a file's."""
    plain = any(of_kind(field.type) for of_kind in (kinds.is_integer, kinds.is_floating, kinds.is_boolean))
    return plain and bool(field.name.isidentifier())


def scalar_arrays(tables: Sequence[pa.Table]) -> dict[str, npt.NDArray[Any]]:
    """`column.NAME` (N,) for every column of the tables, behind one another, and `null.NAME` where a Scalar needs it.

    Tables that lack a column have nulls. Integers of two sizes become the larger; an integer beside a float becomes one.
    """
    table = pa.concat_tables(tables, promote_options="permissive")
    arrays = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        filled = column if kinds.is_floating(column.type) else column.fill_null(pa.scalar(0).cast(column.type))
        arrays[f"column.{name}"] = filled.to_numpy(zero_copy_only=False)
        if filled.null_count < column.null_count:
            arrays[f"null.{name}"] = column.is_null().to_numpy(zero_copy_only=False)
    return arrays


def read_columns(folder: Path, shards: Sequence[int], names: Sequence[str]) -> pa.Table:
    """These columns of the shards' row files, behind one another; null in a shard that has none of the name.

    Raises:
        SchemaMismatchError: a column that no shard has, or whose types in two shards do not go together.
    """
    known = {shard: without_cells(read_schema(folder, shard)).names for shard in shards}
    every = list(dict.fromkeys(name for own in known.values() for name in own))
    missing = [name for name in names if name not in every]
    if missing:
        raise SchemaMismatchError(f"the rows of '{folder}' have no column '{missing[0]}'. They have: {', '.join(every)}")
    # `key` comes along, for a table without columns has no length.
    tables = [read_rows(folder, shard, ["key", *(name for name in names if name in own)]) for shard, own in known.items()]
    try:
        return pa.concat_tables(tables, promote_options="permissive").select(list(names))
    except pa.ArrowTypeError as error:
        raise SchemaMismatchError(f"the shards of '{folder}' differ in the type of a column: {error}") from error


def joined_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns that any of the schemas has, members' cells left out. Arrow's null is the type of one that they disagree on."""
    types: dict[str, list[pa.Schema]] = {}
    # Shards of one build have one schema.
    for schema in dict.fromkeys(without_cells(schema).remove_metadata() for schema in schemas):
        for field in schema:
            types.setdefault(field.name, []).append(pa.schema([field]))
    return pa.schema([(name, _common(found)) for name, found in types.items()])


def _common(found: Sequence[pa.Schema]) -> pa.DataType:
    """The type of the one column of all these, the larger one of numbers."""
    try:
        return pa.unify_schemas(found, promote_options="permissive").field(0).type
    except pa.ArrowTypeError:
        return pa.null()


def to_names(schema: pa.Schema) -> dict[str, TypeNames]:
    """The columns' types by name, as JSON can hold them."""
    return {field.name: _spelled(field.type) for field in schema}


def from_names(names: Mapping[str, TypeNames]) -> pa.Schema:
    """The schema that to_names has spelled; a type that has no name of its own comes back as Arrow's null."""
    return pa.schema([(name, _read(spelled)) for name, spelled in names.items()])


def _spelled(kind: pa.DataType) -> TypeNames:
    if kinds.is_struct(kind):
        return {field.name: _spelled(field.type) for field in kind}
    if kinds.is_list(kind):
        return [_spelled(kind.value_type)]
    try:
        return str(kind) if pa.type_for_alias(str(kind)) == kind else _UNNAMED
    except ValueError:
        return _UNNAMED


def _read(spelled: TypeNames) -> pa.DataType:
    if isinstance(spelled, dict):
        return pa.struct([(name, _read(below)) for name, below in spelled.items()])
    if isinstance(spelled, list):
        return pa.list_(_read(spelled[0]))
    return pa.type_for_alias(spelled)
