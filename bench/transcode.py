"""Transcoding: what the builder adds to bare x264.

`ffmpeg` runs the very arguments that the builder runs and throws the bytes away: the limit. `cut` is the library's generator
(probe, encode, parse, cut into clips). `clips` is all that a build does to a video: cut, contract check, keyframes, motion.

Sources are clips of the given shards, written out as files, so that the case needs nothing else.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from vdata import open_shards
from vdata.bench import Bench, Skip, Variant
from vdata.extract import EXTRACTORS
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.contract import check_clip
from vdata.media.cut import CutPlan, DroppedTail, cut, encode_arguments, plan_cut
from vdata.media.ffmpeg import binary
from vdata.media.source import open_source
from vdata.records import Video

UNIT = "frames/s"
EXTRACT = ("keyframes", "motion")
LIMITS = LimitConfig()


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Bare ffmpeg, the cut, and the whole of a build's work on the same videos."""
    videos = _sources(bench)
    picture = open_shards(bench.shards)[0].row["picture"]
    config = ClipConfig(short_side=min(picture["width"], picture["height"]))
    paths = [bench.scratch / video.source for video in videos]
    plans = [_plan(bench.scratch, video, config) for video in videos]
    commands = [encode_arguments(plan, video, config, LIMITS) for plan, video in zip(plans, videos, strict=True)]
    extractors = [EXTRACTORS[name](EXTRACTORS[name].Config()) for name in EXTRACT]
    num_frames = sum(_count(bench.scratch, video, config) for video in videos)

    def ffmpeg() -> float:
        for path, arguments in zip(paths, commands, strict=True):
            with path.open("rb") as source:
                command = [binary(), "-nostdin", "-hide_banner", *arguments]
                subprocess.run(command, stdin=source, stdout=subprocess.DEVNULL, check=True)
        return num_frames

    def cut_only() -> float:
        return sum(_count(bench.scratch, video, config) for video in videos)

    def clips() -> float:
        total = 0
        for video in videos:
            for clip in cut(bench.scratch, video, config, LIMITS):
                total += clip.num_frames
                if not isinstance(clip, DroppedTail):
                    check_clip(clip)
                    for extractor in extractors:
                        extractor(clip)
        return total

    return [Variant("ffmpeg", ffmpeg), Variant("cut", cut_only), Variant("clips", clips)]


def _sources(bench: Bench) -> list[Video]:
    """The first clips of the shards as files; their frames are known, so the cut's counts can be held against them."""
    shards = open_shards(bench.shards)
    videos = []
    for number in range(min(len(shards), 8 if bench.quick else 40)):
        name = f"{number:04d}.mp4"
        (bench.scratch / name).write_bytes(shards[number]["mp4"])
        videos.append(Video(name, name))
        found = _count(bench.scratch, videos[-1], ClipConfig(short_side=64, preset="ultrafast", seconds=1000))
        if found != shards[number].row["num_frames"]:
            raise ValueError(f"{found} frames were cut from clip '{shards[number].key}' of {shards[number].row['num_frames']}")
    return videos


def _plan(root: Path, video: Video, config: ClipConfig) -> CutPlan:
    with open_source(root, video.source) as file:
        return plan_cut(file, video, config, LIMITS)


def _count(root: Path, video: Video, config: ClipConfig) -> int:
    return sum(item.num_frames for item in cut(root, video, config, LIMITS))
