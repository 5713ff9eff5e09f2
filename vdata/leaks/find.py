"""The whole check: open, hash, compare, tell."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vdata.errors import ConfigError
from vdata.leaks.config import LeakConfig
from vdata.leaks.frames import Unreadable, hash_folder
from vdata.leaks.groups import find_group_leaks
from vdata.leaks.match import Footage, VideoPair, match_frames, match_videos
from vdata.leaks.report import FolderFacts, Kind, Leak, LeakReport, LeakVideo
from vdata.leaks.videos import Videos
from vdata.shards.index import open_index
from vdata.shards.remote import Folder, folder_of

__all__ = ["find_leaks"]

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
OnStep = Callable[[str, int, int], None]


def find_leaks(
    shards: Sequence[str | Path], config: LeakConfig | None = None, *, workers: int = 1, on_step: OnStep | None = None
) -> LeakReport:
    """Which videos of these shard folders look alike though they are on two sides, and which groups are on both.

    Compared are videos of two folders; within a folder that is not itself one side, as `train`, videos on two sides of a split
    that the column `splits` names; and videos of two groups of UCF101.

    Args:
        shards: folders, or URLs, of shards.
        config: what counts as alike.
        workers: processes that hash and threads that search; 1 hashes in this process. They import the main module, so a script
            that gives more guards its own work by `if __name__ == "__main__":`.
        on_step: called now and then with what is done, how much of it, and all of it.

    Raises:
        ConfigError: there is nothing to compare.
        ShardError: a folder has no shards, or cannot be read.
    """
    config, tell = config or LeakConfig(), on_step or _silent
    places = [folder_of(path) for path in shards]
    _check_names(places)
    videos = [Videos.of(open_index(place)) for place in places]
    _check_comparable(videos, config)
    hashed = [_hash(place, own, config, workers, tell) for place, own in zip(places, videos, strict=True)]
    check = _Check([part.reel for part in hashed], config, workers, tell)
    pairs = sorted(check.pairs(), key=lambda pair: (not pair.is_leak, pair.distance, -pair.second.matched))
    unreadable = tuple(item for part in hashed for item in part.unreadable)
    return LeakReport(
        tuple(part.facts for part in hashed), tuple(pairs), tuple(find_group_leaks(videos)), check.num_common, unreadable
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Reel:
    """Videos and their hashed keyframes."""

    videos: Videos
    footage: Footage


@dataclass(frozen=True, slots=True, eq=False)
class _Hashed:
    """What hashing a folder gave."""

    reel: _Reel
    facts: FolderFacts
    unreadable: tuple[Unreadable, ...]


def _check_names(places: Sequence[Folder]) -> None:
    names = [str(place.resolve()) if isinstance(place, Path) else str(place) for place in places]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"'{name}' is named twice: every folder once; --within compares a folder's videos with each other")


def _check_comparable(videos: Sequence[Videos], config: LeakConfig) -> None:
    if len(videos) == 1 and not (videos[0].has_parts or config.within):
        raise ConfigError(
            f"'{videos[0].folder}' is all of one side: name a second folder, or compare its videos with each other by --within"
        )


def _hash(place: Folder, videos: Videos, config: LeakConfig, workers: int, tell: OnStep) -> _Hashed:
    frames = hash_folder(place, config, workers=workers, on_clips=lambda done, total: tell(f"hashing {place}", done, total))
    owner = videos.of_clip[frames.clip]
    totals = np.bincount(owner, weights=frames.weight, minlength=len(videos)).astype(np.int64)
    facts = FolderFacts(
        str(place),
        clips=len(videos.of_clip),
        videos=len(videos),
        keyframes=int(totals.sum()),
        blank=frames.num_blank,
        unchecked=int(np.count_nonzero(totals == 0)),
    )
    return _Hashed(_Reel(videos, Footage(frames, owner, totals)), facts, frames.unreadable)


class _Check:
    """The comparisons."""

    def __init__(self, reels: Sequence[_Reel], config: LeakConfig, workers: int, tell: OnStep) -> None:
        self._reels, self._config, self._workers, self._tell = reels, config, workers, tell
        self.num_common = 0
        """Keyframes that looked like too many, in all comparisons so far."""

    def pairs(self) -> Iterator[Leak]:
        """Every pair of videos that look alike; if one also is the other's mirror image, they are one pair."""
        for one, other in itertools.combinations_with_replacement(self._reels, 2):
            if one is other and not (one.videos.has_parts or self._config.within):
                continue
            found: dict[tuple[int, int], VideoPair] = {}
            for mirrored in (False, True) if self._config.mirror else (False,):
                for pair in self._compare(one, other, mirrored=mirrored):
                    found.setdefault((pair.first, pair.second), pair)
            yield from (_leak(one.videos, other.videos, pair) for pair in found.values())

    def _compare(self, one: _Reel, other: _Reel, *, mirrored: bool) -> list[VideoPair]:
        def wanted(first: Longs, second: Longs) -> Bools:
            if one is not other:
                return np.ones(len(first), bool)
            if self._config.within:
                return np.asarray(first != second)
            return one.videos.differ_in_split(first, second) | one.videos.differ_in_scene(first, second)

        pairs = match_frames(
            one.footage,
            None if one is other else other.footage,
            self._config,
            wanted,
            mirrored=mirrored,
            workers=self._workers,
            on_part=lambda done, total: self._tell("comparing", done, total),
        )
        self.num_common += pairs.num_common
        return match_videos(one.footage, other.footage, pairs, self._config, mirrored=mirrored)


def _leak(one: Videos, other: Videos, pair: VideoPair) -> Leak:
    return Leak(_kind(one, other, pair), _told(one, pair, 0), _told(other, pair, 1), pair.distance, pair.mirrored)


def _kind(one: Videos, other: Videos, pair: VideoPair) -> Kind:
    if one is not other:
        return "folders"
    first, second = np.array([pair.first]), np.array([pair.second])
    if one.differ_in_split(first, second)[0]:
        return "splits"
    return "groups" if one.differ_in_scene(first, second)[0] else "within"


def _told(videos: Videos, pair: VideoPair, place: int) -> LeakVideo:
    video = (pair.first, pair.second)[place]
    return LeakVideo(
        folder=videos.folder,
        video_id=videos.ids[video],
        source=videos.sources[video],
        label_name=videos.labels[video],
        splits=videos.splits[video],
        group=videos.groups[video],
        keys=videos.keys[video],
        matched=pair.matched[place],
        hashed=pair.hashed[place],
        seconds=round(pair.seconds[place], 3),
    )


def _silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""
