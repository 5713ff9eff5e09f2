"""What the tracking datasets share: files of rectangles, a row a frame, as the boxes of a sequence of images."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.datasets._files import parse_lines
from vdata.records import Column, GivenBoxes

__all__ = ["BOX_CLASSES", "NUM_INVALID", "WHOLE_SEQUENCE", "Rectangles", "given_boxes", "has_area", "read_rectangles"]

Rectangles = npt.NDArray[np.float64]
"""(N, 4): x, y, width, height as the owners write them, pixels."""

WHOLE_SEQUENCE: dict[str, Any] = {"clip": {"seconds": 1e9}}
"""Build settings under which a sequence stays one clip."""
BOX_CLASSES = ("target",)
"""The only class of box: what is to be followed."""
NUM_INVALID = Column("num_invalid", pa.int32(), "Rows of the ground truth that are no box: width or height is not positive.")

_FIRST_PIXEL = 1.0
"""Both owners number pixels from 1, as MATLAB does. Source: GOT-10k's author in got-10k/toolkit issue 6; for OTB, whose tool is
MATLAB, the toolkit's own tracker, which subtracts 1 for both. No owner of OTB is known to have said it."""
_ROW = 4


def read_rectangles(dataset: str, path: Path) -> Rectangles:
    """The rectangles of a file, a line each: four numbers with commas, tabs or blanks between them, also mixed.

    Raises:
        ConfigError: a line is something else.
    """
    rows = parse_lines(dataset, path, _numbers, "a line must be x, y, width, height")
    return np.array(rows, np.float64).reshape(-1, _ROW)


def _numbers(line: str) -> list[float]:
    x, y, width, height = map(float, line.replace(",", " ").split())
    return [x, y, width, height]


def has_area(rectangles: Rectangles) -> npt.NDArray[np.bool_]:
    """Which rectangles (N,) are boxes: finite, width and height positive. The owners write 0 or -1 where the target is out."""
    return np.asarray((rectangles[:, 2:] > 0).all(axis=1) & np.isfinite(rectangles).all(axis=1), np.bool_)


def given_boxes(rectangles: Rectangles, rate: Fraction, keep: npt.NDArray[np.bool_], scores: npt.ArrayLike = 1.0) -> GivenBoxes:
    """Boxes in the source's own pixels; row i of the rectangles is frame i of `rate` frames a second.

    Args:
        rectangles: (N, 4), pixels counted from 1.
        rate: frames a second.
        keep: (N,): the rows that are boxes.
        scores: (N,) or one for all.
    """
    frames = np.flatnonzero(keep)
    corners = rectangles[frames] - [_FIRST_PIXEL, _FIRST_PIXEL, 0, 0]
    corners[:, 2:] += corners[:, :2]
    seconds = frames * rate.denominator / rate.numerator
    return GivenBoxes.of(seconds, corners, classes=0, scores=np.broadcast_to(scores, len(rectangles))[frames])
