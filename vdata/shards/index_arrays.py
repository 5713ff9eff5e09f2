"""From nested rows to flat arrays: the making of the index. Loops over shards, never over clips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vdata.shards.columns import is_scalar, joined_schema, scalar_arrays
from vdata.shards.rows import read_rows, read_schema

__all__ = ["CLIP_ARRAYS", "COLUMN_ARRAYS", "FRAGMENT_ARRAYS", "MEMBER_ARRAYS", "IndexParts", "build_arrays", "digest_of"]

Arrays = dict[str, npt.NDArray[Any]]

_FROM_COLUMNS = {
    "init_size": np.int32,
    "num_frames": np.int32,
    "label": np.int32,
    "index": np.int64,
    "width": np.int32,
    "height": np.int32,
    "gop": np.int32,
}
"""Arrays that are a column of the rows, under its name."""

CLIP_ARRAYS = ("shard", "mp4_file", "mp4_offset", "fps", "video", "picture", *_FROM_COLUMNS)
FRAGMENT_ARRAYS = ("fragment_start", "fragment_frame", "fragment_offset", "fragment_size")
MEMBER_ARRAYS = {"file": np.int32, "offset": np.int64, "size": np.int64}
"""Of every extension but mp4 and json, as "motion.npz.offset"."""

COLUMN_ARRAYS = {"video_index": "video"} | {name: name for name in _FROM_COLUMNS}
"""Columns of the rows that have an array under another kind of name than `column.NAME`, and the array's."""

_NESTED = ("fps_num", "fps_den", "video_index", "picture", "fragments", "members")


@dataclass(frozen=True, slots=True, eq=False)
class IndexParts:
    """What an index is made of."""

    arrays: Arrays
    """By name, those of members as "motion.npz.offset", those of columns as "column.motion_score" and "null.pid"."""
    files: tuple[str, ...]
    """The names that `mp4_file` and `<ext>.file` count."""
    exts: tuple[str, ...]
    """Extensions that any clip has, mp4 and json left out."""
    schema: pa.Schema
    """The columns that any shard has."""


def build_arrays(folder: Path, shards: Sequence[int]) -> IndexParts:
    """An index of the shards' rows as they are.

    Raises:
        SchemaMismatchError: another format version, or a column that the format asks for and a shard does not have.
    """
    files: dict[str, int] = {}
    parts, tables = list[Arrays](), list[pa.Table]()
    schemas = [read_schema(folder, shard) for shard in shards]
    schema = joined_schema(schemas)
    scalars = [field.name for field in schema if is_scalar(field) and field.name not in COLUMN_ARRAYS]
    for shard, known in zip(shards, schemas, strict=True):
        own = [name for name in scalars if name in known.names]
        rows = read_rows(folder, shard, list(dict.fromkeys([*_FROM_COLUMNS, *_NESTED, *own])))
        parts.append(_shard_arrays(rows, shard, files))
        tables.append(rows.select(own))
    exts = sorted({name.rpartition(".")[0] for part in parts for name in part if "." in name})
    arrays = _joined(parts, exts) | scalar_arrays(tables)
    return IndexParts(arrays, tuple(files), tuple(exts), schema)


def _joined(parts: Sequence[Arrays], exts: Sequence[str]) -> Arrays:
    """The arrays of all shards, one behind the other."""
    sizes = [len(part["shard"]) for part in parts]
    # Each part is let go as soon as it is joined: the arrays of ten million clips are gigabytes.
    arrays = {name: np.concatenate([part.pop(name) for part in parts]) for name in (*CLIP_ARRAYS, *FRAGMENT_ARRAYS[1:])}
    counts = np.concatenate([part["fragment_count"] for part in parts])
    arrays["fragment_start"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return arrays | _joined_members(parts, sizes, exts)


def digest_of(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """A hash of the clips' and fragments' arrays.

    The members' and columns' are left out: a field that is added changes no clip. So are the places of the MP4s: mp4_file counts
    files as they are met, and in a Parquet shard the cells of another field move those of the clips.
    """
    state = hashlib.sha256()
    for name in sorted({*CLIP_ARRAYS, *FRAGMENT_ARRAYS} - {"mp4_file", "mp4_offset"}):
        state.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        state.update(np.ascontiguousarray(arrays[name]).data)
    return state.hexdigest()[:16]


def _shard_arrays(rows: pa.Table, shard: int, files: dict[str, int]) -> Arrays:
    arrays: Arrays = {name: _numbers(rows[name], dtype) for name, dtype in _FROM_COLUMNS.items()}
    arrays["shard"] = np.full(len(rows), shard, np.int32)
    arrays["video"] = _numbers(rows["video_index"], np.int64)
    numerator, denominator = (_numbers(rows[name], np.float64) for name in ("fps_num", "fps_den"))
    arrays["fps"] = np.divide(numerator, denominator, out=np.zeros(len(rows)), where=denominator > 0)
    picture = rows["picture"]
    arrays["picture"] = np.stack([_numbers(pc.struct_field(picture, side), np.int32) for side in _SIDES], axis=1)
    return arrays | _fragment_arrays(rows["fragments"]) | _member_arrays(rows["members"], files)


_SIDES = ("x", "y", "width", "height")


def _fragment_arrays(column: pa.ChunkedArray) -> Arrays:
    values = pc.list_flatten(column)
    return {
        "fragment_count": _numbers(pc.list_value_length(column), np.int64),
        "fragment_frame": _numbers(pc.struct_field(values, "first_frame"), np.int32),
        "fragment_offset": _numbers(pc.struct_field(values, "offset"), np.int64),
        "fragment_size": _numbers(pc.struct_field(values, "size"), np.int64),
    }


def _member_arrays(column: pa.ChunkedArray, files: dict[str, int]) -> Arrays:
    """`<ext>.file`, `.offset` and `.size` of every extension in the shard, and the MP4's."""
    values = pc.list_flatten(column)
    clips = _numbers(pc.list_parent_indices(column), np.int64)
    found = {
        "file": _file_numbers(pc.struct_field(values, "file"), files),
        "offset": _numbers(pc.struct_field(values, "offset"), np.int64),
        "size": _numbers(pc.struct_field(values, "size"), np.int64),
    }
    names = pc.struct_field(values, "name")
    arrays: Arrays = {f"mp4_{part}": np.full(len(column), -1, MEMBER_ARRAYS[part]) for part in ("file", "offset")}
    for ext in pc.unique(names).to_pylist():
        of_ext = pc.equal(names, ext).to_numpy().astype(bool)
        if ext == "mp4":
            for part in ("file", "offset"):
                arrays[f"mp4_{part}"][clips[of_ext]] = found[part][of_ext]
        elif ext != "json":
            for part, empty in _absent(len(column)).items():
                empty[clips[of_ext]] = found[part][of_ext]
                arrays[f"{ext}.{part}"] = empty
    return arrays


def _file_numbers(column: pa.ChunkedArray, files: dict[str, int]) -> npt.NDArray[np.int32]:
    """The number of each file name; a new name gets the next number in `files`."""
    names = pc.unique(column)
    numbers = np.array([files.setdefault(name, len(files)) for name in names.to_pylist()], np.int32)
    found: npt.NDArray[np.int32] = numbers[_numbers(pc.index_in(column, value_set=names), np.int64)]
    return found


def _joined_members(parts: Sequence[Arrays], sizes: Sequence[int], exts: Sequence[str]) -> Arrays:
    """The member arrays of all shards of `sizes` rows; a shard that has nothing of an extension counts as absent for it."""
    return {
        f"{ext}.{name}": np.concatenate(
            [
                part.pop(f"{ext}.{name}") if f"{ext}.{name}" in part else _absent(size)[name]
                for part, size in zip(parts, sizes, strict=True)
            ]
        )
        for ext in exts
        for name in MEMBER_ARRAYS
    }


def _absent(num_clips: int) -> Arrays:
    """What the member arrays say of clips that have no such member."""
    fill = {"file": -1, "offset": 0, "size": 0}
    return {part: np.full(num_clips, fill[part], dtype) for part, dtype in MEMBER_ARRAYS.items()}


def _numbers(column: pa.ChunkedArray | pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return numbers.astype(dtype)
