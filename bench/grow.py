"""How the loader grows: clips a second, opening, shuffling and resuming, with the number of clips in the index.

`load` reads real clips: the given shards' own, named again and again by an index of so many rows, so that the files and the page
cache stay the same and only the index grows. `open` is an index of numbers alone, at full size (21 fragments a clip, 650 bytes):
seconds to open it and to shuffle an epoch, and the memory of both; the files were just written, so they are in the page cache.
`resume` is the time from `load_state_dict` in the middle of the fourth epoch to the next batch.

`vdata bench --only grow --plot FILE` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from pipelines import ClipIterator
from vdata.bench import Bench, Skip, Variant
from vdata.bench.growth import BATCH_SIZE, VIEW, in_fresh_process, open_and_shuffle, resume
from vdata.bench.synthetic import repeat_index, write_synthetic_index

UNIT = "clips/s"
WARM_UP = False
REPEATS = 5
LOADED, OPENED = (1_000, 10_000, 100_000), (10_000, 1_000_000, 10_000_000)


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Loading, opening and resuming for each size; a rough run leaves the largest out."""
    loaded, opened = (sizes[:-1] if bench.quick else sizes for sizes in (LOADED, OPENED))
    offered: list[Variant | Skip] = []
    for count in loaded:
        folder = bench.scratch / f"repeated-{count}"
        repeat_index(folder, bench.shards, count)
        loader = _Loader(bench, count)
        offered.append(Variant(f"load {count}", loader.run, loader.prepare))
    offered += [_resumed(bench, loaded[-1])]
    for count in opened:
        folder = bench.scratch / f"numbers-{count}"
        write_synthetic_index(folder, count)
        offered.append(_opened(bench, count))
    return offered


def _resumed(bench: Bench, count: int) -> Variant:
    folder, name = bench.scratch / f"repeated-{count}", f"resume {count}"
    return Variant(name, lambda: in_fresh_process(resume, folder), base=name)


def _opened(bench: Bench, count: int) -> Variant:
    folder, name = bench.scratch / f"numbers-{count}", f"open {count}"
    return Variant(name, lambda: in_fresh_process(open_and_shuffle, folder), base=name)


class _Loader:
    """A loader that is warm when its time starts."""

    def __init__(self, bench: Bench, count: int) -> None:
        self._folder, self._device = bench.scratch / f"repeated-{count}", bench.device
        self._batches = 8 if bench.quick else 24

    def prepare(self) -> None:
        self._loader = ClipIterator(self._folder, views=(VIEW,), batch_size=BATCH_SIZE, device=self._device)
        self._stream = iter(self._loader)
        list(islice(self._stream, 4))

    def run(self) -> float:
        work = float(sum(len(batch["idx"]) for batch in islice(self._stream, self._batches)))
        self._loader.close()
        return work
