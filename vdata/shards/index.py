"""The index: what a loader needs of every clip, as flat arrays that open without being read.

Derived from the row files and made anew when they change, so it is never copied into a backup or repaired. Apart from the
row files because ten million rows of nested Parquet take minutes to read, and memory-mapped arrays take none.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.shards.cache import discard_entry
from vdata.shards.columns import Scalar, from_names, read_columns
from vdata.shards.index_arrays import CLIP_ARRAYS, COLUMN_ARRAYS, FRAGMENT_ARRAYS, MEMBER_ARRAYS, build_arrays
from vdata.shards.index_header import HEADER, INDEX, array_names, header_of, read_header, stamp, untimed
from vdata.shards.layout import ROWS, committed_shards, shard_name, shard_of, sync_file, sync_folder
from vdata.shards.mirror import fetch_index, fetch_rows
from vdata.shards.remote import Folder, RemoteFile, RemoteFolder
from vdata.shards.rows import read_rows
from vdata.shards.schema import PICTURE

__all__ = ["Index", "MemberPlaces", "Mp4Place", "differing_files", "is_fresh", "open_index", "write_index"]

_DAMAGED = (FileNotFoundError, ValueError, EOFError)
"""What opening an array that is missing, cut short or empty raises."""

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MemberPlaces:
    """Where the members of one extension lie, one entry a clip."""

    file: IntArray
    """Which of `Index.files` holds it; -1 where the clip has none."""
    offset: LongArray
    """First byte within that file."""
    size: LongArray
    """Bytes; 0 where the clip has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Mp4Place:
    """Where the MP4 of a clip lies, and its parts within it."""

    file: Path | RemoteFile
    offset: int
    """Its first byte within the file."""
    init_size: int
    fragment_frame: IntArray
    """(F,): the first frame of each of the clip's fragments."""
    fragment_offset: LongArray
    """(F,): the fragment's first byte within the MP4."""
    fragment_size: LongArray
    """(F,)"""


@dataclass(frozen=True, eq=False, repr=False)
class Index:
    """The clips of one shard folder, in the order of shard and row. An array has one entry a clip unless it says otherwise."""

    folder: Folder
    """Where the shards lie."""
    copy: Path
    """Where index and row files lie on this machine: the same, or for remote shards an entry of the cache."""
    digest: str
    """Changes when any clip changes; the same after remaking, and after `vdata add`."""
    files: tuple[str, ...]
    """Names of the files that hold members: tars, or row files whose cells they are."""
    members: Mapping[str, MemberPlaces]
    """By extension, as "motion.npz"; `mp4` and `json` are left out."""
    schema: pa.Schema
    """The columns of the rows; a shard may lack one that another has. Arrow's null stands for a type that has no plain name."""
    scalars: Mapping[str, Scalar]
    """The columns of numbers and truths, by name, that are not an array of their own below."""
    shard: IntArray
    mp4_file: IntArray
    """Which of `files` holds the MP4; -1 for a row without one."""
    mp4_offset: LongArray
    """First byte of the MP4 within that file; -1 for a row without one."""
    init_size: IntArray
    num_frames: IntArray
    label: IntArray
    fps: npt.NDArray[np.float64]
    """0 for a row without a video."""
    video: LongArray
    """The rows' video_index: equal for clips of one video."""
    index: LongArray
    """The rows' stable number."""
    width: IntArray
    """Coded, in pixels."""
    height: IntArray
    picture: IntArray
    """(N, 4): x, y, width, height in pixels."""
    gop: IntArray
    fragment_start: LongArray
    """(N + 1,): the fragments of clip i are fragment_start[i] : fragment_start[i + 1] of the three arrays below."""
    fragment_frame: IntArray
    """(F,): the fragment's first frame."""
    fragment_offset: LongArray
    """(F,): its first byte within the MP4."""
    fragment_size: LongArray
    """(F,)"""

    def __len__(self) -> int:
        """The number of clips."""
        return len(self.shard)

    def __repr__(self) -> str:
        """The folder and the number of clips."""
        return f"<Index of '{self.folder}': {len(self)} clips, digest {self.digest}>"

    def mp4_path(self, i: int) -> Path | RemoteFile:
        """The file that holds the MP4 of clip i, from byte mp4_offset[i] on; for a clip without one, its row file."""
        file = int(self.mp4_file[i])
        return self.folder / (shard_name(int(self.shard[i])) + ROWS) if file < 0 else self.file_path(file)

    def file_path(self, file: int) -> Path | RemoteFile:
        """The file that a MemberPlaces.file names."""
        return self.folder / self.files[file]

    def mp4_place(self, i: int) -> Mp4Place:
        """Where to read the MP4 of clip i. Its arrays are views of the index's own."""
        first, end = self.fragment_start[i : i + 2].tolist()
        return Mp4Place(
            file=self.mp4_path(i),
            offset=int(self.mp4_offset[i]),
            init_size=int(self.init_size[i]),
            fragment_frame=self.fragment_frame[first:end],
            fragment_offset=self.fragment_offset[first:end],
            fragment_size=self.fragment_size[first:end],
        )

    def member(self, i: int, ext: str) -> tuple[Path | RemoteFile, int, int] | None:
        """File, first byte and size of a member of clip i, size 0 if the clip has none; None if no clip has one."""
        places = self.members.get(ext)
        if places is None:
            return None
        file = int(places.file[i])
        return (self.mp4_path(i), 0, 0) if file < 0 else (self.file_path(file), int(places.offset[i]), int(places.size[i]))

    def exts(self, i: int) -> tuple[str, ...]:  # noqa: ARG002 - of several joined folders each has its own
        """The extensions of members, beside mp4 and json, that the folder of clip i has."""
        return tuple(self.members)

    def folder_of(self, i: int) -> Folder:  # noqa: ARG002 - as above
        """The folder that holds clip i."""
        return self.folder

    @cached_property
    def shards(self) -> LongArray:
        """The numbers of the shards that hold a clip, ascending."""
        # Clips are in the order of their shards: to look for steps is 30 times as fast as to sort.
        first = np.flatnonzero(np.diff(self.shard, prepend=-1))
        return np.asarray(self.shard[first], np.int64)

    def key(self, i: int) -> str:
        """The key of clip i. Reads its shard's row file on first use."""
        shard, row = self._place(i)
        key: str = self._shard_rows(shard)["key"][row].as_py()
        return key

    def row(self, i: int) -> dict[str, Any]:
        """The whole row of clip i as plain values. Reads its shard's row file on first use."""
        shard, row = self._place(i)
        values: dict[str, Any] = self._shard_rows(shard).slice(row, 1).to_pylist()[0]
        return values

    def column(self, name: str) -> npt.NDArray[Any]:
        """A scalar column of the rows, (N,); text comes as objects, nulls as NaN or None.

        Raises:
            SchemaMismatchError: no column has that name.
        """
        if name in self.scalars:
            return self.scalars[name].numpy()
        values: npt.NDArray[Any] = self.arrow_column(name).to_numpy()
        return values

    def arrow_column(self, name: str) -> pa.ChunkedArray:
        """A column of the rows, nested ones too, as Arrow; null where a shard does not have it.

        Raises:
            SchemaMismatchError: no column has that name.
        """
        return self.table([name])[name]

    def table(self, names: Sequence[str]) -> pa.Table:
        """Columns of the rows as Arrow, N rows; null where a shard does not have one.

        What is no number, no truth and no `picture` is read from the row files, every one of the folder.

        Raises:
            SchemaMismatchError: no column has one of the names.
        """
        arrays = {name: self._array(name) for name in names}
        absent = [name for name, array in arrays.items() if array is None]
        if absent:
            shards = self.shards.tolist() or self._empty_shards()[:1]
            read = read_columns(self._with_rows(shards), shards, absent)
            arrays |= {name: read[name] for name in absent}
        return pa.table(arrays)

    def _array(self, name: str) -> pa.Array | None:
        """A column that the index holds; None for the others."""
        if name in self.scalars:
            return self.scalars[name].arrow()
        if name in COLUMN_ARRAYS:
            return pa.array(getattr(self, COLUMN_ARRAYS[name])).cast(self.schema.field(name).type)
        if name == "picture":
            sides = [field.name for field in PICTURE]
            return pa.StructArray.from_arrays([np.ascontiguousarray(side) for side in self.picture.T], sides)
        return None

    @cached_property
    def _first(self) -> LongArray:
        """The first clip of each of `shards`."""
        return np.searchsorted(self.shard, self.shards)

    def _place(self, i: int) -> tuple[int, int]:
        """Shard and row of clip i."""
        shard = int(self.shard[i])
        return shard, i - int(self._first[np.searchsorted(self.shards, shard)])

    @cached_property
    def _shard_rows(self) -> Any:  # noqa: ANN401 - functools' wrapper
        # A few shards are kept: neighbours are asked for together, and a shard's rows take megabytes.
        return lru_cache(maxsize=8)(lambda shard: read_rows(self._with_rows([shard]), shard))

    def _empty_shards(self) -> list[int]:
        """All shards, of an index without clips."""
        if isinstance(self.folder, Path):
            return committed_shards(self.folder)
        return [shard for name in self.folder.entries() if (shard := shard_of(name)) is not None]

    def _with_rows(self, shards: Sequence[int]) -> Path:
        """The folder of this machine where these shards' row files lie."""
        if isinstance(self.folder, RemoteFolder):
            # The copy may have been deleted meanwhile, as old files of a temporary folder are.
            header = read_header(self.copy / INDEX) or fetch_index(self.folder)[1]
            fetch_rows(self.folder, self.copy, header, shards)
        return self.copy


def open_index(folder: Folder) -> Index:
    """The index of a shard folder; made first when it is absent or older than the row files.

    In a folder that cannot be written to it is made in memory. That of remote shards is fetched, and never made.

    Raises:
        ShardError: the folder holds no finished shard; remote shards have no index, or a stale one.
        SchemaMismatchError: the rows are of another format version.
    """
    if isinstance(folder, RemoteFolder):
        return _open_remote(folder)
    header = read_header(folder / INDEX)
    if header is not None and header["rows"] == stamp(folder):
        # An array that is missing or cut short: damaged, or swapped by another process just now.
        with contextlib.suppress(*_DAMAGED):
            return _open(folder, header)
    return write_index(folder)


def _open_remote(folder: RemoteFolder) -> Index:
    copy, header = fetch_index(folder)
    try:
        return replace(_open(copy, header), folder=folder)
    except _DAMAGED:
        # A file of the copy was deleted, as old files of a temporary folder are.
        discard_entry(copy)
    copy, header = fetch_index(folder)
    return replace(_open(copy, header), folder=folder)


def is_fresh(folder: Path) -> bool:
    """Whether the index on disk is there and was made from the row files as they are.

    Raises:
        ShardError: the folder holds no finished shard.
    """
    header = read_header(folder / INDEX)
    return header is not None and header["rows"] == stamp(folder)


def write_index(folder: Path) -> Index:
    """Makes the index of a shard folder from its row files, in the stead of any that is there, and returns it."""
    header, arrays = _made(folder)
    try:
        _save(folder, header, arrays)
        with contextlib.suppress(ValueError):
            return _open(folder, header)
    except OSError as error:
        # A read-only folder, or another process that swaps its own index in at this moment.
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            raise
    return _index(folder, header, arrays)


def differing_files(folder: Path) -> list[str]:
    """Names of the files in `index/` that are not, byte for byte, what write_index would make of the rows now."""
    header, arrays = _made(folder)
    place = folder / INDEX
    differing = [f"{name}.npy" for name, array in arrays.items() if not _holds(place / f"{name}.npy", _npy_bytes(array))]
    found = read_header(place)
    # A copy of the folder has other times; a loader makes its index anew, and nothing is damaged.
    if found is None or untimed(found) != untimed(header):
        differing.append(HEADER)
    known = {HEADER, *(f"{name}.npy" for name in arrays)}
    return sorted([*differing, *(path.name for path in place.glob("*") if path.name not in known)])


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _npy_bytes(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _made(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of an index of the rows as they are."""
    rows = stamp(folder)
    parts = build_arrays(folder, committed_shards(folder))
    return header_of(parts, rows), parts.arrays


def _open(folder: Path, header: Mapping[str, Any]) -> Index:
    # An empty file cannot be mapped; reading it costs nothing.
    paths = {name: folder / INDEX / f"{name}.npy" for name in array_names(header)}
    arrays = {name: np.load(path, mmap_mode="r" if header["num_clips"] else None) for name, path in paths.items()}
    if read_header(folder / INDEX) != header:
        # Another process has swapped in an index of newer rows meanwhile: these arrays may be of either.
        msg = f"the index of '{folder}' has changed while it was opened"
        raise ValueError(msg)
    return _index(folder, header, arrays)


def _index(folder: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Index:
    members = {ext: MemberPlaces(**{part: arrays[f"{ext}.{part}"] for part in MEMBER_ARRAYS}) for ext in header["members"]}
    own = {name: arrays[name] for name in (*CLIP_ARRAYS, *FRAGMENT_ARRAYS)}
    return Index(
        folder=folder,
        copy=folder,
        digest=header["digest"],
        files=tuple(header["files"]),
        members=members,
        schema=from_names(header["columns"]),
        scalars=_scalars(header["scalars"], arrays),
        **own,
    )


def _scalars(names: Sequence[str], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Scalar]:
    columns = [name.removeprefix("column.") for name in names if name.startswith("column.")]
    return {name: Scalar(arrays[f"column.{name}"], arrays.get(f"null.{name}")) for name in columns}


def _save(folder: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes the index folder under a temporary name and swaps it for the old one."""
    new = folder / f"index.{uuid.uuid4().hex}.tmp"
    new.mkdir()
    try:
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array)
            sync_file(new / f"{name}.npy")
        (new / HEADER).write_text(json.dumps(header), encoding="utf-8")
        sync_file(new / HEADER)
        _swap(new, folder / INDEX)
        sync_folder(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, place: Path) -> None:
    """Moves the folder `new` to `place`. A folder cannot be renamed over another, so the old one steps aside first.

    The ranks of a training run may all do this at once: whoever finds the place taken again leaves the other's, which
    was made from the same rows.
    """
    old = new.with_name(f"index.{uuid.uuid4().hex}.tmp")
    with contextlib.suppress(FileNotFoundError):
        place.rename(old)
    shutil.rmtree(old, ignore_errors=True)
    try:
        new.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
