"""The clips of one or several shard folders, as one index.

Apart from `vdata.shards` because only the loader reads many at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check, digest
from vdata.shards import Index, open_index
from vdata.shards.columns import joined_schema
from vdata.shards.where import Where, select

__all__ = ["Clips", "JoinedIndex", "asked_clips", "open_clips"]

_log = logging.getLogger(__name__)

_PER_CLIP = ("mp4_offset", "init_size", "num_frames", "label", "fps", "width", "height", "picture", "gop")
_PER_FRAGMENT = ("fragment_frame", "fragment_offset", "fragment_size")

Longs = npt.NDArray[np.int64]


class JoinedIndex:
    """Several indexes behind one another, with the attributes of `vdata.shards.Index`.

    `shard`, `video` and `index` count on from folder to folder, so that no two clips of different folders share one. Unlike
    those of a single index the arrays are copies in memory.
    """

    mp4_offset: Longs
    init_size: npt.NDArray[np.int32]
    num_frames: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    fps: npt.NDArray[np.float64]
    width: npt.NDArray[np.int32]
    height: npt.NDArray[np.int32]
    picture: npt.NDArray[np.int32]
    gop: npt.NDArray[np.int32]
    fragment_frame: npt.NDArray[np.int32]
    fragment_offset: Longs
    fragment_size: Longs

    def __init__(self, indexes: Sequence[Index]) -> None:
        """Joins the arrays."""
        self._indexes = indexes
        self._first_clip = _first([len(index) for index in indexes])
        for name in (*_PER_CLIP, *_PER_FRAGMENT):
            setattr(self, name, np.concatenate([getattr(index, name) for index in indexes]))
        self.shard = _joined([index.shard for index in indexes], _first([_end(index.shard) for index in indexes]))
        self.video = _joined([index.video for index in indexes], _first([_end(index.video) for index in indexes]))
        self.index = _joined([index.index for index in indexes], _first([_end(index.index) for index in indexes]))
        starts = [index.fragment_start[:-1] for index in indexes]
        first_fragment = _first([len(index.fragment_frame) for index in indexes])
        self.fragment_start = np.append(_joined(starts, first_fragment), first_fragment[-1])
        self.digest = digest([index.digest for index in indexes])

    def __len__(self) -> int:
        """The number of clips."""
        return int(self._first_clip[-1])

    @property
    def folder(self) -> Path:
        """The first of the folders."""
        return self._indexes[0].folder

    def mp4_path(self, i: int) -> Path:
        """The file that holds the MP4 of clip i."""
        index, own = self._place(i)
        return index.mp4_path(own)

    def key(self, i: int) -> str:
        """The key of clip i, which is unique within its folder."""
        index, own = self._place(i)
        return index.key(own)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A scalar column of the rows, (N,)."""
        return np.concatenate([index.column(name) for index in self._indexes])

    @property
    def schema(self) -> pa.Schema:
        """The columns that the rows of any folder have."""
        return joined_schema([index.schema for index in self._indexes])

    def table(self, names: Sequence[str]) -> pa.Table:
        """Columns of the rows as Arrow; null where a folder does not have one."""
        # `shard` comes along, for a table without columns has no length.
        tables = []
        for index in self._indexes:
            own = index.table([name for name in names if name in index.schema.names])
            tables.append(
                own.append_column("", pa.array(index.shard)) if own.num_columns else pa.table({"": pa.array(index.shard)})
            )
        return pa.concat_tables(tables, promote_options="permissive").select(list(names))

    def _place(self, i: int) -> tuple[Index, int]:
        """The index of clip i, and its number there."""
        folder = int(np.searchsorted(self._first_clip, i, "right")) - 1
        return self._indexes[folder], i - int(self._first_clip[folder])


Clips = Index | JoinedIndex
"""What the loader reads."""


def open_clips(path: str | Path | Sequence[str | Path]) -> Clips:
    """The index of a shard folder, or of several as one.

    Raises:
        ConfigError: an empty list.
        ShardError: a folder without finished shards.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    check(bool(paths), "path", path, "must name at least one shard folder")
    indexes = [open_index(Path(folder)) for folder in paths]
    return indexes[0] if len(indexes) == 1 else JoinedIndex(indexes)


def asked_clips(clips: Clips, where: Where | npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """(N,): the clips that `where` asks for; what a filter leaves out is logged.

    Raises:
        ConfigError: it is neither a filter nor a bool array of N entries.
    """
    if where is None:
        return np.ones(len(clips), bool)
    if isinstance(where, np.ndarray):
        fits = where.dtype == bool and where.shape == (len(clips),)
        check(fits, "where", where, f"must be a bool array of shape ({len(clips)},), one entry a clip of the index, or a filter")
        return where
    selection = select(clips, where)
    _log.warning("%s", selection)
    return selection.chosen


def _end(numbers: npt.NDArray[np.integer]) -> int:
    return int(numbers.max()) + 1 if len(numbers) else 0


def _first(sizes: Sequence[int]) -> Longs:
    """Where each of the parts begins, and where the last ends."""
    return np.cumsum([0, *sizes], dtype=np.int64)


def _joined(parts: Sequence[npt.NDArray[np.integer]], first: Longs) -> Longs:
    return np.concatenate([part + shift for part, shift in zip(parts, first.tolist(), strict=False)]).astype(np.int64)
