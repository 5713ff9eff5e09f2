"""What opening and resuming a loader cost, each measured in a process that does nothing else, so that its memory is its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from vdata.bench.case import Timed
from vdata.views import Augment, Clip

__all__ = ["BATCH_SIZE", "VIEW", "Memory", "in_fresh_process", "open_and_shuffle", "resume"]

BATCH_SIZE = 16
VIEW = Clip("clip", frames=8, stride=2, size=112, augment=Augment(jitter=0.0, gray=0.0, blur=0.0), pad="edge")
"""A short window that any clip can give: what is asked is what the number of clips adds."""


class Memory(NamedTuple):
    """Of this process, in MB."""

    peak: float
    """The most that ever was resident, mapped files among it."""
    own: float
    """Resident now, without mapped files."""

    @classmethod
    def now(cls) -> Memory:
        """By the kernel's account."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        found = {name: int(size) / 1000 for name, size in re.findall(r"(VmHWM|RssAnon):\s+(\d+) kB", status)}
        return cls(found["VmHWM"], found["RssAnon"])


def in_fresh_process(measured: Callable[[Path], Timed], folder: Path) -> Timed:
    """What a function of this module returns for a folder, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measured, folder).result()


def open_and_shuffle(folder: Path) -> Timed:
    """Opens the loader, and finds out which clips the first batches of two epochs have: what must be done for all clips at once.

    Memory counts from before the index is opened: torch and DALI alone take some hundred MB.
    """
    from pipelines import ClipIterator  # noqa: PLC0415 - this module is imported by the parent too

    before, start = Memory.now(), perf_counter()
    loader = ClipIterator(folder, views=(VIEW,), batch_size=BATCH_SIZE)
    opened, at_open = perf_counter() - start, Memory.now()
    sampler = loader._sampler  # noqa: SLF001 - a batch would want bytes, which an index made of numbers does not have
    for epoch in (0, 1):
        sampler.units(epoch, sampler.positions(len(loader) // 2)[0])
    whole, after = perf_counter() - start, Memory.now()
    detail = {
        "open seconds": opened,
        "shuffle seconds": (whole - opened) / 2,
        "open MB": at_open.own - before.own,
        "own MB": after.own - before.own,
        "peak MB": after.peak - before.peak,
    }
    return Timed(float(len(loader.index)), whole, detail)


def resume(folder: Path) -> Timed:
    """Opens the loader, takes a state from the middle of an epoch, and waits for the batch behind it."""
    from pipelines import ClipIterator  # noqa: PLC0415 - as above

    with ClipIterator(folder, views=(VIEW,), batch_size=BATCH_SIZE) as loader:
        next(iter(loader))
        state = loader.state_dict() | {"epoch": 3, "position": len(loader) // 2}
    with ClipIterator(folder, views=(VIEW,), batch_size=BATCH_SIZE) as loader:
        start = perf_counter()
        loader.load_state_dict(state)
        batch = next(iter(loader))
        seconds = perf_counter() - start
    return Timed(float(len(batch["idx"])), seconds, {"seconds": seconds})
