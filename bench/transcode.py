"""Transcoding: what a build does with a video, step by step, against bare x264.

`ffmpeg` runs the very arguments that the builder runs and throws the bytes away: the limit of the clips alone. `floor` is the
same and then the motion pass over the finished clips: no build with motion vectors can be faster. `probe` finds out what the
source is. `cut` is the library's generator (probe, encode, cut into clips); `checked` adds the contract check, which makes the
motion pass; `built` adds keyframes and the motion grid: all that a worker does but for writing.

Sources are made of the given shards' clips: of UCF101's size (7 seconds of 320x240, half of them MPEG-4 in AVI, half H.264 in
MP4) and of 720p (10 seconds). Every variant is held against the `ffmpeg` of its size; a ratio of speeds of 0.83 is 1.2
times the time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from vdata.bench import Bench, Skip, Variant
from vdata.bench.sources import HD, UCF, SourceKind, make_sources
from vdata.extract import EXTRACTORS
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import DroppedTail, cut, encode_arguments, plan_cut
from vdata.media.ffmpeg import binary
from vdata.media.origin import Origin
from vdata.media.probe import probe
from vdata.media.source import open_source
from vdata.records import Video

UNIT = "frames/s"
EXTRACT = ("keyframes", "motion")
CLIP, LIMITS = ClipConfig(), LimitConfig()


class Size(NamedTuple):
    """Sources of one size, a share of them of each kind."""

    name: str
    kinds: tuple[SourceKind, ...]
    num_each: int
    num_quick: int


SIZES = (Size("ucf", (UCF, replace(UCF, ext="mp4", encoder=HD.encoder)), 16, 4), Size("720p", (HD,), 6, 2))


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """The steps for both sizes, once all videos have given all their frames."""
    offered: list[Variant | Skip] = []
    for size in SIZES:
        folder, count = bench.scratch / size.name, size.num_quick if bench.quick else size.num_each
        paths = [path for kind in size.kinds for path in make_sources(bench.shards, folder, kind, count, distinct=count)]
        frames = count * sum(kind.fps * kind.seconds for kind in size.kinds)
        steps = Steps(folder, [Video(path.name, path.name) for path in paths], frames)
        first = f"{size.name} ffmpeg"
        offered += [Variant(f"{size.name} {name}", run, base=first) for name, run in steps.named().items()]
    return offered


class Steps:
    """The steps on the same videos; each returns the number of frames."""

    def __init__(self, root: Path, videos: Sequence[Video], num_frames: float) -> None:
        """Works on the files `videos` below `root`, of so many frames in all."""
        self._root, self._videos, self._num_frames = root, videos, num_frames
        self._extractors = [EXTRACTORS[name](EXTRACTORS[name].Config()) for name in EXTRACT]
        if (found := self.cut()) != num_frames:
            raise ValueError(f"{found:.0f} frames were cut from {len(videos)} videos of {num_frames:.0f} frames")

    def named(self) -> dict[str, Callable[[], float]]:
        """By the names of the module's docstring."""
        steps = (self.ffmpeg, self.floor, self.probe, self.cut, self.checked, self.built)
        return {step.__name__: step for step in steps}

    def ffmpeg(self) -> float:
        """The bare encode."""
        for video, arguments in zip(self._videos, self._commands, strict=True):
            with (self._root / video.source).open("rb") as source:
                command = [binary(), "-nostdin", "-hide_banner", *arguments]
                subprocess.run(command, stdin=source, stdout=subprocess.DEVNULL, check=True)
        return self._num_frames

    def floor(self) -> float:
        """The bare encode, then the motion pass."""
        self.ffmpeg()
        return float(sum(len(replace(clip).motion.types) for clip in self._finished))  # a copy: the pass is kept with the clip

    def probe(self) -> float:
        """What the sources are."""
        for video in self._videos:
            with open_source(self._root, video.source) as file:
                probe(file, LIMITS)
        return self._num_frames

    def cut(self) -> float:
        """The clips as they leave the library's generator."""
        return float(sum(clip.num_frames for clip in self._clips()))

    def checked(self) -> float:
        """Cut, and the contract check."""
        total = 0.0
        for clip in self._clips():
            check_clip(clip)
            total += clip.num_frames
        return total

    def built(self) -> float:
        """Cut, checked, and the extractors."""
        total = 0.0
        for clip in self._clips():
            check_clip(clip)
            for extractor in self._extractors:
                extractor(clip)
            total += clip.num_frames
        return total

    @cached_property
    def _commands(self) -> list[list[str]]:
        commands = []
        for video in self._videos:
            with open_source(self._root, video.source) as file:
                commands.append(encode_arguments(plan_cut(Origin(self._root, video, LIMITS, file), CLIP), CLIP))
        return commands

    @cached_property
    def _finished(self) -> list[EncodedClip]:
        return list(self._clips())

    def _clips(self) -> Iterator[EncodedClip]:
        for video in self._videos:
            yield from (clip for clip in cut(self._root, video, CLIP, LIMITS) if not isinstance(clip, DroppedTail))
