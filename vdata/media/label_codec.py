"""The bytes of a `labels.npy` member, and back.

Apart from the extractor that fills them because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.media.npy_codec import dump_npy, load_npy

__all__ = ["NO_LABEL", "FrameLabels", "dump_labels", "load_labels"]

FrameLabels = npt.NDArray[np.int32]

NO_LABEL = -1
"""The class of a frame of which nothing is said."""


def dump_labels(labels: FrameLabels) -> bytes:
    """An npy of one class a frame, int32 (T,). Equal labels give equal bytes."""
    check(labels.dtype == np.int32 and labels.ndim == 1, "labels", f"{labels.dtype} {labels.shape}", "must be int32 (T,)")
    return dump_npy(labels)


def load_labels(member: bytes) -> FrameLabels:
    """The classes of a member, int32 (T,), one a frame; NO_LABEL where a frame has none.

    Raises:
        CorruptShardError: the bytes are no `labels.npy`.
    """
    labels = load_npy(member, "labels.npy")
    if labels.dtype != np.int32 or labels.ndim != 1:
        raise CorruptShardError(f"labels.npy holds {labels.dtype} {labels.shape}, not int32 (T,)")
    return labels
