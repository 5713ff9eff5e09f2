"""The stored motion of frames of a run: the grids of its clips, cut to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from pipelines.members import Members
from pipelines.samples import Samples
from vdata.errors import CorruptShardError, SchemaMismatchError
from vdata.media.motion_codec import INTRA, load_grid

__all__ = ["StoredMotion", "stored_motion"]

_CELLS = (16, 8, 4)
"""Sides that a grid's cells may have, pixels of the coded frame."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class StoredMotion:
    """The stored motion of n frames."""

    vectors: npt.NDArray[np.int16]
    """(n, h, w, 2) of the cells that lie in the picture, wholly or partly: dst - src in quarter pixels."""
    moved: npt.NDArray[np.bool_]
    """(n,) whether any of them has a vector; none of an I frame has."""
    cell: int
    """Side of a cell, pixels."""


def stored_motion(members: Members, samples: Samples, row: int, frames: Longs) -> StoredMotion:
    """The motion of frames (n,) of a sample's run. Each clip's member is read once; a frame without one has vectors of 0.

    Raises:
        CorruptShardError: a member is no `motion.npz` of its clip.
        SchemaMismatchError: the shards do not hold the field, or the clips of the run hold it in cells of different sizes.
    """
    found: list[tuple[Longs, StoredMotion]] = []
    for clip, own, places in samples.runs.places(row, frames):
        field = members.parsed(clip, "motion.npz", "motion", partial(_parse, samples, clip, own))
        if field is not None:
            found.append((places, field))
    if len(found) == 1 and len(found[0][0]) == len(frames):
        return found[0][1]
    sides = {field.cell for _, field in found} or {_CELLS[0]}
    if len(sides) > 1:
        key = samples.clips.key(int(samples.runs.clips(row)[0]))
        raise SchemaMismatchError(f"motion of clip '{key}' and those behind it has cells of {sorted(sides)} pixels: add it anew")
    shape = found[0][1].vectors.shape[1:] if found else (1, 1, 2)
    whole = StoredMotion(np.zeros((len(frames), *shape), np.int16), np.zeros(len(frames), bool), sides.pop())
    for places, field in found:
        whole.vectors[places], whole.moved[places] = field.vectors, field.moved
    return whole


def _parse(samples: Samples, clip: int, own: Longs, member: bytes) -> StoredMotion:
    """The vectors of frames `own` of a clip.

    A cell that reaches over the picture's edge stays whole: its vector is the mean over its pixels, the padding's among them.
    Past the last cell's middle the enlargement repeats it.
    """
    grid, kind = load_grid(member)
    cell = _cell_side(samples, clip, grid.shape)
    touched = _touched(samples.clips.picture[clip], cell)
    return StoredMotion(grid[own][touched], (kind[own][touched] != INTRA).any(axis=(1, 2)), cell)


def _cell_side(samples: Samples, clip: int, shape: tuple[int, ...]) -> int:
    """The side of the cells of a grid of this shape, which must be the clip's."""
    width, height = int(samples.clips.width[clip]), int(samples.clips.height[clip])
    frames = int(samples.clips.num_frames[clip])
    for cell in _CELLS:
        if shape[:3] == (frames, -(-height // cell), -(-width // cell)):
            return cell
    raise CorruptShardError(f"motion.npz has a grid of {shape}, which is not that of {frames} frames of {width}x{height} pixels")


def _touched(picture: npt.NDArray[np.integer], cell: int) -> tuple[slice, slice, slice]:
    """The frames, rows and columns of a grid that lie in the picture, wholly or partly."""
    x, y, width, height = picture.tolist()
    return slice(None), slice(y // cell, -(-(y + height) // cell)), slice(x // cell, -(-(x + width) // cell))
