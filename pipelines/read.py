"""Bytes of windows: positioned reads of a clip's init and of the fragments that a window needs.

No decoding, and no parsing of tar or Parquet: the index says where an MP4 lies in either. On another machine (`s3://...`) a read
is a request, so that what lies close together is read at once; see `_FAR`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.clips import Clips
from vdata.errors import CorruptShardError, ShardError
from vdata.shards.index import Mp4Place
from vdata.shards.remote import RemoteFile

__all__ = ["Encoded", "Reader", "Traffic", "joined_spans"]

_OPEN_FILES = 256
"""Files kept open: a quarter of the usual limit of a process."""
_FAR = 256 * 1024
"""Bytes between two ranges of a remote file from which on they are two requests, not one.

A request costs s3fs 2.7 ms of CPU whatever its size up to 512 KiB (one core, localhost, November 2026); a 1 Gb/s line
carries 256 KiB in 2 ms. Windows of 16 frames, stride 4, in real clips of 1 to 12 s (352 kB on average): 1.14 requests and 191 kB
with this, 1.71 and 144 kB if nothing is joined, 1.00 and 249 kB if all is.
"""
_REQUESTS_AHEAD = 16
"""Requests under way at a time: at 2.7 ms each they keep one core busy up to an answer time of 43 ms."""
_MOST_AHEAD = 1024
"""Samples that may be fetched and not read yet; the oldest are let go, as those of an epoch that was left."""
_MOST_INITS = 4096
"""Different inits that are kept. Clips of one build that have the same size and rate have the same one."""

Longs = npt.NDArray[np.int64]
Span = tuple[int, int]
"""First byte, and the byte behind the last."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A part of a clip's MP4: its init and some of its fragments, ascending."""

    init: bytes
    fragments: tuple[bytes, ...]
    first_frames: tuple[int, ...]
    """The first frame of each fragment, counted in the whole clip."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was read so far."""

    num_bytes: int
    num_requests: int
    """Reads of a local file, or requests to a server."""


class Reader:
    """Reads parts of clips; any number of threads may share one."""

    def __init__(self, clips: Clips) -> None:
        """Opens no file yet."""
        self._clips = clips
        self._open = lru_cache(maxsize=_OPEN_FILES)(_LocalFile)
        self._inits = _Inits(len(clips))
        self._tally = _Tally()
        self._coming: dict[tuple[int, bytes], Future[Encoded]] = {}
        self._lock = threading.Lock()

    def read(self, clip: int, frames: Longs) -> Encoded:
        """The fragments of clip number `clip` that hold any of `frames`.

        Raises:
            CorruptShardError: the file is absent or ends before the fragment does; names it and the key.
            ShardError: a server cannot be reached.
        """
        place = self._clips.mp4_place(clip)
        wanted = _holding(place, frames)
        if self._coming:
            with self._lock:
                coming = self._coming.pop((clip, wanted.tobytes()), None)
            if coming is not None:
                return coming.result()
        return self._read(clip, place, wanted)

    def ahead(self, clip: int, frames: Longs) -> None:
        """Begins to fetch what a later `read` of these frames returns, if that means to wait for a server; else nothing."""
        place = self._clips.mp4_place(clip)
        if not isinstance(place.file, RemoteFile):
            return
        wanted = _holding(place, frames)
        with self._lock:
            key = clip, wanted.tobytes()
            if key not in self._coming:
                self._coming[key] = self._pool.submit(self._read, clip, place, wanted)
            if len(self._coming) > _MOST_AHEAD:
                self._coming.pop(next(iter(self._coming))).cancel()

    def range(self, file: Path | RemoteFile, offset: int, size: int) -> bytes:
        """Bytes of a file that holds members.

        Raises:
            CorruptShardError: the file is absent or ends before.
            ShardError: a server cannot be reached.
        """
        try:
            return self._parts(file, [(offset, offset + size)])[0]
        except OSError as error:
            raise CorruptShardError(f"'{file}' cannot be read: {error}; {_way_out(file)}") from error

    @property
    def traffic(self) -> Traffic:
        """What all threads have read so far."""
        return self._tally.total()

    def close(self) -> None:
        """Gives up what is fetched ahead, and closes the files that no reader holds."""
        with self._lock:
            for coming in self._coming.values():
                coming.cancel()
            self._coming.clear()
        self._open.cache_clear()

    def _read(self, clip: int, place: Mp4Place, wanted: Longs) -> Encoded:
        begins = (place.fragment_offset[wanted] + place.offset).tolist()
        spans = [(begin, begin + size) for begin, size in zip(begins, place.fragment_size[wanted].tolist(), strict=True)]
        remote = isinstance(place.file, RemoteFile)
        known = self._inits.get(clip) if remote else None
        try:
            parts = self._parts(place.file, spans if known else [(place.offset, place.offset + place.init_size), *spans])
        except OSError as error:
            raise self._unreadable(clip, place.file, error) from error
        init = known or parts.pop(0)
        if remote and not known:
            self._inits.put(clip, init)
        return Encoded(init, tuple(parts), tuple(place.fragment_frame[wanted].tolist()))

    def _parts(self, file: Path | RemoteFile, spans: Sequence[Span]) -> list[bytes]:
        """The bytes of each of the spans, which ascend."""
        source: _Source = file if isinstance(file, RemoteFile) else self._open(file)
        runs = joined_spans(spans, _FAR if isinstance(file, RemoteFile) else 0)
        reads = [(run[0][0], run[-1][1]) for run in runs]
        self._tally.add(sum(end - begin for begin, end in reads), len(reads))
        found = source.read_ranges(reads)
        return [
            data[begin - first : end - first]
            for run, (first, _), data in zip(runs, reads, found, strict=True)
            for begin, end in run
        ]

    def _unreadable(self, clip: int, file: Path | RemoteFile, error: OSError) -> CorruptShardError:
        try:
            key = self._clips.key(clip)
        except ShardError:
            key = f"number {clip} of the index"
        return CorruptShardError(f"'{file}' cannot be read for clip '{key}': {error}; {_way_out(file)}")

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(_REQUESTS_AHEAD, thread_name_prefix="vdata-fetch")
        weakref.finalize(self, pool.shutdown, wait=False, cancel_futures=True)
        return pool


def _holding(place: Mp4Place, frames: Longs) -> Longs:
    """The numbers of the fragments that hold any of the frames, ascending."""
    return np.unique(np.searchsorted(place.fragment_frame, frames, "right") - 1)


def joined_spans(spans: Sequence[Span], far: int) -> list[list[Span]]:
    """The spans, which ascend, in runs that are read at once: within a run no gap is over `far` bytes."""
    runs: list[list[Span]] = []
    for span in spans:
        if runs and span[0] - runs[-1][-1][1] <= far:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _way_out(file: Path | RemoteFile) -> str:
    if isinstance(file, RemoteFile):
        return "copy it there again, or see with `vdata verify` what of it is left"
    return "`vdata verify` checks the whole folder"


class _Source(Protocol):
    def read_ranges(self, ranges: Sequence[Span]) -> list[bytes]:
        """The bytes of each range; an OSError if the file ends before."""


class _LocalFile:
    """An open file that closes when the last reader lets go of it, not when the cache does."""

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_ranges(self, ranges: Sequence[Span]) -> list[bytes]:
        return [self._read(begin, end) for begin, end in ranges]

    def _read(self, begin: int, end: int) -> bytes:
        data = os.pread(self._descriptor, end - begin, begin)
        if len(data) != end - begin:
            raise OSError(f"it ends at byte {os.fstat(self._descriptor).st_size}, before byte {end}")
        return data


class _Inits:
    """The inits of clips met before: four bytes a clip, and each different init once.

    From the second time on, a window deep within a remote clip is one request for its own bytes.
    """

    def __init__(self, num_clips: int) -> None:
        self._number = np.zeros(num_clips, np.int32)
        self._inits: list[bytes] = [b""]
        self._known: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def get(self, clip: int) -> bytes:
        """Empty if it is not known."""
        return self._inits[int(self._number[clip])]

    def put(self, clip: int, init: bytes) -> None:
        with self._lock:
            if init not in self._known and len(self._inits) <= _MOST_INITS:
                self._known[init] = len(self._inits)
                self._inits.append(init)
            self._number[clip] = self._known.get(init, 0)


class _Tally:
    """Sums that each thread keeps for itself: adding to shared ones would need a lock, or lose some."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[list[int]] = []

    def add(self, num_bytes: int, num_requests: int) -> None:
        sums: list[int] | None = getattr(self._own, "sums", None)
        if sums is None:
            self._own.sums = sums = [0, 0]
            self._all.append(sums)
        sums[0] += num_bytes
        sums[1] += num_requests

    def total(self) -> Traffic:
        sums = list(self._all)
        return Traffic(sum(one[0] for one in sums), sum(one[1] for one in sums))
