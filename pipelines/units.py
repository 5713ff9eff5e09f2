"""What one position of the global sequence stands for: a clip, or a video with all its clips.

A video's clips with consecutive `clip_in_video` follow one another without a gap: they are a run, in which windows may lie
across clips. A clip that failed, or that a filter leaves out, ends a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.clips import Clips

__all__ = ["ClipUnits", "Runs", "Units", "VideoUnits", "make_units"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs that the B samples of a batch take their windows from."""

    clip: Longs
    """(K,) clips of the index; those of row b are clip[start[b] : stop[b]]."""
    first_frame: Longs
    """(K + 1,) the clips' first frames, counted through all K, and the end."""
    start: Longs
    """(B,)"""
    stop: Longs
    """(B,)"""

    def __len__(self) -> int:
        """B."""
        return len(self.start)

    @property
    def num_frames(self) -> Longs:
        """(B,) frames of each run."""
        return self.first_frame[self.stop] - self.first_frame[self.start]

    @property
    def first_clip(self) -> Longs:
        """(B,) the first clip of each run, whose label and picture are the others' too."""
        return self.clip[self.start]

    def clips(self, row: int) -> Longs:
        """The clips of a row's run, in their order."""
        return self.clip[self.start[row] : self.stop[row]]

    def bounds(self, row: int) -> Longs:
        """(n + 1,) the frames of a row's run at which its clips begin, and the end."""
        absolute = self.first_frame[self.start[row] : self.stop[row] + 1]
        bounds: Longs = absolute - absolute[0]
        return bounds

    def places(self, row: int, frames: Longs) -> list[tuple[int, Longs, Longs]]:
        """Where frames (T,) of a row's run lie: each clip, the frames counted in it, and their places in `frames`.

        In the order of the run; every frame must be one of the run's. The same frame may be asked for twice.
        """
        start, stop = int(self.start[row]), int(self.stop[row])
        if stop - start == 1:
            return [(int(self.clip[start]), frames, np.arange(len(frames)))]
        absolute = frames + self.first_frame[start]
        found = np.searchsorted(self.first_frame[start : stop + 1], absolute, "right") - 1 + start
        places = [(k, np.flatnonzero(found == k)) for k in np.unique(found).tolist()]
        return [(int(self.clip[k]), absolute[place] - self.first_frame[k], place) for k, place in places]


@dataclass(frozen=True, slots=True, eq=False)
class ClipUnits:
    """Clips, each a run of its own. Keeps nothing for a clip but its number."""

    clips: Clips
    first_clip: Longs
    """(U,) the clip of every unit, ascending."""
    num_short: int
    """Clips left out because they have fewer frames than a window spans."""

    @classmethod
    def of(cls, clips: Clips, used: Longs, span: int = 0) -> ClipUnits:
        """The clips `used` (ascending numbers of the index) that have at least `span` frames."""
        long = used[np.asarray(clips.num_frames)[used] >= span] if span > 0 else used
        return cls(clips, long, len(used) - len(long))

    @property
    def num_short_clips(self) -> int:
        """The same as num_short."""
        return self.num_short

    def __len__(self) -> int:
        """U."""
        return len(self.first_clip)

    @property
    def video(self) -> Longs:
        """(U,) the video of every unit. Made anew by every call, unless all clips of the index are units."""
        return self.of_first(self.clips.video)

    @property
    def shard(self) -> npt.NDArray[np.integer]:
        """(U,) the shard of every unit, likewise."""
        return self.of_first(self.clips.shard)

    def of_first(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(U,) what an array (N, ...) of the index says of every unit's first clip."""
        return values if len(self) == len(self.clips) else values[self.first_clip]

    def mean(self, values: Floats) -> Floats:
        """(U,) the mean of `values` (N,) over the clips of every unit."""
        return self.of_first(values)

    def longest_runs(self, which: Longs) -> Runs:
        """The only run of each of the units `which` (B,)."""
        return self.runs(which, np.zeros(len(which)))

    def runs(self, which: Longs, u: Floats) -> Runs:  # noqa: ARG002 - a clip is one run
        """The runs of units `which` (B,)."""
        clip = self.first_clip[which]
        rows = np.arange(len(clip))
        return Runs(clip, _starts(self.clips.num_frames[clip]), rows, rows + 1)


@dataclass(frozen=True, slots=True, eq=False)
class VideoUnits:
    """Videos, in the order of their first clips in the index."""

    clips: Clips
    clip: Longs
    """(K,) the clips of all runs, video after video, each video's in its own order."""
    first_frame: Longs
    """(K + 1,) see Runs."""
    run_start: Longs
    """(R + 1,) where the runs begin among the clips, and K."""
    unit_start: Longs
    """(U + 1,) where the videos begin among the runs, and R."""
    num_short: int
    """Videos left out because no run of theirs has as many frames as a window spans."""
    num_short_clips: int
    """Clips of runs left out for the same, those of other videos among them."""

    @classmethod
    def of(cls, clips: Clips, used: Longs, span: int = 0) -> VideoUnits:
        """The videos of the clips `used` (ascending numbers of the index), with their runs of at least `span` frames."""
        clip, video, number = _by_video(used, clips.video[used], clips.column("clip_in_video")[used])
        new_run = _differs(video)
        num_videos = int(new_run.sum())
        new_run[1:] |= number[1:] != number[:-1] + 1
        run_start = np.append(np.flatnonzero(new_run), len(clip))
        first_frame = _starts(clips.num_frames[clip])
        long = np.diff(first_frame[run_start]) >= span
        if not long.all():
            num_clips = np.diff(run_start)
            clip = clip[np.repeat(long, num_clips)]
            run_start, first_frame = _starts(num_clips[long]), _starts(clips.num_frames[clip])
        unit_start = np.append(np.flatnonzero(_differs(video[new_run][long])), len(run_start) - 1)
        num_short = num_videos - (len(unit_start) - 1)
        return cls(clips, clip, first_frame, run_start, unit_start, num_short, len(used) - len(clip))

    def __len__(self) -> int:
        """U."""
        return len(self.unit_start) - 1

    @property
    def first_clip(self) -> Longs:
        """(U,) the first clip of every unit."""
        return self.clip[self.run_start[self.unit_start[:-1]]]

    @property
    def video(self) -> Longs:
        """(U,) the video of every unit: no two are the same."""
        return self.of_first(self.clips.video)

    @property
    def shard(self) -> npt.NDArray[np.integer]:
        """(U,) the shard of every unit's first clip; the others may lie in other shards."""
        return self.of_first(self.clips.shard)

    def of_first(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(U,) what an array (N, ...) of the index says of every unit's first clip."""
        return values[self.first_clip]

    def mean(self, values: Floats) -> Floats:
        """(U,) the mean of `values` (N,) over the clips of every unit."""
        start = self.run_start[self.unit_start]
        return np.add.reduceat(values[self.clip], start[:-1]) / np.diff(start) if len(self) else np.empty(0)

    def runs(self, which: Longs, u: Floats) -> Runs:
        """A run of each of the units `which` (B,), drawn with numbers `u` (B,) in [0, 1) in proportion to its frames."""
        low, high = self.unit_start[which], self.unit_start[which + 1]
        before, end = self.first_frame[self.run_start[low]], self.first_frame[self.run_start[high]]
        clip = np.searchsorted(self.first_frame, before + np.floor((end - before) * u).astype(np.int64), "right") - 1
        run = np.searchsorted(self.run_start, clip, "right") - 1
        # Of runs that have no frames at all, each is as likely.
        run = np.where(end > before, run, low + np.floor((high - low) * u).astype(np.int64))
        return Runs(self.clip, self.first_frame, self.run_start[run], self.run_start[run + 1])

    def longest_runs(self, which: Longs) -> Runs:
        """The run with the most frames of each of the units `which` (B,), of equal ones the first."""
        spans = zip(self.unit_start[which].tolist(), self.unit_start[which + 1].tolist(), strict=True)
        frames = [(low, np.diff(self.first_frame[self.run_start[low : high + 1]])) for low, high in spans]
        run = np.array([low + int(np.argmax(each)) for low, each in frames], np.int64)
        return Runs(self.clip, self.first_frame, self.run_start[run], self.run_start[run + 1])


Units = ClipUnits | VideoUnits
"""What the loader counts by."""


def make_units(unit: Literal["clip", "video"], clips: Clips, used: Longs, span: int = 0) -> Units:
    """The units of the clips `used` (ascending numbers of the index) in which windows of `span` frames have room.

    A span of 0 leaves out nothing, not even rows without a video.
    """
    return ClipUnits.of(clips, used, span) if unit == "clip" else VideoUnits.of(clips, used, span)


def _by_video(clip: Longs, video: Longs, number: npt.NDArray[np.integer]) -> tuple[Longs, Longs, npt.NDArray[np.integer]]:
    """The clips with those of a video side by side in the order of their numbers, the videos as they are first met."""
    next_video, next_number = video[1:] > video[:-1], number[1:] > number[:-1]
    if np.all(next_video | (next_number & (video[1:] == video[:-1]))):
        return clip, video, number
    _, first_met, which = np.unique(video, return_index=True, return_inverse=True)
    order = np.lexsort((number, first_met[which]))
    return clip[order], video[order], number[order]


def _differs(values: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """(n,) whether a value is another than the one before; true for the first."""
    return np.concatenate([np.ones(min(len(values), 1), bool), values[1:] != values[:-1]])


def _starts(sizes: npt.NDArray[np.integer]) -> Longs:
    """(n + 1,) where each of n parts begins, and where the last ends."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
