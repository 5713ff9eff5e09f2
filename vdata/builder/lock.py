"""Who may write to a shard folder: one build at a time, and of its commits one at a time.

The locks end with the process that holds them, however that ends. A file system whose locks reach over machines (NFS 4, Lustre
with flock) guards a folder against builds on other machines too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vdata.errors import BuildFailedError, ConfigError

__all__ = ["committing", "sole_build"]

BUILD_LOCK, COMMIT_LOCK = ".build.lock", ".commit.lock"


@contextmanager
def sole_build(folder: Path) -> Iterator[str]:
    """Holds the folder, made if need be, for one build, and gives the run's own name for `committing`.

    Raises:
        ConfigError: another build holds it, it cannot be made, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / BUILD_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"--out ('{folder}') cannot be written: {error.strerror}; give another folder") from error
    try:
        _lock(descriptor, folder)
        run = uuid.uuid4().hex
        # A worker of an earlier run that is still alive finishes its renames first, or finds that its run is over.
        with _commit_lock(folder):
            content = json.dumps({"run": run, "pid": os.getpid(), "host": socket.gethostname()}).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
        yield run
    finally:
        os.close(descriptor)


@contextmanager
def committing(folder: Path, run: str) -> Iterator[None]:
    """Holds the folder for the renames of one commit of the run `run`.

    Raises:
        BuildFailedError: another run has taken the folder over since: this worker was left behind, and must not commit.
    """
    with _commit_lock(folder):
        if run and _holder(folder).get("run") != run:
            raise BuildFailedError(f"another run has taken '{folder}' over: this one must not commit to it")
        yield


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _holder(folder)
        who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
        raise ConfigError(f"'{folder}' is being built by {who}: wait for it, or give another --out") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        raise ConfigError(
            f"the file system of '{folder}' has no locks ({error.strerror}), which keep two builds apart: "
            "mount it with locks (Lustre: flock), or give an --out elsewhere"
        ) from error


@contextmanager
def _commit_lock(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / COMMIT_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _holder(folder: Path) -> dict[str, str]:
    """What the present or last run wrote of itself; empty where nothing can be read."""
    try:
        holder: dict[str, str] = json.loads((folder / BUILD_LOCK).read_bytes())
    except (OSError, ValueError):
        return {}
    return holder
