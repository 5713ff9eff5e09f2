"""Orders on Ray: a Ray of our own on this machine, or a cluster that is joined; a bounded number of tasks in flight."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vdata.builder.config import RunConfig
from vdata.builder.task import Order, Tally, build_shard
from vdata.errors import MissingExtraError
from vdata.shards.layout import shard_name

__all__ = ["run_orders"]

LONGEST_TMPDIR = 24
"""Bytes; Ray adds about 75 of its own."""
OBJECT_STORE_BYTES = 100 * 2**20
"""Ray's smallest is 75 MiB. Orders and tallies are all that travels: clips never pass through the object store."""


def run_orders(orders: Sequence[Order], run: RunConfig) -> Iterator[tuple[Order, Tally]]:
    """Each order with its tally, as they are finished.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    if not orders:
        return
    try:
        import ray  # noqa: PLC0415 - an extra, and a second to import
    except ImportError as error:
        raise MissingExtraError("building", "ray", "pip install '.[build]' in vdata's checkout") from error
    with _connected(run) as num_workers:
        # max_retries: a worker process that died is tried again; an exception of our own is not.
        remote = ray.remote(num_cpus=1, max_retries=3)(build_shard)
        waiting = list(reversed(orders))
        flying: dict[ray.ObjectRef, Order] = {}
        while waiting or flying:
            while waiting and len(flying) < num_workers:
                order = waiting.pop()
                name = f"{order.folder.name}/{shard_name(order.shard)}"
                flying[remote.options(name=name).remote(order)] = order
            for done in ray.wait(list(flying), num_returns=1)[0]:
                yield flying.pop(done), ray.get(done)


@contextmanager
def _connected(run: RunConfig) -> Iterator[int]:
    """The number of tasks to keep in flight, while Ray is connected; a Ray of our own ends with the block, folder and all."""
    import ray  # noqa: PLC0415 - see run_orders

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if run.address:
        ray.init(address=run.address, logging_level=logging.WARNING)
        try:
            yield run.workers or int(ray.cluster_resources().get("CPU", 1))
        finally:
            ray.shutdown()
        return
    # Ray's sockets live below this folder, and a socket's path holds 107 bytes: a batch system's TMPDIR may be too long.
    usual = tempfile.gettempdir()
    scratch = tempfile.mkdtemp(prefix="vdata-ray-", dir=usual if len(usual) <= LONGEST_TMPDIR else "/tmp")  # noqa: S108
    try:
        ray.init(
            address="local",
            num_cpus=run.num_workers,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            logging_level=logging.ERROR,
            _temp_dir=scratch,
        )
        # One more than there are workers, so that none waits for the driver: Ray runs no more than it has CPUs.
        yield run.num_workers + 1
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)
