"""Columns of rows as arrays: the same values as Arrow's, whatever the shards agree on."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from vdata.errors import SchemaMismatchError
from vdata.shards.columns import Scalar, from_names, is_scalar, joined_schema, read_columns, scalar_arrays, to_names
from vdata.shards.schema import COLUMNS, row_schema

TABLES = [
    pa.table(
        {
            "small": pa.array([1, None, 3], pa.int8()),
            "truth": pa.array([True, None, False]),
            "real": pa.array([0.5, None, float("nan")], pa.float32()),
            "whole": pa.array([1, 2, 3], pa.int64()),
        }
    ),
    pa.table({"small": pa.array([300], pa.int32()), "whole": pa.array([4], pa.int64()), "late": pa.array([7], pa.uint16())}),
]


def test_arrays_give_back_what_the_tables_hold():
    arrays = scalar_arrays(TABLES)
    assert set(arrays) == {"column.small", "column.truth", "column.real", "column.whole", "column.late"} | {
        "null.small",
        "null.truth",
        "null.late",
    }
    assert all(array.shape == (4,) and array.dtype != object for array in arrays.values())
    scalars = {
        name: Scalar(arrays[f"column.{name}"], arrays.get(f"null.{name}")) for name in ("small", "truth", "real", "whole", "late")
    }
    assert {name: scalar.arrow().to_pylist() for name, scalar in scalars.items()} == {
        "small": [1, None, 3, 300],
        "truth": [True, None, False, None],
        "real": [0.5, None, None, None],
        "whole": [1, 2, 3, 4],
        "late": [None, None, None, 7],
    }
    assert scalars["small"].arrow().type == pa.int32()
    assert scalars["whole"].numpy().dtype == np.int64
    assert np.array_equal(scalars["small"].numpy(), [1, np.nan, 3, 300], equal_nan=True)
    assert scalars["truth"].numpy().tolist() == [True, None, False, None]
    assert np.isnan(scalars["real"].numpy()).tolist() == [False, True, True, True]


def test_a_value_under_a_null_is_always_the_same():
    """The index of equal rows has equal bytes, which `vdata verify` relies on."""
    hidden = pa.Array.from_buffers(pa.int32(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([1, 99], np.int32).tobytes())])
    arrays = scalar_arrays([pa.table({"x": hidden})])
    assert arrays["column.x"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("label", pa.int32(), True),
        ("motion_score", pa.float32(), True),
        ("has_audio", pa.bool_(), True),
        ("key", pa.string(), False),
        ("labels", pa.list_(pa.int32()), False),
        ("picture", pa.struct([("x", pa.int32())]), False),
        ("when", pa.timestamp("us"), False),
        ("../x", pa.int32(), False),
    ],
)
def test_numbers_and_truths_are_kept_as_arrays(name, kind, kept):
    assert is_scalar(pa.field(name, kind)) is kept


def test_types_travel_as_json():
    schema = row_schema().remove_metadata()
    assert from_names(json.loads(json.dumps(to_names(schema)))).equals(schema)
    assert len(schema) == len(COLUMNS)
    odd = pa.schema([("a", pa.decimal128(5, 2)), ("b", pa.date32()), ("c", pa.struct([("d", pa.list_(pa.float32()))]))])
    assert from_names(to_names(odd)).types == [pa.null(), pa.date32(), odd.field("c").type]


def test_schemas_are_joined_and_disagreement_is_told():
    one = pa.schema([("a", pa.int32()), ("b", pa.string()), ("x", pa.int32())], metadata={"k": "v"})
    other = pa.schema([("x", pa.string()), ("a", pa.int64()), ("c", pa.bool_()), ("mp4", pa.binary())])
    joined = joined_schema([one, other, one])
    assert joined.equals(pa.schema([("a", pa.int64()), ("b", pa.string()), ("x", pa.null()), ("c", pa.bool_())]))


def test_columns_of_rows_are_null_where_a_shard_lacks_them(shard_folder, add_column):
    add_column(shard_folder, 1, "caption", pa.array(["a", None]))
    table = read_columns(shard_folder, [0, 1], ["caption", "label_name"])
    assert table.column_names == ["caption", "label_name"]
    assert table["caption"].to_pylist() == [None] * 4 + ["a", None]
    assert table["label_name"].to_pylist() == [f"class {i % 3}" for i in range(6)]
    with pytest.raises(SchemaMismatchError, match=r"no column 'captoin'\. They have: key,"):
        read_columns(shard_folder, [0, 1], ["captoin"])
    add_column(shard_folder, 0, "caption", pa.array([1] * 4))
    with pytest.raises(SchemaMismatchError, match="differ in the type of a column"):
        read_columns(shard_folder, [0, 1], ["caption"])
