"""All pairs of 64-bit hashes within a Hamming distance: exact, in NumPy, on all cores.

Multi-index hashing: a hash is split into blocks, and two hashes that differ in d bits differ in few bits of one block at least.
So hashes are put into buckets by each block, and only buckets whose blocks are that close are compared.

Source: Norouzi, Punjani, Fleet, Fast search in Hamming space with multi-index hashing, arXiv:1307.2982; radii that differ by
block are the general pigeonhole principle of Qin et al., GPH, ICDE 2018.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.config import check

__all__ = ["BITS", "NearPairs", "near_pairs"]

BITS = 64
Hashes = npt.NDArray[np.uint64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Keep = Callable[[Longs, Longs], Bools]

_FEWEST_BLOCKS, _MOST_BLOCKS = 3, 8
"""Of less than three blocks the buckets' table would not fit into memory; of more than eight a bucket holds nearly all."""
_AT_A_TIME = 1 << 17
"""Candidates that a thread compares at once: its arrays stay in the cache. 2^20 took 1.5 times as long."""
_LOOK_UP = 3.0
"""What looking up a bucket costs beside comparing a pair of hashes; measured."""


@dataclass(frozen=True, slots=True, eq=False)
class NearPairs:
    """Pairs of hashes, in the order of `first` and `second`, each once."""

    first: Longs
    """(P,): places in `hashes`."""
    second: Longs
    """(P,): places in `others`; of a search within one array, greater than `first`."""
    distance: npt.NDArray[np.uint8]
    """(P,): bits that differ."""
    num_common: int = 0
    """Hashes that were left out with all their pairs, because these were more than the limit."""

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.first)

    def chosen(self, which: npt.NDArray[Any]) -> NearPairs:
        """Some of the pairs, by truths or places."""
        return NearPairs(self.first[which], self.second[which], self.distance[which], self.num_common)

    def ordered(self) -> NearPairs:
        """The pairs in their order."""
        return self.chosen(np.lexsort((self.second, self.first)))

    def turned(self) -> NearPairs:
        """The same with both sides exchanged."""
        return NearPairs(self.second, self.first, self.distance, self.num_common).ordered()


def near_pairs(
    hashes: Hashes,
    others: Hashes | None,
    distance: int,
    *,
    keep: Keep | None = None,
    limit: int | None = None,
    workers: int = 0,
    on_part: Callable[[int, int], None] | None = None,
) -> NearPairs:
    """Every pair of one of `hashes` and one of `others` that differ in at most `distance` bits.

    Time grows with the product of both numbers, but slowly: see bench/leaks.py. Memory is some 150 bytes a hash, and what the
    pairs take.

    Args:
        hashes: uint64 (N,).
        others: uint64 (M,); None compares `hashes` among themselves, and no hash with itself.
        distance: in [0, 64].
        keep: which of some pairs, by their places (P,), (P,), count; called from all threads.
        limit: a hash with more pairs that count is left out, with all of them. Else the pairs of a picture that a hundred
            thousand videos share would fill the memory.
        workers: threads; 0 is one a core.
        on_part: called now and then with the parts of the search that are done, and all.

    Raises:
        ConfigError: a distance outside its range.
    """
    check(0 <= distance <= BITS, "distance", distance, f"must be in [0, {BITS}]")
    count = len(hashes) if others is None else len(others)
    if others is not None and len(others) < len(hashes):
        # To look up few in the buckets of many is quicker than the other way round.
        turned = None if keep is None else _turned(keep)
        return near_pairs(others, hashes, distance, keep=turned, limit=limit, workers=workers, on_part=on_part).turned()
    plan = _plan(count, distance)
    parts = [(number, mask) for number, block in enumerate(plan) for mask in block.masks]
    tables = [_Table(hashes, others, block) for block in plan]
    found = _Found(len(hashes), None if others is None else len(others), keep, limit)

    def search(part: tuple[int, int]) -> None:
        number, mask = part
        for pairs in tables[number].pairs(mask, distance, plan[:number]):
            found.add(pairs)

    pool = ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)))
    try:
        for done, _ in enumerate(pool.map(search, parts), start=1):
            if on_part:
                on_part(done, len(parts))
    finally:
        pool.shutdown(cancel_futures=True)
    return found.joined()


def _turned(keep: Keep) -> Keep:
    return lambda first, second: keep(second, first)


class _Found:
    """The pairs so far; any thread may add some."""

    def __init__(self, num_hashes: int, num_others: int | None, keep: Keep | None, limit: int | None) -> None:
        self._keep, self._limit, self._lock = keep, limit, threading.Lock()
        self._counts = np.zeros(num_hashes, np.int64)
        self._other_counts = self._counts if num_others is None else np.zeros(num_others, np.int64)
        self._parts: list[NearPairs] = []

    def add(self, pairs: NearPairs) -> None:
        """Takes those that count."""
        if self._keep:
            pairs = pairs.chosen(self._keep(pairs.first, pairs.second))
        with self._lock:
            np.add.at(self._counts, pairs.first, 1)
            np.add.at(self._other_counts, pairs.second, 1)
            self._parts.append(self._within_limit(pairs))

    def joined(self) -> NearPairs:
        """All of them, in order."""
        none = NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
        parts = [none, *self._parts]
        first, second = (np.concatenate([getattr(pairs, name) for pairs in parts]) for name in ("first", "second"))
        pairs = self._within_limit(NearPairs(first, second, np.concatenate([pairs.distance for pairs in parts])))
        return replace(pairs.ordered(), num_common=self._num_common())

    def _within_limit(self, pairs: NearPairs) -> NearPairs:
        """Without those of hashes that have too many so far."""
        if self._limit is None:
            return pairs
        return pairs.chosen(np.maximum(self._counts[pairs.first], self._other_counts[pairs.second]) <= self._limit)

    def _num_common(self) -> int:
        counts = [self._counts] if self._counts is self._other_counts else [self._counts, self._other_counts]
        return 0 if self._limit is None else sum(int(np.count_nonzero(own > self._limit)) for own in counts)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some neighbouring bits of a hash."""

    shift: int
    width: int
    radius: int
    """Bits of the block in which a pair that it finds may differ."""

    @property
    def masks(self) -> list[int]:
        """All differences of so many bits."""
        bits = [1 << bit for bit in range(self.width)]
        return [sum(chosen) for size in range(self.radius + 1) for chosen in itertools.combinations(bits, size)]

    def of(self, hashes: Hashes) -> npt.NDArray[np.int32]:
        """The block of each hash, as a number."""
        return ((hashes >> np.uint64(self.shift)) & np.uint64((1 << self.width) - 1)).astype(np.int32)

    def close(self, differences: Hashes) -> npt.NDArray[np.bool_]:
        """Whether pairs that differ in these bits are found by this block."""
        return np.bitwise_count(self.of(differences)) <= self.radius


def _plan(count: int, distance: int) -> list[_Block]:
    """The blocks that cost least for so many hashes in the buckets."""
    return min(
        (_blocks(number, distance) for number in range(_FEWEST_BLOCKS, _MOST_BLOCKS + 1)), key=lambda plan: _cost(plan, count)
    )


def _cost(plan: Sequence[_Block], count: int) -> float:
    """Comparisons for each hash that is looked up, if hashes were spread evenly."""
    return sum(len(block.masks) * (_LOOK_UP + count / (1 << block.width)) for block in plan)


def _blocks(number: int, distance: int) -> list[_Block]:
    """Blocks whose radii + 1 add up to distance + 1: were all of them exceeded, more than `distance` bits would differ."""
    widths = [BITS // number + (i < BITS % number) for i in range(number)]
    # A block whose radius is -1 finds nothing that another would not.
    radii = [(distance + 1) // number + (i < (distance + 1) % number) - 1 for i in range(number)]
    shifts = itertools.accumulate(widths[:-1], initial=0)
    found = zip(shifts, widths, radii, strict=True)
    return [_Block(shift, width, min(radius, width)) for shift, width, radius in found if radius >= 0]


class _Table:
    """The hashes in the order of one block, and those that they are compared with in buckets by it."""

    def __init__(self, hashes: Hashes, others: Hashes | None, block: _Block) -> None:
        self._block, self._is_same = block, others is None
        self._order, self._hashes = _sorted(hashes, block)
        self._values = block.of(self._hashes)
        self._other_order, self._others = (self._order, self._hashes) if others is None else _sorted(others, block)
        sizes = np.bincount(block.of(self._others), minlength=1 << block.width)
        self._start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def pairs(self, mask: int, distance: int, before: Sequence[_Block]) -> Iterator[NearPairs]:
        """The pairs whose blocks differ by `mask`, without those that a block `before` finds."""
        for rows, places in self._candidates(mask):
            differences = self._hashes[rows] ^ self._others[places]
            distances = np.bitwise_count(differences)
            near = np.flatnonzero(distances <= distance)
            if len(near):
                # Each pair once: the first block that finds it tells of it.
                is_told = [block.close(differences[near]) for block in before]
                near = near[~np.any(is_told, axis=0)] if is_told else near
                first, second = self._order[rows[near]], self._other_order[places[near]]
                if self._is_same:
                    first, second = np.minimum(first, second), np.maximum(first, second)
                yield NearPairs(first, second, distances[near])

    def _candidates(self, mask: int) -> Iterator[tuple[Longs, Longs]]:
        """Rows of the hashes, and places of the others in the bucket that each must be compared with, some at a time."""
        rows, targets = np.arange(len(self._values)), self._values ^ mask
        if self._is_same and mask:
            # Two buckets meet twice: from either side.
            rows = np.flatnonzero(targets > self._values)
            targets = targets[rows]
        start, end = self._start[targets], self._start[targets + 1]
        if self._is_same and not mask:
            start = rows + 1
        sizes = end - start
        some = np.flatnonzero(sizes)
        rows, start, sizes = rows[some], start[some], sizes[some]
        ends = np.cumsum(sizes)
        first = 0
        while first < len(rows):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + _AT_A_TIME, side="right")))
            counts = sizes[first:last]
            within = np.arange(int(ends[last - 1]) - done) - np.repeat(ends[first:last] - counts - done, counts)
            yield np.repeat(rows[first:last], counts), np.repeat(start[first:last], counts) + within
            first = last


def _sorted(hashes: Hashes, block: _Block) -> tuple[Longs, Hashes]:
    """The hashes in the order of a block, and where each was."""
    order = np.argsort(block.of(hashes), kind="stable")
    return order, hashes[order]
