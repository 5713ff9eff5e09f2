"""The deck of an epoch: its units in random order, those of a video side by side.

Sampling deals the deck to the batches like cards (`pipelines.dealing`); here it is shuffled. A shuffle is a sort of random keys
whose lowest bits are the number that is shuffled: no two keys are equal, so that any sort gives the same, and NumPy's sort of
plain integers is vectorised where an argsort is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.philox import ORDER, Raw, raw_numbers

__all__ = ["Deck", "Shuffler", "mixed"]

_VIDEOS, _UNITS, _SHARDS = range(3)
"""Parts of the stream ORDER that are drawn from here; `pipelines.dealing` and `pipelines.weights` have others."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Deck:
    """The cards of an epoch."""

    units: npt.NDArray[np.integer]
    """(n,) the unit at every place."""
    windows: Longs
    """(W + 1,) the first place of every window, and n. A batch holds units of one window, but for one where two meet."""


@dataclass(frozen=True, slots=True, eq=False)
class Shuffler:
    """What all epochs have in common: which units are of one video, and which videos of one shard."""

    num_units: int
    members: Longs | None
    """(U,) the units, video after video; None where their own order is such."""
    first: Longs | None
    """(V + 1,) where the units of each video begin among `members`, and U; None where every unit is a video."""
    by_shard: Longs | None
    """(V,) the videos, shard after shard; None where their own order is such."""
    shard_first: Longs
    """(S + 1,) where the videos of each shard begin among `by_shard`, and V; one shard stands for all if there are no blocks."""
    block_shards: int
    """Shards of a window at most."""

    @classmethod
    def of(cls, video: npt.NDArray[np.integer], shard: npt.NDArray[np.integer] | None = None, block_shards: int = 1) -> Shuffler:
        """For units of these videos (U,); in windows if the shards (U,) are given. A video is in the shard of its first unit."""
        members, first = _grouped(video)
        alone = len(first) > len(video)
        if alone:
            members, first = None, np.arange(len(video) + 1)
        by_shard, shard_first = None, np.array([0, len(first) - 1])
        if shard is not None:
            by_shard, shard_first = _grouped(shard[first[:-1] if members is None else members[first[:-1]]])
        return cls(len(video), members, None if alone else first, by_shard, shard_first, block_shards)

    def deck(self, seed: int, epoch: int, copies: Longs | None = None) -> Deck:
        """The cards of an epoch: every unit once, or as often as `copies` (U,) says, U in all."""
        videos, windows = self._videos(seed, epoch)
        members: npt.NDArray[np.integer] | None = self.members
        first = self.first
        if copies is not None:
            units = _small(np.arange(self.num_units) if members is None else members)
            members, ends = np.repeat(units, copies[units]), _starts(copies[units])
            first = ends if first is None else ends[first]
            del units, ends, copies
        if first is None:
            return Deck(_small(videos), windows)
        sizes = np.diff(first)[videos]
        own = mixed(raw_numbers(seed, [0, _UNITS, ORDER, epoch], int(sizes.sum())), sizes)
        own += np.repeat(first[:-1][videos], sizes)
        return Deck(_small(own if members is None else members[own]), _starts(sizes)[windows])

    def _videos(self, seed: int, epoch: int) -> tuple[Longs, Longs]:
        """The videos in random order, window after window, and where each window begins among them, (W + 1,)."""
        sizes = np.diff(self.shard_first)
        shards = mixed(raw_numbers(seed, [0, _SHARDS, ORDER, epoch], len(sizes)), np.array([len(sizes)]))
        starts = _starts(sizes[shards])
        # Windows as equal as can be: a small one at the end would have too few batches to keep a video's clips apart.
        num_windows = -(-len(sizes) // self.block_shards)
        windows = starts[np.arange(num_windows + 1) * len(sizes) // max(num_windows, 1)]
        own = mixed(raw_numbers(seed, [0, _VIDEOS, ORDER, epoch], int(starts[-1])), np.diff(windows))
        if len(sizes) > 1:
            own += np.repeat(windows[:-1], np.diff(windows))
            # From a place among the videos of the shuffled shards to the same video's among all.
            own += np.repeat(self.shard_first[:-1][shards] - starts[:-1], sizes[shards])[own]
        return own if self.by_shard is None else self.by_shard[own], windows


def mixed(raw: Raw, sizes: Longs) -> Longs:
    """(sum(sizes),) the numbers 0 .. sizes[g] - 1 of every group g in turn, those of a group in random order.

    `raw` is as many random numbers; they are overwritten. Those of the 64 bits that neither the number of groups nor the largest
    group needs stay random: 40 in a group of ten million. Two numbers that agree in all keep their own order, which is too
    rare to matter.
    """
    group_bits, own_bits = (max(0, int(count) - 1).bit_length() for count in (len(sizes), sizes.max(initial=0)))
    own = np.uint64((1 << own_bits) - 1)
    raw >>= np.uint64(group_bits)
    raw &= ~own
    raw |= _numbered(sizes)
    if len(sizes) > 1:
        raw |= np.repeat(np.arange(len(sizes), dtype=np.uint64) << np.uint64(64 - group_bits), sizes)
    raw.sort()
    raw &= own
    return raw.view(np.int64)


def _numbered(sizes: Longs) -> Raw:
    """(sum(sizes),) 0, 1, 2 ... for each group anew."""
    numbers = np.arange(sizes.sum(), dtype=np.uint64)
    if len(sizes) > 1:
        numbers -= np.repeat((np.cumsum(sizes) - sizes).astype(np.uint64), sizes)
    return numbers


def _grouped(values: npt.NDArray[np.integer]) -> tuple[Longs | None, Longs]:
    """Places of `values` (n,) with equal values side by side (None if they are), and where each value begins, then n."""
    places = None
    if np.any(values[1:] < values[:-1]):
        places = np.argsort(values, kind="stable")
        values = values[places]
    if not len(values):
        return places, np.zeros(1, np.int64)
    return places, np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]]))


def _starts(sizes: Longs) -> Longs:
    """(n + 1,) where each of n parts begins, and where the last ends."""
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def _small(units: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """The same in half the memory, where the numbers allow it."""
    return units.astype(np.uint32, copy=False) if len(units) <= np.iinfo(np.uint32).max else units
