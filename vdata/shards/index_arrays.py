"""From nested rows to flat arrays: the making of the index. Loops over shards, never over clips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vdata.shards.rows import read_rows

__all__ = ["CLIP_ARRAYS", "FRAGMENT_ARRAYS", "MEMBER_ARRAYS", "build_arrays", "digest_of"]

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

_NESTED = ("fps_num", "fps_den", "video_index", "picture", "fragments", "members")


def build_arrays(folder: Path, shards: Sequence[int]) -> tuple[Arrays, list[str]]:
    """The index's arrays by name, and the names of the files that `mp4_file` and `<ext>.file` count."""
    files: dict[str, int] = {}
    parts = [_shard_arrays(read_rows(folder, shard, [*_FROM_COLUMNS, *_NESTED]), shard, files) for shard in shards]
    sizes = [len(part["shard"]) for part in parts]
    # Each part is let go as soon as it is joined: the arrays of ten million clips are gigabytes.
    arrays = {name: np.concatenate([part.pop(name) for part in parts]) for name in (*CLIP_ARRAYS, *FRAGMENT_ARRAYS[1:])}
    counts = np.concatenate([part["fragment_count"] for part in parts])
    arrays["fragment_start"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return arrays | _joined_members(parts, sizes), list(files)


def digest_of(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """A hash of the clips' and fragments' arrays.

    The members' are left out: a field that is added changes no clip. So is mp4_file, which counts files as they are met.
    """
    state = hashlib.sha256()
    for name in sorted({*CLIP_ARRAYS, *FRAGMENT_ARRAYS} - {"mp4_file"}):
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


def _joined_members(parts: Sequence[Arrays], sizes: Sequence[int]) -> Arrays:
    """The member arrays of all shards of `sizes` rows; a shard that has nothing of an extension counts as absent for it."""
    exts = sorted({name.rpartition(".")[0] for part in parts for name in part if "." in name})
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
