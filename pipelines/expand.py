"""More random numbers out of one: for views that need a number for every box or window, how many so ever.

A sample's row of numbers has a fixed length (`pipelines.philox`); what a view draws may not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["expanded"]

Floats = npt.NDArray[np.float64]

_BITS = 53
"""Of a double in [0, 1)."""
_STEP = np.uint64(0x9E3779B97F4A7C15)


def expanded(u: npt.ArrayLike, count: int) -> Floats:
    """(..., count) numbers in [0, 1) from each of the numbers `u` (...) in [0, 1). More of them begin with the same ones.

    Source: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), seeded by the mixed bits of `u`: a function of whole numbers, for all
    samples at once. A Philox for every sample would cost 30 us each.
    """
    key = _mixed((np.asarray(u, np.float64) * 2.0**_BITS).astype(np.uint64)[..., None])
    # Along an axis: NumPy warns when a single number overflows, and must.
    steps = np.arange(1, count + 1, dtype=np.uint64) * _STEP
    return (_mixed(key + steps) >> np.uint64(64 - _BITS)).astype(np.float64) * 2.0**-_BITS


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64: one to one, and every bit of the input turns half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed
