"""The bytes of a `features.npy` member, and back.

Apart from the network that fills it because readers of shards need the way back and load no torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.media.npy_codec import dump_npy, load_npy

__all__ = ["Features", "dump_features", "load_features"]

Features = npt.NDArray[np.float16]

_LARGEST = float(np.finfo(np.float16).max)


def dump_features(features: npt.NDArray[np.floating[Any]]) -> bytes:
    """An npy of features (T', D), stored as float16. Equal features give equal bytes.

    Raises:
        ConfigError: they have other axes, or a number that float16 does not hold.
    """
    check(features.ndim == 2, "features", features.shape, "must have the axes (T, D)")  # noqa: PLR2004
    largest = float(np.abs(features).max(initial=0.0))
    # NaN is not below anything either.
    check(largest <= _LARGEST, "features", largest, "must be finite and fit float16: has the network diverged?")
    return dump_npy(features.astype(np.float16))


def load_features(member: bytes) -> Features:
    """The features of a member, float16 (T', D).

    Raises:
        CorruptShardError: the bytes are no `features.npy`.
    """
    features = load_npy(member, "features.npy")
    if features.dtype != np.float16 or features.ndim != 2:  # noqa: PLR2004
        raise CorruptShardError(f"features.npy holds {features.dtype} {features.shape}, not float16 (T, D)")
    return features
