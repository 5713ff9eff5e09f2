"""The samples of a batch, and what is known of them before a byte is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pipelines.clips import Clips
from pipelines.units import Runs
from pipelines.windows import Window, draw_windows
from vdata.views import Clip, Motion, View

__all__ = ["Samples", "known_of", "put"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """B samples: each is one unbroken run of a video's clips, and random numbers for every view."""

    clips: Clips
    runs: Runs
    """Which clips a sample is made of. Frames are counted from a run's first one."""
    first_clip: Longs
    """(B,) the run's first clip in the index."""
    num_frames: Longs
    """(B,) of the run."""
    fps: Floats
    """(B,)"""
    picture: npt.NDArray[np.int32]
    """(B, 4): x, y, width, height of the picture in the coded frame; the same for all clips of a video."""
    gop: Longs
    """(B,): keyframes stand at its multiples."""
    u: Mapping[str, Floats]
    """By view, (B, NUM_UNIFORMS) numbers in [0, 1)."""
    coins: Floats
    """(B, NUM_UNIFORMS) numbers in [0, 1) that the sample's views share."""
    windows: Mapping[str, Window]
    """By view, for those that take windows."""

    def __len__(self) -> int:
        """B."""
        return len(self.num_frames)

    def replace(self, row: int, one: Samples) -> None:
        """Writes the facts of the only sample of `one` over those of a row. Runs and numbers, which loading alone needs, stay."""
        for name in ("first_clip", "num_frames", "fps", "picture", "gop"):
            getattr(self, name)[row] = getattr(one, name)[0]


def known_of(clips: Clips, runs: Runs, views: Sequence[View], u: Mapping[str, Floats], coins: Floats) -> Samples:
    """The samples of these runs, with the windows of all views drawn."""
    first = np.array(runs.first_clip)
    num_frames, fps = runs.num_frames.astype(np.int64), np.asarray(clips.fps[first])
    windowed = [view for view in views if isinstance(view, Clip | Motion)]
    windows = draw_windows(windowed, num_frames, fps, u, coins)
    picture, gop = np.asarray(clips.picture[first]), np.asarray(clips.gop[first]).astype(np.int64)
    return Samples(clips, runs, first, num_frames, fps, picture, gop, u, coins, windows)


def put(drawn: object, row: int, one: object) -> None:
    """Writes the only row of a draw over a row of another: of all arrays in a dataclass, and of dataclasses in it."""
    for field in fields(drawn):  # type: ignore[arg-type]
        mine, other = getattr(drawn, field.name), getattr(one, field.name)
        if isinstance(mine, np.ndarray):
            mine[row] = other[0]
        elif mine is not None:
            put(mine, row, other)
