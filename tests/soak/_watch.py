"""Witnesses of what a build does outside its output: files opened, files changed, connections made, processes left."""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Listener", "OpenWatch", "Process", "eventually", "processes", "snapshot"]

_IN_ACCESS, _IN_MODIFY, _IN_OPEN = 0x1, 0x2, 0x20
_EVENT = struct.Struct("iIII")
_LIBC = ctypes.CDLL(None, use_errno=True)


class OpenWatch:
    """Says which of some files any process has opened, read or written since."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._descriptor = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._paths: dict[int, Path] = {}
        for path in paths:
            watch = _LIBC.inotify_add_watch(self._descriptor, os.fsencode(path), _IN_ACCESS | _IN_MODIFY | _IN_OPEN)
            if watch < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
            self._paths[watch] = path

    def touched(self) -> set[Path]:
        """The files that were touched since the last call."""
        found = set()
        while True:
            try:
                events = os.read(self._descriptor, 2**16)
            except BlockingIOError:
                return found
            place = 0
            while place < len(events):
                watch, _, _, length = _EVENT.unpack_from(events, place)
                found.add(self._paths[watch])
                place += _EVENT.size + length

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)


class Listener:
    """A server on this machine that counts those who knock: over TCP, and datagrams to the same port."""

    def __init__(self) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._udp.setblocking(False)
        self._knocks = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def knocks(self) -> int:
        """Connections and datagrams so far."""
        try:
            while self._udp.recv(65536) is not None:
                self._knocks += 1
        except BlockingIOError:
            return self._knocks

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            self._knocks += 1
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Without shutdown the thread would wait in accept for ever, on a descriptor that is somebody else's by then.
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        self._udp.close()
        self._thread.join()


def snapshot(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """What lies below a folder: kind, permissions, size, time of change and content of every entry; nothing special is opened."""
    return {path: _facts(path) for path in _entries(os.fsencode(folder))}


def _entries(folder: bytes) -> Iterable[bytes]:
    for place, folders, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in [*folders, *files])  # noqa: PTH118 - names of any bytes


def _facts(path: bytes) -> tuple[object, ...]:
    status = os.lstat(path)
    facts = (status.st_mode, status.st_uid, status.st_gid)
    if stat.S_ISDIR(status.st_mode):
        # Its time says that something was made and removed in it.
        return (*facts, status.st_mtime_ns)
    if stat.S_ISLNK(status.st_mode):
        return (*facts, os.readlink(path))  # noqa: PTH115 - names of any bytes
    if not stat.S_ISREG(status.st_mode):
        return facts
    with open(path, "rb") as file:  # noqa: PTH123 - names of any bytes
        start = hashlib.sha256(file.read(2**22)).digest()
    return (*facts, status.st_size, status.st_mtime_ns, start)


@dataclass(frozen=True, slots=True)
class Process:
    """One line of a process list."""

    pid: int
    parent: int
    title: str

    @property
    def is_ffmpeg(self) -> bool:
        """Whether it is an ffmpeg by the name of its program."""
        return "ffmpeg" in os.path.basename(self.title.split(" ", 1)[0])  # noqa: PTH119 - a title is no path


def processes(inside: Path) -> list[Process]:
    """The living processes that work in a folder: all descendants of a build that was started there.

    By their working folder, since Ray's workers write a title over their command line and their environment.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                place = (entry / "cwd").readlink()
                state, parent, *_ = (entry / "stat").read_text().rpartition(") ")[2].split()
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            except OSError:
                continue  # it has ended since it was listed, or is a zombie
            if place.is_relative_to(inside) and state != "Z":
                found.append(Process(int(entry.name), int(parent), title))
    return found


def eventually(question: Callable[[], object], seconds: float) -> bool:
    """Whether the answer is true within so many seconds."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
