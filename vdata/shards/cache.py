"""The folder of this machine in which what was fetched from remote shards is kept: once for all processes, and for the next run.

An entry is a folder that appears whole, by rename. It may be deleted whenever no process uses it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vdata.errors import ConfigError
from vdata.shards.layout import sync_folder

__all__ = ["CACHE_VARIABLE", "NO_ROOM", "cache_root", "discard_entry", "entry", "telling_full_disk"]

CACHE_VARIABLE = "VDATA_CACHE"
"""Environment variable that names the folder; without it, `vdata-cache-UID` below TMPDIR."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def cache_root() -> Path:
    """The cache, made if need be.

    Raises:
        ConfigError: it cannot be made, or belongs to another user, who could change what is read from it.
    """
    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named) if named else Path(tempfile.gettempdir()) / f"vdata-cache-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = root.stat().st_uid
    except OSError as error:
        raise ConfigError(f"the cache '{root}' cannot be made: {error.strerror}; name another by {CACHE_VARIABLE}") from error
    if not named and owner != os.getuid():
        raise ConfigError(f"the cache '{root}' belongs to user {owner}: name a folder of your own by {CACHE_VARIABLE}")
    return root


def entry(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache. If it is not there, `fill` is given an empty folder that becomes it.

    Of several processes that ask at once one fills, and the others wait.

    Raises:
        ConfigError: as cache_root, or the disk is full.
    """
    place = cache_root() / name
    if place.is_dir():
        return place
    with telling_full_disk(), _locked(place.with_name(f"{name}.lock")):
        if not place.is_dir():
            _fill(place, fill)
    return place


def discard_entry(place: Path) -> None:
    """Takes an entry out of the cache, whole or in parts as it is."""
    gone = place.with_name(f"{place.name}.{uuid.uuid4().hex}.tmp")
    try:
        place.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def telling_full_disk() -> Iterator[None]:
    """Words a full disk.

    Raises:
        ConfigError: within the block, the disk of the cache was full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise ConfigError(f"no room in the cache '{cache_root()}': name a folder that has room by {CACHE_VARIABLE}") from error


def _fill(place: Path, fill: Callable[[Path], None]) -> None:
    for left in place.parent.glob(f"{place.name}.*.tmp"):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed: the lock is ours
    work = place.with_name(f"{place.name}.{uuid.uuid4().hex}.tmp")
    work.mkdir()
    try:
        fill(work)
        work.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        # Where there are no locks, another process may have been first, with the same content.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not place.is_dir():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that ends with the process, however that ends; none on a file system without locks."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)
