"""Which video a task is at, on the disk: it outlives a worker that dies, and tells which video killed it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from vdata.shards.layout import TEMPORARY, shard_name

__all__ = ["Journal", "last_video"]


class Journal:
    """A small file below .tmp; removed when its task ends in any way but by dying."""

    def __init__(self, folder: Path, shard: int) -> None:
        """Starts the journal of one shard's task."""
        self._path = _path(folder, shard)
        self._path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def note(self, video_index: int) -> None:
        """Says that the work on a video begins."""
        os.pwrite(self._descriptor, f"{video_index:20d}".encode(), 0)

    def __enter__(self) -> Self:
        """The journal."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Removes it."""
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


def last_video(folder: Path, shard: int) -> int | None:
    """The index of the video that a task was at when its worker died; None where it had not begun one."""
    try:
        return int(_path(folder, shard).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _path(folder: Path, shard: int) -> Path:
    return folder / TEMPORARY / f"{shard_name(shard)}.at"
