"""Keyframes that look alike become videos that do: enough of them, and not one title card."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vdata.leaks.config import LeakConfig
from vdata.leaks.frames import Frames
from vdata.leaks.hash import MIRRORED, frame_distances
from vdata.leaks.search import near_pairs

__all__ = ["Footage", "FramePairs", "VideoPair", "match_frames", "match_videos"]

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """The hashed keyframes of some videos."""

    frames: Frames
    video: Longs
    """(N,): whose each is."""
    totals: Longs
    """(V,): how many keyframes of each video were hashed, still ones counted singly."""


@dataclass(frozen=True, slots=True, eq=False)
class FramePairs:
    """Keyframes that look alike."""

    first: Longs
    """(P,): places in the one footage."""
    second: Longs
    """(P,): places in the other."""
    distance: Longs
    """(P,): in bits of 256."""
    num_common: int = 0
    """Keyframes that were left out because they look like too many."""


@dataclass(frozen=True, slots=True)
class VideoPair:
    """Two videos of which enough looks alike; the numbers are those of the two footages."""

    first: int
    second: int
    matched: tuple[int, int]
    """Keyframes of each that look like one of the other."""
    hashed: tuple[int, int]
    """Keyframes of each that were compared."""
    distance: float
    """Median over the keyframes of the first that match, in bits of 256."""
    seconds: tuple[float, float]
    """Where in its source each is most like the other."""
    mirrored: bool


def match_frames(
    one: Footage,
    other: Footage | None,
    config: LeakConfig,
    wanted: Callable[[Longs, Longs], Bools],
    *,
    mirrored: bool = False,
    workers: int = 0,
    on_part: Callable[[int, int], None] | None = None,
) -> FramePairs:
    """The pairs of keyframes within both distances, of pairs of videos that are `wanted`.

    Args:
        one: whose keyframes are `first`.
        other: whose are `second`; None compares `one` with itself.
        config: the distances.
        wanted: whether each of some pairs of videos (P,), (P,) is to be compared.
        mirrored: compares with the mirror images of `other`.
        workers: threads of the search; 0 is one a core.
        on_part: as near_pairs has it.
    """
    facing = one if other is None else other
    hashes, others = one.frames.hashes, facing.frames.hashes ^ (MIRRORED if mirrored else np.uint64(0))

    def keep(first: Longs, second: Longs) -> Bools:
        kept = wanted(one.video[first], facing.video[second])
        if other is None and mirrored:
            # Of a footage and its own mirror image every pair comes twice.
            kept &= first < second
        near = np.flatnonzero(kept)
        kept[near] = frame_distances(hashes[first[near]], others[second[near]]) <= config.max_distance
        return kept

    within = other is None and not mirrored
    found = near_pairs(
        np.ascontiguousarray(hashes[:, 0]),
        None if within else np.ascontiguousarray(others[:, 0]),
        min(config.search_distance, config.max_distance),
        keep=keep,
        limit=config.max_neighbours,
        workers=workers,
        on_part=on_part,
    )
    distance = frame_distances(hashes[found.first], others[found.second])
    return FramePairs(found.first, found.second, distance, found.num_common)


def match_videos(
    one: Footage, other: Footage, pairs: FramePairs, config: LeakConfig, *, mirrored: bool = False
) -> list[VideoPair]:
    """The pairs of videos of which config.min_fraction of the one, or config.min_scenes different keyframes, look alike."""
    first, second = pairs.first, pairs.second
    if one is other:
        # The video with the smaller number comes first.
        turned = one.video[first] > one.video[second]
        first, second = np.where(turned, second, first), np.where(turned, first, second)
    videos = np.stack([one.video[first], other.video[second]])
    order = np.lexsort((first, videos[1], videos[0]))
    bounds = np.flatnonzero(np.any(np.diff(videos[:, order], axis=1, prepend=-1, append=-1), axis=0)).tolist()
    found = []
    for here in (order[start:end] for start, end in itertools.pairwise(bounds)):
        sides = _Side(one, first[here], config), _Side(other, second[here], config)
        if _is_match(sides, config):
            found.append(_video_pair(sides, pairs.distance[here], mirrored=mirrored))
    return found


class _Side:
    """What one of two videos has in common with the other."""

    def __init__(self, footage: Footage, places: Longs, config: LeakConfig) -> None:
        frames, matched = footage.frames, np.unique(places)
        self.video = int(footage.video[places[0]])
        self.places, self.seconds = places, frames.seconds
        self.matched, self.hashed = int(frames.weight[matched].sum()), int(footage.totals[self.video])
        hashes = frames.hashes[matched]
        self.num_scenes = 1 + int(np.count_nonzero(frame_distances(hashes[1:], hashes[:-1]) > config.max_distance))


def _is_match(sides: tuple[_Side, _Side], config: LeakConfig) -> bool:
    fraction = max(side.matched / side.hashed for side in sides)
    return fraction >= config.min_fraction or min(side.num_scenes for side in sides) >= config.min_scenes


def _video_pair(sides: tuple[_Side, _Side], distance: Longs, *, mirrored: bool) -> VideoPair:
    one, other = sides
    # Of each keyframe of the first, what is nearest to it: places are in their order.
    each = np.minimum.reduceat(distance, np.flatnonzero(np.diff(one.places, prepend=-1)))
    best = int(np.argmin(distance))
    return VideoPair(
        one.video,
        other.video,
        (one.matched, other.matched),
        (one.hashed, other.hashed),
        float(np.median(each)),
        (float(one.seconds[one.places[best]]), float(other.seconds[other.places[best]])),
        mirrored,
    )
