"""Ray, started for one build on this machine or joined where a cluster runs. Nothing of ours is left of it afterwards."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vdata.builder.config import RunConfig

__all__ = ["connected"]

LONGEST_TMPDIR = 24
"""Bytes; Ray adds about 75 of its own."""
OBJECT_STORE_BYTES = 100 * 2**20
"""Ray's smallest is 75 MiB. Orders and tallies are all that travels: clips never pass through the object store."""
_PREFIX = "vdata-ray-"
_YOUNG_SECONDS = 60


@contextmanager
def connected(run: RunConfig) -> Iterator[Callable[[], int]]:
    """How many tasks to keep in flight, while Ray is connected; a Ray of our own ends with the block, folder and all."""
    import ray  # noqa: PLC0415 - an extra, and a second to import

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if run.address:
        with _own_signals():
            ray.init(address=run.address, logging_level=logging.ERROR, log_to_driver=False)
        try:
            # Asked again and again: a cluster grows and shrinks.
            yield lambda: run.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        finally:
            ray.shutdown()
        return
    with _scratch() as scratch, _token():
        try:
            with _own_signals():
                ray.init(
                    address="local",
                    num_cpus=run.num_workers,
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    _temp_dir=str(scratch),
                )
            # One more than there are workers, so that none waits for the driver: Ray runs no more than it has CPUs.
            yield lambda: run.num_workers + 1
        finally:
            ray.shutdown()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for a Ray of our own; those of builds that were killed are removed first."""
    # Ray's sockets live below it, and a socket's path holds 107 bytes: a batch system's TMPDIR may be too long.
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) <= LONGEST_TMPDIR else "/tmp")  # noqa: S108
    for folder in place.glob(f"{_PREFIX}*"):
        _remove_if_left(folder)
    scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    # Held by this process alone, for the next build to see that it lives.
    descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield scratch
    finally:
        os.close(descriptor)
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    """Removes the folder of a process that has died; one that was made just now may not be locked yet."""
    # Another user's folder, or one that another build removes at this moment.
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


@contextmanager
def _token() -> Iterator[None]:
    """A token for a Ray of our own. Ray 2.60 asks for one, and writes it into the user's home where it finds none.

    With a token ray.init turns authentication on in the environment; left so, no Ray could be started or joined afterwards.
    """
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE")}
    if not (before["RAY_AUTH_TOKEN"] or (Path.home() / ".ray" / "auth_token").exists()):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps the handler of SIGTERM over ray.init, which puts its own in place: one that exits without a word."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:
        if not callable(handler):
            raise
        handler(signal.SIGTERM, None)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
