"""One remote source into an unlinked temporary file: ffmpeg must be able to seek in it, and must not reach the network.

A file without a name is gone when the last process that has it open ends, however that ends: nothing is left behind, not even by
kill -9.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from vdata.errors import MediaError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.remote import Reading, RemoteObject, as_media_error, is_final, network_errors

__all__ = ["download"]

PAUSES = (1.0, 5.0)
"""Seconds before the second and the third try."""
PIECE_BYTES = 8 * 2**20
"""The most that is held in memory, and what one request to an object store asks for."""


def download(item: RemoteObject, limits: LimitConfig, num_bytes: int = -1, stopped: threading.Event | None = None) -> IO[bytes]:
    """The whole of a remote source as an open, seekable file without a name.

    Args:
        item: what is read.
        limits: its size (`max_bytes`), the time for all tries together (`wall_seconds`).
        num_bytes: its size as the listing told it; -1 where that did not.
        stopped: set by another thread to end the download soon.

    Raises:
        OpenError: `missing`; `too_large`, before a byte is asked for if the listing tells the size; `changed` since the listing.
        MediaError: `download` after the last try, or `disk`; retryable.
    """
    _check_size(item, num_bytes, limits)
    with ExitStack() as until_done:
        with _disk_errors(item):
            file = until_done.enter_context(tempfile.TemporaryFile(prefix="vdata-"))
        _Download(item, limits, num_bytes, file, stopped or threading.Event()).run()
        until_done.pop_all()
    file.seek(0)
    return file


class _Download:
    """The tries to fill one file."""

    def __init__(
        self, item: RemoteObject, limits: LimitConfig, num_bytes: int, file: IO[bytes], stopped: threading.Event
    ) -> None:
        self._item, self._limits, self._listed_bytes, self._file, self._stopped = item, limits, num_bytes, file, stopped
        self._deadline = time.monotonic() + limits.wall_seconds
        self._mark, self._num_bytes = "", -1
        """Of the content that the file holds the beginning of."""

    def run(self) -> None:
        for pause in (*PAUSES, None):
            try:
                self._try()
            except network_errors() as error:
                if pause is None or is_final(error):
                    raise as_media_error(error, self._item.name) from None
                self._stopped.wait(pause)
            else:
                return

    def _try(self) -> None:
        self._check_time()
        with self._item.open(self._file.tell(), self._mark) as reading:
            self._check_answer(reading)
            self._mark, self._num_bytes = reading.mark, reading.num_bytes
            self._file.seek(reading.start)
            self._file.truncate()
            while piece := reading.read(PIECE_BYTES):
                self._check_time()
                with _disk_errors(self._item):
                    self._file.write(piece)
                _check_size(self._item, self._file.tell(), self._limits)
            with _disk_errors(self._item):
                self._file.flush()
            if reading.num_bytes >= 0 and self._file.tell() != reading.num_bytes:
                raise EOFError(f"the connection ended after {self._file.tell()} of {reading.num_bytes} bytes")
        self._check_listed(self._file.tell())

    def _check_answer(self, reading: Reading) -> None:
        if reading.start and reading.num_bytes != self._num_bytes:
            self._mark = ""
            raise ConnectionError(f"what the server calls the same has {reading.num_bytes} bytes, not {self._num_bytes}")
        if reading.num_bytes >= 0:
            self._check_listed(reading.num_bytes)
            _check_size(self._item, reading.num_bytes, self._limits)
            with _disk_errors(self._item):
                _check_room(self._file, reading.num_bytes)

    def _check_listed(self, num_bytes: int) -> None:
        if self._listed_bytes not in (-1, num_bytes):
            told = f"'{self._item.name}' has {num_bytes} bytes, and had {self._listed_bytes} when it was listed"
            raise OpenError("changed", f"{told}; build into a new --out, or put the old one back")

    def _check_time(self) -> None:
        if self._stopped.is_set():
            raise MediaError("download", f"'{self._item.name}' is no longer wanted", retryable=True)
        if time.monotonic() > self._deadline:
            spent = f"{self._limits.wall_seconds} s"
            message = f"'{self._item.name}' cannot be downloaded in {spent}; raise limit.wall_seconds"
            raise MediaError("download", message, retryable=True)


@contextmanager
def _disk_errors(item: RemoteObject) -> Iterator[None]:
    """Words what goes wrong with the temporary file, which is not the server's fault."""
    try:
        yield
    except OSError as error:
        where = f"'{tempfile.tempdir}'" if tempfile.tempdir else "any temporary folder"
        message = f"no room for '{item.name}' in {where}: {error.strerror}; set TMPDIR to a folder that has room"
        raise MediaError("disk", message, retryable=True) from error


def _check_room(file: IO[bytes], num_bytes: int) -> None:
    """Nothing, or the error that a write would meet after hours."""
    disk = os.fstatvfs(file.fileno())
    if num_bytes - os.fstat(file.fileno()).st_size > disk.f_bavail * disk.f_frsize:
        raise OSError(0, f"{num_bytes / 1e9:.1f} GB are needed, {disk.f_bavail * disk.f_frsize / 1e9:.1f} GB are free")


def _check_size(item: RemoteObject, num_bytes: int, limits: LimitConfig) -> None:
    if num_bytes > limits.max_bytes:
        raise OpenError("too_large", f"'{item.name}' has {num_bytes} bytes or more, limit.max_bytes allows {limits.max_bytes}")
