"""Bytes of windows: positioned reads of a clip's init and of the fragments that a window needs.

No decoding, and no parsing of tar or Parquet: the index says where an MP4 lies in either.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.clips import Clips
from vdata.errors import CorruptShardError

__all__ = ["Encoded", "Reader"]

_OPEN_FILES = 256
"""Files kept open: a quarter of the usual limit of a process."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A part of a clip's MP4: its init and some of its fragments, ascending."""

    init: bytes
    fragments: tuple[bytes, ...]
    first_frames: tuple[int, ...]
    """The first frame of each fragment, counted in the whole clip."""


class Reader:
    """Reads parts of clips; any number of threads may share one."""

    def __init__(self, clips: Clips) -> None:
        """Opens no file yet."""
        self._clips = clips
        self._file = lru_cache(maxsize=_OPEN_FILES)(_File)

    def read(self, clip: int, frames: npt.NDArray[np.int64]) -> Encoded:
        """The fragments of clip number `clip` that hold any of `frames`.

        Raises:
            CorruptShardError: the file is absent or ends before the fragment does.
        """
        clips = self._clips
        first, end = int(clips.fragment_start[clip]), int(clips.fragment_start[clip + 1])
        begins = clips.fragment_frame[first:end]
        wanted = np.unique(np.searchsorted(begins, frames, "right") - 1)
        offset, size = clips.fragment_offset[first:end][wanted], clips.fragment_size[first:end][wanted]
        path, start = clips.mp4_path(clip), int(clips.mp4_offset[clip])
        try:
            file = self._file(path)
            init = file.read(start, int(clips.init_size[clip]))
            fragments = _read_runs(file, start + offset, size)
        except OSError as error:
            raise CorruptShardError(f"'{path}' cannot be read: {error}; `vdata verify` checks the whole folder") from error
        return Encoded(init, fragments, tuple(begins[wanted].tolist()))


def _read_runs(file: _File, offset: npt.NDArray[np.int64], size: npt.NDArray[np.int64]) -> tuple[bytes, ...]:
    """The byte ranges, with one read for all that lie behind one another."""
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + size[:-1]) + 1
    fragments: list[bytes] = []
    for run in np.split(np.arange(len(offset)), breaks):
        begin = int(offset[run[0]])
        data = file.read(begin, int(size[run].sum()))
        cuts = (offset[run] - begin).tolist()
        fragments += [data[cut : cut + length] for cut, length in zip(cuts, size[run].tolist(), strict=True)]
    return tuple(fragments)


class _File:
    """An open file that closes when the last reader lets go of it, not when the cache does."""

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise OSError(f"it ends at byte {offset + len(data)}, before byte {offset + size}")
        return data
