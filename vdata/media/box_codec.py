"""The bytes of a `boxes.npy` member, and back.

Apart from the extractors that fill them because readers of shards need the way back and import no extractor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.errors import CorruptShardError
from vdata.media.npy_codec import dump_npy, load_npy

__all__ = ["BOX", "BOX_SOURCES", "Boxes", "boxes_of", "dump_boxes", "load_boxes"]

Boxes = npt.NDArray[np.void]

BOX = np.dtype(
    [
        ("frame", "<i4"),
        ("x0", "<f4"),
        ("y0", "<f4"),
        ("x1", "<f4"),
        ("y1", "<f4"),
        ("score", "<f4"),
        ("source", "u1"),
        ("class", "<i4"),
    ]
)
"""One box: x0 <= x < x1 and y0 <= y < y1 in pixels of the coded frame, so that a box of one pixel is 1 wide."""

BOX_SOURCES = ("slic", "felzenszwalb", "person", "detector", "dataset")
"""What made a box: `source` counts them."""


def boxes_of(frame: int, corners: npt.ArrayLike, source: str, scores: npt.ArrayLike = 1.0, classes: npt.ArrayLike = -1) -> Boxes:
    """The boxes of one frame, a structured array (N,) of dtype BOX.

    Args:
        frame: its number in the clip.
        corners: (N, 4): x0, y0, x1, y1 in pixels.
        source: one of BOX_SOURCES.
        scores: (N,) or one for all.
        classes: (N,) or one for all; -1 for none.
    """
    sides = np.asarray(corners, np.float32).reshape(-1, 4)
    boxes = np.zeros(len(sides), BOX)
    boxes["frame"], boxes["source"] = frame, BOX_SOURCES.index(source)
    boxes["score"], boxes["class"] = scores, classes
    for i, name in enumerate(("x0", "y0", "x1", "y1")):
        boxes[name] = sides[:, i]
    return boxes


def dump_boxes(parts: Sequence[Boxes]) -> bytes:
    """An npy of the boxes of all parts, one behind the other. Equal boxes give equal bytes."""
    for part in parts:
        check(part.dtype == BOX, "boxes", part.dtype, f"must be of dtype {BOX}")
    boxes = np.concatenate([np.empty(0, BOX), *parts])
    return dump_npy(boxes)


def load_boxes(member: bytes) -> Boxes:
    """The boxes of a member, a structured array (N,) of dtype BOX.

    Raises:
        CorruptShardError: the bytes are no `boxes.npy`.
    """
    boxes = load_npy(member, "boxes.npy")
    if boxes.dtype != BOX or boxes.ndim != 1:
        raise CorruptShardError(f"boxes.npy holds {boxes.dtype} {boxes.shape}, not the columns {', '.join(BOX.names or ())}")
    return boxes
