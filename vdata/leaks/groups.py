"""Groups that are on two sides, by names alone: UCF101's clips of one scene, Kinetics' cuts of one YouTube video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vdata.leaks.report import GroupLeak
from vdata.leaks.videos import Videos, fold_of, side_to_clean

__all__ = ["find_group_leaks"]


def find_group_leaks(folders: Sequence[Videos]) -> list[GroupLeak]:
    """The groups of which videos lie in two of the folders, or on two sides of a split in one, by name."""
    members: dict[str, list[tuple[Videos, int]]] = {}
    for videos in folders:
        for video, group in enumerate(videos.groups):
            if group:
                members.setdefault(group, []).append((videos, video))
    return [leak for group, found in sorted(members.items()) for leak in _leaks(group, found)]


def _leaks(group: str, found: Sequence[tuple[Videos, int]]) -> Iterator[GroupLeak]:
    """One leak for a group in two folders, or one for each fold of a folder that puts it on two sides."""
    folders = _gathered((videos.folder, [videos.ids[video]]) for videos, video in found)
    if len(folders) > 1:
        yield GroupLeak(group, folders, _gathered((videos.folder, videos.keys[video]) for videos, video in found))
        return
    videos, members = found[0][0], [video for _, video in found]
    for fold in sorted({fold_of(name) for video in members for name in videos.memberships[video]}):
        named = [(name, video) for video in members for name in videos.memberships[video] if fold_of(name) == fold]
        sides = _gathered((name, [videos.ids[video]]) for name, video in named)
        if len(sides) > 1:
            going = side_to_clean(sides)
            yield GroupLeak(
                group, sides, _gathered((videos.folder, videos.keys[video]) for name, video in named if name == going)
            )


def _gathered(items: Iterable[tuple[str, Iterable[str]]]) -> dict[str, tuple[str, ...]]:
    """All names of each key, in their order."""
    found: dict[str, list[str]] = {}
    for key, names in items:
        found.setdefault(key, []).extend(names)
    return {key: tuple(names) for key, names in found.items()}
