"""The index's header: what an index was made from, and which arrays it has.

Apart from the index because a copy of it on another machine is judged by the header alone, before an array is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vdata.shards.columns import to_names
from vdata.shards.index_arrays import CLIP_ARRAYS, FRAGMENT_ARRAYS, MEMBER_ARRAYS, IndexParts, digest_of
from vdata.shards.layout import ROWS, require_shards, shard_name, shard_path
from vdata.shards.schema import FORMAT_VERSION

__all__ = ["HEADER", "INDEX", "array_names", "header_of", "parse_header", "read_header", "stamp", "untimed"]

INDEX = "index"
"""The folder, below that of the shards."""
HEADER = "index.json"
_LAYOUT = 4
"""Number of the index's own layout. Another number is stale, not an error: the index is made anew.

It goes up with any change of `digest_of` too, for a copy of an index is held against its digest."""
_SCALAR_ARRAYS = ("column", "null")
"""What the names of a Scalar's arrays begin with."""


def header_of(parts: IndexParts, rows: Iterable[list[Any]]) -> dict[str, Any]:
    """The header of an index of these parts, made from the row files of a stamp."""
    return {
        "layout": _LAYOUT,
        "format_version": FORMAT_VERSION,
        "digest": digest_of(parts.arrays),
        "num_clips": len(parts.arrays["shard"]),
        "files": list(parts.files),
        "members": list(parts.exts),
        "columns": to_names(parts.schema),
        "scalars": sorted(name for name in parts.arrays if name.partition(".")[0] in _SCALAR_ARRAYS),
        "rows": list(rows),
    }


def stamp(folder: Path) -> list[list[Any]]:
    """Name, size and time of every row file: what an index was made from.

    Raises:
        ShardError: the folder holds no finished shard.
    """
    found = [(shard_name(shard) + ROWS, shard_path(folder, shard, ROWS).stat()) for shard in require_shards(folder)]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in found]


def untimed(header: Mapping[str, Any]) -> dict[str, Any]:
    """A header without the times of the row files, which a copy of the folder does not keep."""
    return {**header, "rows": [row[:2] for row in header["rows"]]}


def read_header(path: Path) -> dict[str, Any] | None:
    """The header of an index of this layout; None where there is none."""
    try:
        return parse_header((path / HEADER).read_bytes())
    except FileNotFoundError:
        return None


def parse_header(content: bytes) -> dict[str, Any] | None:
    """The header in a file's bytes; None if it is of another layout, or of no index."""
    try:
        header: dict[str, Any] = json.loads(content)
    except ValueError:
        return None
    same = header.get("layout") == _LAYOUT and header.get("format_version") == FORMAT_VERSION
    return header if same else None


def array_names(header: Mapping[str, Any]) -> list[str]:
    """The arrays of the index, each a file NAME.npy beside the header."""
    members = [f"{ext}.{part}" for ext in header["members"] for part in MEMBER_ARRAYS]
    return [*CLIP_ARRAYS, *FRAGMENT_ARRAYS, *header["scalars"], *members]
