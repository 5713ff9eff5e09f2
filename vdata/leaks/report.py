"""What was found, for programs: pairs of videos, groups on two sides, what could not be looked at."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from vdata.leaks.frames import Unreadable
from vdata.shards.layout import replacing

__all__ = ["FolderFacts", "GroupLeak", "Leak", "LeakReport", "LeakVideo", "write_pairs"]

Kind = Literal["folders", "splits", "groups", "within"]


@dataclass(frozen=True, slots=True)
class LeakVideo:
    """One of two videos that look alike."""

    folder: str
    video_id: str
    source: str
    label_name: str
    splits: tuple[str, ...]
    group: str
    keys: tuple[str, ...]
    """Of all its clips."""
    matched: int
    """Keyframes that look like one of the other video."""
    hashed: int
    """Keyframes that were compared."""
    seconds: float
    """Where in its source it is most like the other."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Two videos that look alike."""

    kind: Kind
    """What sets them apart: two `folders`, two sides of `splits`, two `groups` of one side, or nothing (`within` a folder)."""
    first: LeakVideo
    second: LeakVideo
    distance: float
    """Median over the keyframes that match, in bits of 256: up to about 30 a new encode, above also a crop or the same scene."""
    mirrored: bool

    @property
    def is_leak(self) -> bool:
        """Whether the two are on two sides: what one learns from is what the other tests."""
        return self.kind in ("folders", "splits")


@dataclass(frozen=True, slots=True)
class GroupLeak:
    """Videos cut from one thing, by their names, that are on more than one side."""

    group: str
    sides: dict[str, tuple[str, ...]]
    """Ids of the videos by the side that they are on: a folder, or a split's name."""
    keys: dict[str, tuple[str, ...]]
    """Of clips by folder: all of the group's there; of two sides of a split, those of the side that trains."""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What was looked at in one folder."""

    folder: str
    clips: int
    videos: int
    keyframes: int
    """That were compared."""
    blank: int
    """Keyframes without content: they look like all others of their kind."""
    unchecked: int
    """Videos of which no keyframe could be compared."""


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What find_leaks found."""

    folders: tuple[FolderFacts, ...]
    pairs: tuple[Leak, ...]
    """Leaks first, the nearest of each kind first."""
    groups: tuple[GroupLeak, ...]
    common: int
    """Keyframes that were left out because they look like too many: a logo, a test card."""
    unreadable: tuple[Unreadable, ...]

    @property
    def leaks(self) -> list[Leak]:
        """The pairs on two sides."""
        return [pair for pair in self.pairs if pair.is_leak]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is on two sides, and everything could be read."""
        return not (self.leaks or self.groups or self.unreadable)

    def by_folders(self) -> dict[str, int]:
        """How many pairs there are, by what sets them apart."""
        return dict(Counter(_between(pair) for pair in self.pairs))

    def by_label(self) -> dict[str, int]:
        """How many videos of the leaks' second sides there are, by label."""
        videos = {(pair.second.folder, pair.second.video_id): pair.second.label_name for pair in self.leaks}
        return dict(Counter(videos.values()).most_common())

    def keys_to_remove(self) -> list[str]:
        """Keys of all clips that leave the first folder clean: of its videos that leak, on the side that trains.

        Of two videos of that folder, it is the one on a side named train; else the first.
        """
        folder = self.folders[0].folder
        keys = {key for pair in self.leaks for key in _goes(pair, folder)}
        return sorted(keys | {key for group in self.groups for key in group.keys.get(folder, ())})

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for --json."""
        plain = {field.name: [dataclasses.asdict(item) for item in getattr(self, field.name)] for field in _lists()}
        counts = {"leaks": len(self.leaks), "by_folders": self.by_folders(), "by_label": self.by_label()}
        return {"clean": self.is_clean, **counts, "common": self.common, **plain}


def write_pairs(path: Path, report: LeakReport) -> None:
    """Writes the pairs as Parquet, a row each: `kind`, `distance`, `mirrored`, and every fact of both, as `first_video_id`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(_rows(report)), schema=_SCHEMA), temporary)


def _between(pair: Leak) -> str:
    if pair.kind == "folders":
        return f"{pair.first.folder} and {pair.second.folder}"
    words = {"splits": "two sides of a split", "groups": "two groups of one side", "within": "one side"}
    return f"{words[pair.kind]} of {pair.first.folder}"


def _goes(pair: Leak, folder: str) -> tuple[str, ...]:
    if pair.kind == "folders":
        return next((video.keys for video in (pair.first, pair.second) if video.folder == folder), ())
    if pair.first.folder != folder:
        return ()
    trains = [video for video in (pair.first, pair.second) if any(name.startswith("train") for name in video.splits)]
    return (trains or [pair.first])[0].keys


def _lists() -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(LeakReport) if field.name != "common"]


def _rows(report: LeakReport) -> Iterator[dict[str, Any]]:
    for pair in report.pairs:
        row: dict[str, Any] = {"kind": pair.kind, "distance": pair.distance, "mirrored": pair.mirrored}
        for place, video in (("first", pair.first), ("second", pair.second)):
            row |= {f"{place}_{name}": value for name, value in dataclasses.asdict(video).items()}
        yield row


_TYPES = {"matched": pa.int64(), "hashed": pa.int64(), "seconds": pa.float64()} | dict.fromkeys(
    ("splits", "keys"), pa.list_(pa.string())
)
_SCHEMA = pa.schema(
    [("kind", pa.string()), ("distance", pa.float64()), ("mirrored", pa.bool_())]
    + [
        (f"{place}_{field.name}", _TYPES.get(field.name, pa.string()))
        for place in ("first", "second")
        for field in dataclasses.fields(LeakVideo)
    ]
)
