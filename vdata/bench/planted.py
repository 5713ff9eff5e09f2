"""Hashes with near copies planted among them, and the search for them: for bench/leaks.py."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from vdata.bench.case import Timed
from vdata.bench.growth import Memory
from vdata.bench.timing import cpu_seconds
from vdata.leaks.search import BITS, near_pairs

__all__ = ["SEARCH_DISTANCE", "brute_force", "plant", "search_all"]

Hashes = npt.NDArray[np.uint64]

SEARCH_DISTANCE = 8
"""As LeakConfig has it."""


def plant(count: int, num_copies: int, seed: int = 0) -> Hashes:
    """Random hashes, uint64 (count,), of which the last `num_copies` are copies of the first with up to 8 bits turned."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**BITS, count, dtype=np.uint64)
    copies = hashes[:num_copies].copy()
    for turn in range(SEARCH_DISTANCE):
        # A bit that is drawn twice is turned back: the distance is at most the number of turns.
        bits = np.uint64(1) << rng.integers(0, BITS, num_copies, dtype=np.uint64)
        copies ^= np.where(np.arange(num_copies) % (SEARCH_DISTANCE + 1) > turn, bits, np.uint64(0))
    hashes[count - num_copies :] = copies
    return hashes


def search_all(path: Path) -> Timed:
    """Searches the hashes of a .npy file among themselves, on one thread, timed by its CPU seconds."""
    hashes = np.load(path)
    before, cpu, start = Memory.now(), cpu_seconds(), perf_counter()
    pairs = near_pairs(hashes, None, SEARCH_DISTANCE, workers=1)
    seconds, spent = perf_counter() - start, cpu_seconds() - cpu
    detail = {
        "pairs": float(len(pairs)),
        "wall seconds": seconds,
        "cpu seconds": spent,
        "peak MB": Memory.now().peak - before.own,
    }
    return Timed(float(len(hashes)), spent, detail, cpu_seconds=spent)


def brute_force(path: Path) -> Timed:
    """The same by comparing every pair."""
    hashes = np.load(path)
    cpu, num_pairs = cpu_seconds(), 0
    for place in range(len(hashes)):
        distances = np.bitwise_count(hashes[place] ^ hashes[place + 1 :])
        num_pairs += int(np.count_nonzero(distances <= SEARCH_DISTANCE))
    spent = cpu_seconds() - cpu
    return Timed(float(len(hashes)), spent, {"pairs": float(num_pairs)}, cpu_seconds=spent)
