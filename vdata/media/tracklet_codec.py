"""The bytes of a `tracklets.npy` member, and back.

Apart from the extractor that fills them because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.media.npy_codec import dump_npy, load_npy

__all__ = ["CORNERS", "TRACKLET", "Tracklets", "dump_tracklets", "load_tracklets"]

Tracklets = npt.NDArray[np.void]

CORNERS = ("x0", "y0", "x1", "y1")
"""The columns of a box, in its order."""

TRACKLET = np.dtype(
    [
        ("track", "<i4"),
        ("frame", "<i4"),
        *((name, "<f4") for name in CORNERS),
        ("score", "<f4"),
        ("detected", "u1"),
    ]
)
"""One box of a tracklet: x0 <= x < x1 and y0 <= y < y1 in pixels of the coded frame; tracks count from 0 in every clip.

`detected` is 1 for a box that the detector found; one carried from a detection to the next has 0 and the smaller of their scores.
"""


def dump_tracklets(tracklets: Tracklets) -> bytes:
    """An npy of the rows. Equal rows give equal bytes."""
    check(tracklets.dtype == TRACKLET, "tracklets", tracklets.dtype, f"must be of dtype {TRACKLET}")
    return dump_npy(tracklets)


def load_tracklets(member: bytes) -> Tracklets:
    """The rows of a member, a structured array (N,) of dtype TRACKLET, ordered by track and frame.

    Raises:
        CorruptShardError: the bytes are no `tracklets.npy`.
    """
    tracklets = load_npy(member, "tracklets.npy")
    if tracklets.dtype != TRACKLET or tracklets.ndim != 1:
        columns = ", ".join(TRACKLET.names or ())
        raise CorruptShardError(f"tracklets.npy holds {tracklets.dtype} {tracklets.shape}, not the columns {columns}")
    return tracklets
