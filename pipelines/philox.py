"""Random numbers by address: any of them can be made again at once, in any process and in any order.

Everything random in the loader rests on the raw stream of the Philox counter generator, which NumPy promises never to change; its
derived methods (`permutation`, `random`) carry no such promise.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["NUM_UNIFORMS", "ORDER", "SAMPLE", "raw_numbers", "uniforms"]

NUM_UNIFORMS = 128
"""Random numbers that a view has for one sample: more than any takes, so that a new one moves no old one. A multiple of 4."""

SAMPLE = 2**63
"""Stands for a view's number in the stream of a sample itself: what all its views share."""

ORDER = 2**64 - 1
"""Stands for a view's number in the stream of an epoch's order."""

_BLOCKS = NUM_UNIFORMS // 4
"""Blocks of Philox, four numbers each, that a sample has in the stream of a view."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Raw = npt.NDArray[np.uint64]


def uniforms(seed: int, epoch: int, positions: Longs, view: int) -> Floats:
    """(B, NUM_UNIFORMS) numbers in [0, 1): a row for each of the positions (B,) of the global sequence.

    `view` is the view's number, or SAMPLE.
    """
    # Neighbouring positions have neighbouring counters, so that one call serves a whole run of them: a call takes 20 us and
    # a row of it 2 us.
    rows = np.empty((len(positions), NUM_UNIFORMS))
    bounds = [0, *(np.flatnonzero(np.diff(positions) != 1) + 1).tolist(), len(positions)]
    for start, stop in pairwise(bounds):
        if stop > start:
            raw = raw_numbers(seed, [int(positions[start]) * _BLOCKS, 0, view, epoch], (stop - start) * NUM_UNIFORMS)
            # The top 53 bits are a double in [0, 1).
            np.multiply((raw >> np.uint64(11)).reshape(-1, NUM_UNIFORMS), 2.0**-53, out=rows[start:stop])
    return rows


def raw_numbers(seed: int, counter: list[int], count: int) -> Raw:
    """(count,) numbers of 64 bits from a place of the stream: counter is block, part, view and epoch."""
    # As an array of uint64: NumPy turns a list with a number over 2**63 into floats.
    bits = np.random.Philox(key=_key(seed), counter=np.array(counter, np.uint64))
    return np.asarray(bits.random_raw(count), np.uint64)


@lru_cache(maxsize=8)
def _key(seed: int) -> Raw:
    return np.random.SeedSequence(seed).generate_state(2, np.uint64).astype(np.uint64)
