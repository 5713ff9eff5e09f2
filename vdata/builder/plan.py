"""The plan: which video goes into which shard, under which stable number. Saved before anything is built.

It depends on the listing, the sources' sizes and the plan's settings alone, never on machines or time, so every run of a build
has the same. It only ever grows: videos that come later get shards of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

import numpy as np

from vdata.builder.config import PlanConfig
from vdata.media.source import source_bytes
from vdata.media.url import Root
from vdata.records import Skipped, Video, printable, readable

__all__ = ["Changes", "Plan", "PlannedVideo", "changes", "clip_index", "extend_plan", "located", "make_plan", "renumbered"]

CLIP_BITS = 20
"""Bits of a clip's stable number that count within its video: a million clips a video, 8 million million videos."""
FEWEST_SHARDS = 16
"""A dataset that would fill fewer shards gets smaller ones, so that its build has work for a machine's cores."""
_FEWEST_BYTES_A_SECOND = 50_000
"""A film of fewer, 400 kbit/s, is not looked for when films are divided: that would open nearly every file of a dataset."""

_PLACE = attrgetter("video_id", "source")
"""What videos are sorted by."""

Seconds = Callable[[Video], float]
"""How long a video says it is, without decoding it; 0 where it does not say."""


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """One row of plan.parquet."""

    shard: int
    video_index: int
    """Position in the shuffled order; never given to another video."""
    source_bytes: int
    video: Video
    part: int = 0
    """Which part of a long film; its parts have one video_index and may lie in several shards."""
    num_parts: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The videos of one split in order, and what the listing left out."""

    videos: tuple[PlannedVideo, ...]
    """A long film stands here once for each of its parts."""
    skipped: tuple[Skipped, ...]

    @property
    def num_shards(self) -> int:
        """Shards are numbered from 0 without a gap."""
        return self.videos[-1].shard + 1 if self.videos else 0

    @property
    def num_videos(self) -> int:
        """Videos, each counted once."""
        return sum(planned.part == 0 for planned in self.videos)

    @property
    def source_bytes(self) -> int:
        """Bytes of all source files."""
        return sum(planned.source_bytes for planned in self.videos if planned.part == 0)

    def by_shard(self) -> dict[int, tuple[PlannedVideo, ...]]:
        """The videos of each shard; they lie side by side in the plan."""
        return {shard: tuple(group) for shard, group in groupby(self.videos, key=lambda planned: planned.shard)}


@dataclass(frozen=True, slots=True)
class Changes:
    """How a listing differs from a saved plan."""

    new: tuple[Video, ...]
    gone: tuple[Video, ...]
    changed: tuple[Video, ...]
    """Under a known id, another source, size, span or label."""

    def __str__(self) -> str:
        """Such as "2 are new ('a.mp4', ...), 1 is gone ('b.mp4')"; empty where nothing differs."""
        kinds = (("new", self.new), ("gone", self.gone), ("changed", self.changed))
        return ", ".join(_count(what, videos) for what, videos in kinds if videos)


def make_plan(root: Root, listed: Iterable[Video | Skipped], config: PlanConfig, seconds: Seconds = lambda _: 0.0) -> Plan:
    """The plan of a listing: sorted, shuffled by the seed, long films divided, dealt into shards.

    `seconds` is asked only about files that are large enough to be a film which no task should cut alone.
    """
    entries = list(listed)
    videos, again = _once(sorted((entry for entry in entries if isinstance(entry, Video)), key=_PLACE))
    order = np.random.default_rng(config.seed).permutation(len(videos))
    chosen = [videos[i] for i in order[: config.limit or None].tolist()]
    skipped = tuple(entry for entry in entries if isinstance(entry, Skipped))
    return Plan(_dealt(root, chosen, config, seconds), (*skipped, *again))


def _once(videos: Sequence[Video]) -> tuple[list[Video], list[Skipped]]:
    """The first of the videos of each id, and the others; they are sorted by id. Two of one id would be one in every table."""
    once, again, before = list[Video](), list[Skipped](), ""
    for video in videos:
        if video.video_id == before and once:
            told = f"'{readable(once[-1].source)}' has its id already"
            again.append(Skipped(readable(video.source), "listed_twice", told, video.video_id))
        else:
            once.append(video)
        before = video.video_id
    return once, again


def extend_plan(root: Root, plan: Plan, new: Sequence[Video], config: PlanConfig, seconds: Seconds = lambda _: 0.0) -> Plan:
    """The plan with new videos in new shards behind the old ones, which stay as they are."""
    first_video = max((planned.video_index for planned in plan.videos), default=-1) + 1
    videos = sorted(new, key=_PLACE)
    order = np.random.default_rng([config.seed, first_video]).permutation(len(videos))
    dealt = _dealt(root, [videos[i] for i in order], config, seconds)
    moved = tuple(replace(item, shard=item.shard + plan.num_shards, video_index=item.video_index + first_video) for item in dealt)
    return replace(plan, videos=plan.videos + moved)


def located(plan: Plan, listed: Plan) -> Plan:
    """The plan with what a listing alone knows of its videos: where exactly they are, with what may be secret, and their size."""
    known = {item.video.video_id: item.video for item in listed.videos if item.video.location or item.video.num_bytes >= 0}
    if not known:
        return plan
    videos = (
        replace(item, video=replace(item.video, location=found.location, num_bytes=found.num_bytes))
        if (found := known.get(item.video.video_id))
        else item
        for item in plan.videos
    )
    return replace(plan, videos=tuple(videos))


def changes(saved: Plan, listed: Plan, *, settles: bool = True) -> Changes:
    """How the videos of a new listing differ from those of a saved plan.

    With `settles` a class that the plan knows keeps its index, and a new one whose index is taken gets the next free one: of a
    dataset that numbers classes by the names that are there, as one of folders, a new folder would otherwise renumber all shards
    that stand. Where the dataset has a class list its numbers are right, and other ones are a change.
    """
    before = {planned.video.video_id: planned for planned in saved.videos if planned.part == 0}
    now = {planned.video.video_id: planned for planned in listed.videos if planned.part == 0}
    labels = _settled_labels(_labels(before.values()), _labels(now.values())) if settles else {}
    found = {video_id: _relabelled(planned.video, labels) for video_id, planned in now.items()}
    both = before.keys() & found.keys()
    return Changes(
        new=tuple(found[video_id] for video_id in sorted(found.keys() - before.keys())),
        gone=tuple(before[video_id].video for video_id in sorted(before.keys() - found.keys())),
        changed=tuple(found[video_id] for video_id in sorted(both) if _differs(before[video_id], now[video_id], found[video_id])),
    )


def renumbered(saved: Plan, listed: Plan) -> str:
    """A class that has another number than in a saved plan, in words; empty where none has."""
    before, now = _labels(saved.videos), _labels(listed.videos)
    moved = next((name for name in sorted(before) if now.get(name, before[name]) != before[name]), None)
    if moved is not None:
        return f"class '{printable(moved)}' is {now[moved]} now and was {before[moved]}"
    several = {planned.video.video_id: planned.video.labels for planned in saved.videos}
    other = (item.video for item in listed.videos if several.get(item.video.video_id, item.video.labels) != item.video.labels)
    video = next(other, None)
    return f"'{printable(video.video_id)}' has the classes {list(video.labels)} now" if video else ""


def clip_index(video_index: int, clip_in_video: int) -> int:
    """The stable number of a clip, known before a single video is opened and unique within a folder."""
    return video_index << CLIP_BITS | clip_in_video


def _dealt(root: Root, videos: Sequence[Video], config: PlanConfig, seconds: Seconds) -> tuple[PlannedVideo, ...]:
    """The videos in their order, a film as its parts, each with the shard that it falls into."""
    sizes = [source_bytes(root, video) for video in videos]
    # A task is full by its bytes, or by its minutes where a film says how long it is.
    shard_bytes = min(config.shard_mb * 1e6, max(sum(sizes) / FEWEST_SHARDS, 1e6))
    parts = [
        (i, size, video, part, num_parts)
        for i, (video, size) in enumerate(zip(videos, sizes, strict=True))
        for num_parts in [_num_parts(video, size, config, seconds)]
        for part in range(num_parts)
    ]
    shards = _deal(max(size / num_parts / shard_bytes, 1.0 if num_parts > 1 else 0.0) for _, size, _, _, num_parts in parts)
    return tuple(PlannedVideo(shard, *planned) for shard, planned in zip(shards, parts, strict=True))


def _num_parts(video: Video, size: int, config: PlanConfig, seconds: Seconds) -> int:
    """How many tasks a film takes; 1 for nearly every video."""
    if video.start_seconds or size < config.part_seconds * _FEWEST_BYTES_A_SECOND:
        return 1
    wanted = math.inf if video.end_seconds is None else video.end_seconds
    return max(1, math.ceil(min(seconds(video), wanted) / config.part_seconds))


def _deal(fills: Iterable[float]) -> list[int]:
    """The shard of each video by what share of a shard it fills: the next one starts when the present one has its fill."""
    shards, shard, filled = [], 0, 0.0
    for fill in fills:
        if filled and filled + fill / 2 > 1:
            shard, filled = shard + 1, 0.0
        shards.append(shard)
        filled += fill
    return shards


def _labels(videos: Iterable[PlannedVideo]) -> dict[str, int]:
    """The index of every class that has a name."""
    return {planned.video.label_name: planned.video.label for planned in videos if planned.video.label_name}


def _settled_labels(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """The index of every class name."""
    settled, taken = dict(before), set(before.values())
    for name, label in sorted(now.items(), key=lambda item: item[1]):
        if name not in settled:
            settled[name] = label if label not in taken else max(taken) + 1
            taken.add(settled[name])
    return settled


def _relabelled(video: Video, labels: Mapping[str, int]) -> Video:
    return replace(video, label=labels.get(video.label_name, video.label))


def _differs(before: PlannedVideo, now: PlannedVideo, video: Video) -> bool:
    return before.video != video or before.source_bytes != now.source_bytes


def _count(what: str, videos: Sequence[Video]) -> str:
    more = ", ..." if len(videos) > 1 else ""
    return f"{len(videos)} {'is' if len(videos) == 1 else 'are'} {what} ('{printable(videos[0].source)}'{more})"
