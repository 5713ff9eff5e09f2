"""What `vdata check-leaks` costs: keyframes hashed a second, and keyframes searched a second, of one core's CPU time.

`hash` reads, decodes and hashes the keyframes of the given shards. `search` compares so many random 64-bit hashes among
themselves at distance 8, with near copies planted in one of a hundred, as `brute force` does by comparing every pair; `pairs`
must be equal. `peak MB` is memory beside what the process had before. Two million hashes drawn from 1,000 pictures in 200,000
scenes, far from evenly spread, took 27 s where random ones took 24 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from vdata.bench import Bench, Timed, Variant
from vdata.bench.growth import in_fresh_process
from vdata.bench.planted import brute_force, plant, search_all
from vdata.bench.timing import cpu_seconds
from vdata.leaks.config import LeakConfig
from vdata.leaks.frames import hash_folder

UNIT = "keyframes/s"
WARM_UP = False
REPEATS = 3
BOTH, LARGE = 100_000, (200_000, 2_000_000)


def variants(bench: Bench) -> Sequence[Variant]:
    """Hashing, both searches on a small size, ours on the large ones; a rough run leaves the largest out."""
    sizes = (BOTH, *(LARGE[:-1] if bench.quick else LARGE))
    paths = {count: bench.scratch / f"hashes-{count}.npy" for count in sizes}
    for count, path in paths.items():
        np.save(path, plant(count, count // 100))
    small = f"search {BOTH}"
    return [
        Variant("hash", partial(_hash, bench)),
        Variant(small, partial(in_fresh_process, search_all, paths[BOTH]), base=small),
        Variant(f"brute force {BOTH}", partial(in_fresh_process, brute_force, paths[BOTH]), base=small),
        *(
            Variant(name := f"search {count}", partial(in_fresh_process, search_all, paths[count]), base=name)
            for count in sizes[1:]
        ),
    ]


def _hash(bench: Bench) -> Timed:
    cpu = cpu_seconds()
    frames = hash_folder(bench.shards, LeakConfig())
    spent = cpu_seconds() - cpu
    num_hashed = float(frames.weight.sum()) + frames.num_blank
    return Timed(num_hashed, spent, {"blank": float(frames.num_blank)}, cpu_seconds=spent)
