"""Motion views: windows of the stored grid, cut and enlarged as the pictures are, with vectors that stay true.

What is linear in the vectors (the enlargement of the map, a flip, a reversal, the division) is done on the small grid before the
graph enlarges it, and the clamp behind the graph where a vector is long enough for it. On a CPU a window of 8 frames at 112
pixels then takes one node of 0.4 ms, where a clamp and a flip of DALI's took 0.7 ms more (CPU time, batches of 32).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import fn, types

from pipelines.draw import sides_of, spatial
from pipelines.expand import expanded
from pipelines.members import Members
from pipelines.motion_field import stored_motion
from pipelines.philox import NUM_UNIFORMS
from pipelines.samples import Samples
from pipelines.views import Shot
from pipelines.windows import NUM_WINDOW_UNIFORMS, uniform
from vdata.views import Motion, View

__all__ = ["MotionDraw", "MotionReader", "disjoint_starts"]

_STARTS, _PLACES = NUM_WINDOW_UNIFORMS, NUM_WINDOW_UNIFORMS + 1
"""The two numbers from which the negatives' starts, and the crops and flips of all windows, are drawn."""

_QUARTER_PIXELS = 4
_NEARLY = 0.999

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MotionDraw:
    """What a motion view takes of the B samples: W windows each, the negatives behind the first."""

    frames: Longs
    """(B, W, T): frames of the sample's run, in the order in which they are shown."""
    inside: npt.NDArray[np.bool_]
    """(B, W, T): False where a pad has put another frame, and in a negative for which the run has no room."""
    box: npt.NDArray[np.float32]
    """(B, W, 4): x0, y0, x1, y1 of the crop in pixels of the picture."""
    flip: npt.NDArray[np.bool_]
    """(B, W)"""
    speed: Longs
    """(B,)"""
    backwards: npt.NDArray[np.bool_]
    """(B,)"""


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """One sample's windows."""

    grid: npt.NDArray[np.float32]
    """(W, 2 T, h, w): dx of all frames, then dy, in the batch's units and not clamped; 0 where masked."""
    mask: npt.NDArray[np.bool_]
    """(W, T)"""
    start: npt.NDArray[np.float32]
    """(W, 2): y, x in cells of `grid` of the crop's upper left corner; of its right one if it is flipped."""
    end: npt.NDArray[np.float32]
    """(W, 2): the corner across."""
    long: bool
    """Whether any vector reaches the clamp."""


class MotionReader:
    """Reads `motion.npz`, one member a clip; the graph enlarges the vectors and cuts them off at the clamp."""

    def __init__(self, view: Motion, views: Mapping[str, View]) -> None:  # noqa: ARG002 - as all readers are made
        """For one of the batch's views."""
        self.view = view
        self.shot_names: Sequence[str] = ()

    def draw(self, samples: Samples, drawn: Mapping[str, Any]) -> MotionDraw:
        """The windows, crops and flips of the B samples."""
        view, u = self.view, samples.u[self.view.name]
        window = samples.windows[view.name]
        frames, inside = self._windows(samples, u)
        box, flip = self._crops(samples, u)
        if view.follow:
            box[:, 0], flip[:, 0] = drawn[view.follow].box[:, 0], drawn[view.follow].flip
        return MotionDraw(frames, inside, box, flip, window.speed.copy(), window.backwards.copy())

    def _windows(self, samples: Samples, u: Floats) -> tuple[Longs, npt.NDArray[np.bool_]]:
        """Frames (B, W, T), and which of them lie where they should."""
        window, steps = samples.windows[self.view.name], np.arange(self.view.frames) * self.view.stride
        offsets = steps * window.speed[:, None]
        first, last = window.frames.min(axis=1), window.frames.max(axis=1)
        drawn = expanded(u[:, _STARTS], self.view.negatives)
        starts = disjoint_starts(first, last, samples.num_frames, offsets[:, -1] + 1, drawn)
        offsets = np.where(window.backwards[:, None], offsets[:, ::-1], offsets)
        others = np.maximum(starts, 0)[:, :, None] + offsets[:, None]
        fits = np.broadcast_to((starts >= 0)[:, :, None], others.shape)
        frames = np.concatenate([window.frames[:, None], np.where(fits, others, 0)], axis=1)
        return frames, np.concatenate([window.inside[:, None], fits], axis=1)

    def _crops(self, samples: Samples, u: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Boxes (B, W, 4) and flips (B, W), every window's drawn as a picture view's."""
        count = 1 + self.view.negatives
        rows = expanded(u[:, _PLACES], count * NUM_UNIFORMS).reshape(-1, NUM_UNIFORMS)
        box, flip = spatial(self.view, np.repeat(samples.picture, count, axis=0), rows)
        return box[:, 0].reshape(-1, count, 4), flip.reshape(-1, count)

    def shots(self, drawn: MotionDraw, row: int) -> Sequence[Shot]:  # noqa: ARG002 - a ViewReader
        """None: motion is stored, not seen."""
        return ()

    def load(self, members: Members, samples: Samples, row: int, drawn: MotionDraw) -> _Loaded:
        """The grids of a sample's windows.

        Raises:
            CorruptShardError: a member is no `motion.npz` of its clip.
            SchemaMismatchError: the shards do not hold the field.
        """
        # Played backwards, what is seen at a frame is the way from the frame behind it: that one's motion, turned about.
        frames = drawn.frames[row] + drawn.backwards[row]
        there = drawn.inside[row] & (frames < samples.num_frames[row])
        frames = np.minimum(frames, samples.num_frames[row] - 1)
        field = stored_motion(members, samples, row, frames.ravel())
        mask = there & field.moved.reshape(there.shape)
        scale = self._scale(drawn.box[row], drawn.flip[row], backwards=bool(drawn.backwards[row]))
        vectors = np.moveaxis(field.vectors.reshape(*frames.shape, *field.vectors.shape[1:]), -1, 1)
        grid = vectors * scale[:, :, None, None, None] * mask[:, None, :, None, None]
        corners = ((drawn.box[row] + np.tile(samples.picture[row, :2] % field.cell, 2)) / field.cell).astype(np.float32)
        # DALI turns a region about whose end lies before its start.
        corners[drawn.flip[row]] = corners[drawn.flip[row]][:, [2, 1, 0, 3]]
        # An enlarged map lies between its cells' values, but for the last bits.
        long = bool(np.abs(grid).max() > _NEARLY) and self.view.clamp > 0
        return _Loaded(grid.reshape(len(grid), -1, *grid.shape[3:]), mask, corners[:, [1, 0]], corners[:, [3, 2]], long)

    def _scale(self, box: npt.NDArray[np.float32], flip: npt.NDArray[np.bool_], *, backwards: bool) -> npt.NDArray[np.float32]:
        """(W, 2): what makes quarter pixels of the coded frame the units of the batch, dx and dy apart."""
        view = self.view
        scale = np.full((len(box), 2), (-1.0 if backwards else 1.0) / _QUARTER_PIXELS)
        if view.rescale:
            height, width = sides_of(view.size)
            scale *= (width, height) / (box[:, 2:] - box[:, :2])
        if view.negate:
            scale[:, 0] *= np.where(flip, -1.0, 1.0)
        return (scale / (view.clamp or 1.0)).astype(np.float32)

    def feeds(self, drawn: MotionDraw, loaded: Sequence[_Loaded]) -> dict[str, Any]:
        """Grids, and crops in cells, window by window."""
        feeds: dict[str, Any] = {}
        for window in range(drawn.flip.shape[1]):
            name = f"{self.view.name}.{window}"
            feeds[name] = [sample.grid[window] for sample in loaded]
            feeds[f"{name}.start"] = np.stack([sample.start[window] for sample in loaded])
            feeds[f"{name}.end"] = np.stack([sample.end[window] for sample in loaded])
        return feeds

    def nodes(self, device: str, pictures: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ARG002 - a ViewReader
        """One output a window, (2 T, H, W) a sample."""
        return [self._window(window, device) for window in range(1 + self.view.negatives)]

    def _window(self, window: int, device: str) -> Any:  # noqa: ANN401 - DALI's nodes carry no types
        name = f"{self.view.name}.{window}"
        # As planes: the output then needs no transposition.
        grid = fn.external_source(name=name, layout="CHW", ndim=3, dtype=types.FLOAT)
        return fn.resize(
            grid.gpu() if device == "cuda" else grid,
            size=sides_of(self.view.size),
            roi_start=fn.external_source(name=f"{name}.start", ndim=1, dtype=types.FLOAT),
            roi_end=fn.external_source(name=f"{name}.end", ndim=1, dtype=types.FLOAT),
            interp_type=types.INTERP_LINEAR,
            antialias=True,
        )

    def batch(
        self,
        drawn: MotionDraw,  # noqa: ARG002 - a ViewReader
        loaded: Sequence[_Loaded],
        outputs: Sequence[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """The map (B, W, 2, T, H, W) and its mask (B, W, T)."""
        windows = [output.reshape(len(loaded), 2, self.view.frames, *output.shape[2:]) for output in outputs]
        maps = torch.stack(windows, dim=1) if len(windows) > 1 else windows[0][:, None]
        for row, sample in enumerate(loaded):
            if sample.long:
                maps[row].clamp_(-1.0, 1.0)
        mask = np.stack([sample.mask for sample in loaded])
        return {self.view.name: maps, f"{self.view.name}_mask": torch.from_numpy(mask)}

    def meta(self, drawn: MotionDraw, samples: Samples) -> dict[str, npt.NDArray[Any]]:
        """Frames and seconds (B, W, T) in the run, crop (B, W, 4), flip (B, W), speed and reversal (B,)."""
        seconds = drawn.frames / samples.fps[:, None, None]
        own = {"crop": drawn.box, "flip": drawn.flip, "speed": drawn.speed, "reversed": drawn.backwards}
        return {"frames": drawn.frames, "seconds": seconds, **own}


def disjoint_starts(first: Longs, last: Longs, num_frames: Longs, span: Longs, u: Floats) -> Longs:
    """(B, n) starts of windows of `span` (B,) frames that share no frame with first .. last (B,); from (B, n) numbers.

    A start is drawn twice only where there are fewer than n; -1 where there is none at all.

    Source: CMD's release (CVPR 2021): uniform over all such starts, with replacement only if too few.
    """
    before, behind = np.maximum(first - span + 1, 0), np.maximum(num_frames - span - last, 0)
    room = before + behind
    count = u.shape[1]
    places = np.empty((len(room), 0), np.int64)
    for number in range(count):
        enough = room >= count
        place = uniform(np.where(enough, room - number, room), u[:, number])
        # The place-th of those that are left: a step over every one that is taken, lowest first.
        for taken in np.sort(places, axis=1).T:
            place = place + (enough & (place >= taken))
        places = np.concatenate([places, place[:, None]], axis=1)
    starts = np.where(places < before[:, None], places, places - before[:, None] + last[:, None] + 1)
    return np.where(room[:, None] > 0, starts, -1)
