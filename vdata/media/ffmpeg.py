"""The ffmpeg binary as a child process: the only place where untrusted bytes are read.

A child reads one open file and nothing else: it is handed a descriptor, so that neither a name nor a playlist under a video's
name means anything to it. It cannot outlive its parent, and has limits of CPU time, clock time and memory. Nothing is ever
passed through a shell.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import IO, Any, Self, cast

import imageio_ffmpeg

from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.source import SourceFile

__all__ = ["INPUT", "Child", "SidePipe", "binary", "running", "tail", "version"]

INPUT: dict[str, str | int] = {"filename": "fd:", "protocol_whitelist": "fd", "fd": 0}
"""The input that `running` provides, as ffmpeg-python's `input` takes it."""

TAIL_BYTES = 2000
"""How much of ffmpeg's last words an error row keeps."""
WORDS_BYTES = 2**16
"""How much is read of each end of its words; a damaged film can fill gigabytes."""
PR_SET_PDEATHSIG = 1
_BECOME = """[ "$PPID" = "$1" ] && ulimit -v "$2" && ulimit -t "$3" && ulimit -c 0 && shift 3 && exec "$@\""""
"""A parent that died before the signal was asked for is another one by now. Soft and hard limits alike: ffmpeg catches the
signal of a soft limit of CPU time and ends as if all were well."""
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_LIBC = ctypes.CDLL(None, use_errno=True)


@cache
def binary() -> str:
    """Path of the ffmpeg that is run: VDATA_FFMPEG, or the one inside the imageio-ffmpeg wheel."""
    return os.environ.get("VDATA_FFMPEG") or imageio_ffmpeg.get_ffmpeg_exe()


@cache
def version() -> str:
    """The version that ffmpeg prints of itself, such as "9.0.2-static"."""
    words = subprocess.run([binary(), "-version"], capture_output=True, text=True, check=True).stdout.split()
    return words[2]


class Child:
    """A running ffmpeg: its output as a stream; once it has ended, its exit status and its last words."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: IO[bytes], log: IO[bytes]) -> None:
        """Wraps a process that writes to the pipe `stdout`, and its words to the file `log`."""
        self._process, self._log = process, log
        self.stdout = stdout
        self.status = 0
        """Exit status; negative is the signal that ended it. Known after the `running` block."""
        self.words = ""
        """All that ffmpeg wrote to its error output. Known after the `running` block."""
        self.cpu_seconds = 0.0
        """CPU time that it used. Known after the `running` block."""
        self.timed_out = False

    def has_spoken(self) -> bool:
        """Whether it has written anything to its error output so far."""
        return os.fstat(self._log.fileno()).st_size > 0

    def expire(self) -> None:
        """Ends the process because its time on the clock is up."""
        self.timed_out = True
        self._process.kill()


class SidePipe:
    """A pipe for a second output of a child, beside its `stdout`; closed when the block is left."""

    def __init__(self) -> None:
        """Opens both ends."""
        reader, self.writer = os.pipe()
        self.stream: IO[bytes] = os.fdopen(reader, "rb", buffering=0)
        """What the child writes."""

    @property
    def url(self) -> str:
        """The output as ffmpeg names it."""
        return f"pipe:{self.writer}"

    def close_writer(self) -> None:
        """Leaves the writing end to the child alone, so that the stream ends when the child does."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes what is still open."""
        self.close_writer()
        self.stream.close()


@contextmanager
def running(
    arguments: Sequence[str], limits: LimitConfig, source: SourceFile | None = None, side: SidePipe | None = None
) -> Iterator[Child]:
    """A child ffmpeg with its limits, killed if the block is left before it ends. `source` is the file behind INPUT.

    A child with a `side` pipe waits where either of its outputs is full: read both (vdata/media/fragments.py).

    Raises:
        MediaError: a limit ended it (`timeout`, `memory`); retryable.
    """
    if source:
        # The child shares the file's position, and an earlier one has moved it.
        source.file.seek(0)
    with (
        tempfile.TemporaryFile() as log,
        _start(arguments, limits, source.file if source else subprocess.DEVNULL, log, side) as process,
    ):
        if side:
            side.close_writer()
        child = Child(process, cast("IO[bytes]", process.stdout), log)
        used_before = _children_seconds()
        timer = threading.Timer(limits.wall_seconds, child.expire)
        timer.daemon = True
        timer.start()
        try:
            yield child
            child.status = process.wait()
            child.cpu_seconds = _children_seconds() - used_before
        finally:
            timer.cancel()
            process.kill()
        child.words = _both_ends(log)
    _raise_for_limits(child, limits)


def tail(words: str) -> str:
    """The end of ffmpeg's words, short enough for an error row; without addresses, which are others in every run."""
    return _ADDRESS.sub("", words).strip()[-TAIL_BYTES:]


def _start(
    arguments: Sequence[str], limits: LimitConfig, stdin: IO[bytes] | int, log: IO[bytes], side: SidePipe | None
) -> subprocess.Popen[bytes]:
    """A started ffmpeg that dies with its parent, and has its limits before it reads a byte."""
    command = [binary(), "-hide_banner", "-nostdin", *arguments]
    pipes: dict[str, Any] = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": log}
    pipes["pass_fds"] = (side.writer,) if side else ()
    parent = os.getpid()
    memory_bytes = _within(resource.RLIMIT_AS, int(limits.memory_gib * 2**30))
    cpu_seconds = _within(resource.RLIMIT_CPU, limits.cpu_seconds)
    if (wrapper := _wrapper()) is None:
        hook = _limiter(memory_bytes, cpu_seconds, parent)
        return subprocess.Popen(command, preexec_fn=hook, **pipes)  # noqa: PLW1509 - system calls, prepared before the fork
    words = (str(parent), str(memory_bytes // 1024), str(cpu_seconds))
    return subprocess.Popen([*wrapper, *words, *command], **pipes)


@cache
def _wrapper() -> tuple[str, ...] | None:
    """A command that dies with its parent, limits itself and becomes the command in its arguments; None without setpriv.

    Python can do the same between fork and exec, but then it has to fork the whole worker: 9.4 ms of CPU in a process of 150 MB,
    against 1.9 ms for this. The script is constant, and what it starts are its arguments: no shell reads a word of them.
    """
    setpriv, shell = shutil.which("setpriv"), shutil.which("sh")
    if setpriv is None or shell is None:
        return None
    dies = (setpriv, "--pdeathsig", "KILL")
    # The one of busybox does not know the option.
    tried = subprocess.run([*dies, shell, "-c", ":"], stderr=subprocess.DEVNULL, check=False)
    return None if tried.returncode else (*dies, shell, "-c", _BECOME, "vdata")


def _within(limit: int, wanted: int) -> int:
    """The wanted value of a limit, or the one that this process has been given: no process may raise it."""
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _limiter(memory_bytes: int, cpu_seconds: int, parent: int) -> Callable[[], None]:
    """The same as a function for a forked child."""
    prctl, getppid, setrlimit = _LIBC.prctl, os.getppid, resource.setrlimit

    def limit() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if getppid() != parent:
            os._exit(1)
        setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _children_seconds() -> float:
    """CPU time of all children that have been waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _raise_for_limits(child: Child, limits: LimitConfig) -> None:
    killed = child.status == -signal.SIGKILL
    if child.timed_out or (killed and child.cpu_seconds >= limits.cpu_seconds - 1):
        spent = f"{limits.wall_seconds} s on the clock" if child.timed_out else f"{limits.cpu_seconds} s of CPU time"
        message = f"ffmpeg was ended after {spent}; raise limit.cpu_seconds or limit.wall_seconds"
        raise MediaError("timeout", message, tail(child.words), retryable=True)
    if killed or (child.status and "Cannot allocate memory" in child.words):
        who = "the machine had none left" if killed else f"it asked for more than limit.memory_gib ({limits.memory_gib})"
        raise MediaError("memory", f"ffmpeg ran out of memory: {who}", tail(child.words), retryable=True)


def _both_ends(log: IO[bytes]) -> str:
    """The beginning and the end of a long log, the whole of a short one."""
    size = log.seek(0, os.SEEK_END)
    log.seek(0)
    words = log.read(WORDS_BYTES)
    if size > WORDS_BYTES:
        log.seek(max(WORDS_BYTES, size - WORDS_BYTES))
        words += log.read()
    return words.decode("utf-8", "replace")
