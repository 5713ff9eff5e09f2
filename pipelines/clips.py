"""The clips of one or several shard folders, as one index.

Apart from `vdata.shards` because only the loader reads many at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check, digest
from vdata.errors import CorruptShardError, MediaError
from vdata.shards import Index, open_index
from vdata.shards.columns import joined_schema
from vdata.shards.index import Mp4Place
from vdata.shards.remote import Folder, RemoteFile, RemoteFolder, folder_of
from vdata.shards.where import Where, select

__all__ = ["Clips", "JoinedIndex", "asked_clips", "folder_numbers", "is_remote", "named", "open_clips"]

_log = logging.getLogger(__name__)

Longs = npt.NDArray[np.int64]


class _Joined:
    """An array of all folders behind one another, made when it is first asked for.

    The fragments' arrays are most of an index, and no reader asks for them.
    """

    def __init__(self, *, counts_on: bool = False) -> None:
        """`counts_on` adds to the numbers of a folder all that the folders before it have used."""
        self._counts_on = counts_on

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, joined: JoinedIndex, owner: type) -> npt.NDArray[Any]:
        parts = joined.parts(self._name)
        array = _counted_on(parts, _first([_end(part) for part in parts])) if self._counts_on else np.concatenate(parts)
        # From now on found before this descriptor is.
        joined.__dict__[self._name] = array
        return array


class JoinedIndex:
    """Several indexes behind one another, with the attributes of `vdata.shards.Index`.

    `shard`, `video` and `index` count on from folder to folder, so that no two clips of different folders share one. Unlike
    those of a single index the arrays are copies in memory, made of those that are asked for.
    """

    mp4_offset = _Joined()
    init_size = _Joined()
    num_frames = _Joined()
    label = _Joined()
    fps = _Joined()
    width = _Joined()
    height = _Joined()
    picture = _Joined()
    gop = _Joined()
    shard = _Joined(counts_on=True)
    video = _Joined(counts_on=True)
    index = _Joined(counts_on=True)
    fragment_frame = _Joined()
    fragment_offset = _Joined()
    fragment_size = _Joined()

    def __init__(self, indexes: Sequence[Index]) -> None:
        """Joins no array yet."""
        self._indexes = indexes
        self._first_clip = _first([len(index) for index in indexes])
        self.digest = digest([index.digest for index in indexes])

    @cached_property
    def fragment_start(self) -> Longs:
        """(N + 1,), as Index.fragment_start."""
        first = _first([len(index.fragment_frame) for index in self._indexes])
        return np.append(_counted_on([index.fragment_start[:-1] for index in self._indexes], first), first[-1])

    def __len__(self) -> int:
        """The number of clips."""
        return int(self._first_clip[-1])

    def parts(self, name: str) -> list[npt.NDArray[Any]]:
        """An array of each folder's own index."""
        return [getattr(index, name) for index in self._indexes]

    @property
    def folder(self) -> Folder:
        """The first of the folders."""
        return self._indexes[0].folder

    def mp4_path(self, i: int) -> Path | RemoteFile:
        """The file that holds the MP4 of clip i."""
        index, own = self._place(i)
        return index.mp4_path(own)

    def mp4_place(self, i: int) -> Mp4Place:
        """Where to read the MP4 of clip i."""
        index, own = self._place(i)
        return index.mp4_place(own)

    def member(self, i: int, ext: str) -> tuple[Path | RemoteFile, int, int] | None:
        """As Index.member; None if no clip of the same folder has one."""
        index, own = self._place(i)
        return index.member(own, ext)

    def exts(self, i: int) -> tuple[str, ...]:
        """As Index.exts."""
        index, own = self._place(i)
        return index.exts(own)

    def folder_of(self, i: int) -> Folder:
        """The folder that holds clip i."""
        return self._place(i)[0].folder

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

    def folder_number(self, clips: Longs) -> Longs:
        """Which of the folders each of the clips is in, counted from 0."""
        return np.searchsorted(self._first_clip, clips, "right") - 1

    def _place(self, i: int) -> tuple[Index, int]:
        """The index of clip i, and its number there."""
        folder = int(np.searchsorted(self._first_clip, i, "right")) - 1
        return self._indexes[folder], i - int(self._first_clip[folder])


Clips = Index | JoinedIndex
"""What the loader reads."""


def open_clips(path: str | Path | Sequence[str | Path]) -> Clips:
    """The index of a shard folder, or of several as one; any may be a URL, as "s3://bucket/shards/train".

    Raises:
        ConfigError: an empty list, or a URL that cannot be used.
        ShardError: a folder without finished shards, or a remote one without a fresh index.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    check(bool(paths), "path", path, "must name at least one shard folder")
    indexes = [open_index(folder_of(folder)) for folder in paths]
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


def folder_numbers(index: Clips, clips: Longs) -> Longs:
    """Which of the paths that open_clips was given each of the clips is in, counted from 0."""
    return index.folder_number(clips) if isinstance(index, JoinedIndex) else np.zeros(len(clips), np.int64)


def is_remote(index: Clips) -> bool:
    """Whether any of its folders lies on another machine."""
    folders = index.parts("folder") if isinstance(index, JoinedIndex) else [index.folder]
    return any(isinstance(folder, RemoteFolder) for folder in folders)


@contextmanager
def named(clips: Clips, clip: int) -> Iterator[None]:
    """Nothing; what is found wrong with the clip's bytes inside it names their file and the key.

    Raises:
        CorruptShardError: in the place of a MediaError.
    """
    try:
        yield
    except MediaError as error:
        place = f"'{clips.mp4_path(clip)}', key '{clips.key(clip)}'"
        raise CorruptShardError(f"{place}: {error}; `vdata verify --decode` names all such") from error


def _end(numbers: npt.NDArray[np.integer]) -> int:
    return int(numbers.max()) + 1 if len(numbers) else 0


def _first(sizes: Sequence[int]) -> Longs:
    """Where each of the parts begins, and where the last ends."""
    return np.cumsum([0, *sizes], dtype=np.int64)


def _counted_on(parts: Sequence[npt.NDArray[np.integer]], first: Longs) -> Longs:
    return np.concatenate([part + shift for part, shift in zip(parts, first.tolist(), strict=False)]).astype(np.int64)
