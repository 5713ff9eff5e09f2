"""What a build will take, from the headers of a few of its videos. Rough, and said so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vdata.builder.config import BuildConfig
from vdata.builder.plan import PlannedVideo
from vdata.errors import MediaError
from vdata.media.duration import described_seconds
from vdata.media.url import Root

__all__ = ["Estimate", "estimate"]

NUM_LOOKED_AT = 24
_CORE_RATE = 12.0
"""Seconds of 30 fps video that a core cuts, checks and extracts in a second: 360 frames/s. `vdata bench` measures it."""
_CLIP_BYTES = 42_000
"""Bytes that a second takes in a shard at 256 pixels, crf 23: 37.6 kB of x264 veryfast, fastdecode's 6.5 % and the motion."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Rough sizes of a build."""

    num_looked_at: int
    """Videos whose header was read; the rest is taken to be as long for its bytes."""
    hours: float
    """Of video."""
    clips: int
    bytes: int
    """Of the shards; for another size or quality than the default, scaled by the pixels alone."""
    core_hours: float


def estimate(planned: Sequence[PlannedVideo], config: BuildConfig, root: Root) -> Estimate:
    """The estimate for the videos of a plan.

    Source: our own choice: seconds a byte over a sample of the plan, which is in random order.
    """
    films = [item for item in planned if item.part == 0]
    # The others, as documents, are a row each and cost next to nothing.
    videos = [item for item in films if item.video.has_pictures]
    seconds, looked_at, size = 0.0, 0, 0
    for item in videos[:NUM_LOOKED_AT]:
        told = _seconds(item, config, root)
        if told > 0:
            seconds, looked_at, size = seconds + told, looked_at + 1, size + item.source_bytes
    total = seconds / size * sum(item.source_bytes for item in videos) if size else 0.0
    pixels = (config.clip.short_side / 256) ** 2
    return Estimate(
        num_looked_at=looked_at,
        hours=total / 3600,
        clips=math.ceil(max(total / config.clip.seconds, len(videos) if total else 0)) + len(films) - len(videos),
        bytes=int(total * _CLIP_BYTES * pixels),
        core_hours=total / _CORE_RATE / 3600,
    )


def _seconds(item: PlannedVideo, config: BuildConfig, root: Root) -> float:
    """The wanted length of a video, by its header."""
    video = item.video
    if video.end_seconds is not None:
        return video.end_seconds - video.start_seconds
    try:
        return described_seconds(root, video, config.limit) - video.start_seconds
    except MediaError:
        return 0.0
