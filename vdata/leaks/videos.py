"""The videos of a shard folder with what sets them apart: the folder, the sides of its splits, the groups of its dataset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.errors import ConfigError
from vdata.shards.index import Index

__all__ = ["Videos", "fold_of", "group_of", "side_to_clean", "sides_of"]

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Naming:
    """How a dataset's video_id names what a video was cut from."""

    family: str
    """Datasets of one family name the same things."""
    pattern: re.Pattern[str]
    is_scene: bool
    """Whether videos of two groups are to be compared even on one side of a split."""


_UCF101 = _Naming("ucf101", re.compile(r"v_(.+_g\d+)_c\d+"), is_scene=True)
_YOUTUBE = _Naming("youtube", re.compile(r"(.{11})(?:_\d+_\d+)?"), is_scene=False)
_FROM_YOUTUBE = ("kinetics400", "kinetics600", "kinetics700", "ava", "ava_kinetics", "audioset")
_NAMINGS = {"ucf101": _UCF101} | dict.fromkeys(_FROM_YOUTUBE, _YOUTUBE)
"""By the column `dataset`. Source: the names in the published ucfTrainTestlist files and in the CSVs of the others."""
_SIDE = re.compile(r"train|val|test")
"""How the names of sides begin. Queries and gallery, or a bundle of classes, are parts of one side."""

_COLUMNS = ("key", "video_id", "dataset", "splits", "source", "label_name")


@dataclass(frozen=True, eq=False)
class Videos:
    """The videos of a shard folder; a list or array has one entry a video."""

    folder: str
    ids: Sequence[str]
    datasets: Sequence[str]
    splits: Sequence[tuple[str, ...]]
    sources: Sequence[str]
    labels: Sequence[str]
    keys: Sequence[tuple[str, ...]]
    """Of its clips."""
    of_clip: Longs
    """(C,): the video of each clip of the index."""

    def __len__(self) -> int:
        """The number of videos."""
        return len(self.ids)

    @classmethod
    def of(cls, index: Index) -> Videos:
        """The videos of an index.

        Raises:
            ConfigError: no clip of the folder has pictures.
        """
        if not np.any(index.num_frames):
            raise ConfigError(f"'{index.folder}' holds no clip with pictures: name a folder of videos")
        _, first, of_clip = np.unique(index.video, return_index=True, return_inverse=True)
        table = index.table(_COLUMNS)
        keys: list[list[str]] = [[] for _ in first]
        for video, key in zip(of_clip.tolist(), table["key"].to_pylist(), strict=True):
            keys[video].append(key)
        return cls(
            folder=str(index.folder),
            ids=_plain(table["video_id"], first),
            datasets=_plain(table["dataset"], first),
            splits=[tuple(names or ()) for names in _plain(table["splits"], first)],
            sources=_plain(table["source"], first),
            labels=_plain(table["label_name"], first),
            keys=[tuple(names) for names in keys],
            of_clip=of_clip.astype(np.int64),
        )

    @cached_property
    def memberships(self) -> list[tuple[str, ...]]:
        """The sides on which each video is, by name; none where the whole folder is one.

        UCF101's training videos of one fold are on both sides of the two others: who trains on this folder does not care.
        """
        named = [tuple(name for name in own if _SIDE.match(name)) for own in self.splits]
        return [() for _ in named] if named and set[str].intersection(*map(set, named)) else named

    @cached_property
    def sides(self) -> npt.NDArray[np.int16]:
        """(V, F): see sides_of."""
        return sides_of(self.memberships)

    @cached_property
    def groups(self) -> list[str]:
        """What each video was cut from; "" where its name does not tell."""
        return [group_of(dataset, name) for dataset, name in zip(self.datasets, self.ids, strict=True)]

    @cached_property
    def scenes(self) -> Longs:
        """(V,): the group as a number, -1 where groups of one side need not be compared."""
        named = [
            group if dataset in _NAMINGS and _NAMINGS[dataset].is_scene else ""
            for dataset, group in zip(self.datasets, self.groups, strict=True)
        ]
        names, numbers = np.unique(np.array(named, object).astype(str), return_inverse=True)
        return np.where(names[numbers] == "", -1, numbers).astype(np.int64)

    def differ_in_split(self, first: Longs, second: Longs) -> npt.NDArray[np.bool_]:
        """(P,): whether some list has one video on one side and the other on another."""
        one, other = self.sides[first], self.sides[second]
        return np.asarray(((one != other) & (one >= 0) & (other >= 0)).any(axis=1))

    def differ_in_scene(self, first: Longs, second: Longs) -> npt.NDArray[np.bool_]:
        """(P,): whether the videos are of two groups."""
        one, other = self.scenes[first], self.scenes[second]
        return np.asarray((one != other) & (one >= 0) & (other >= 0))

    @property
    def has_parts(self) -> bool:
        """Whether two videos of the folder are set apart by anything."""
        kinds = [*self.sides.T.tolist(), self.scenes.tolist()]
        return any(len(set(kind) - {-1}) > 1 for kind in kinds)


def group_of(dataset: str, video_id: str) -> str:
    """What the video was cut from, as "ucf101 Archery_g01" or "youtube --0edUL8zmA"; "" where its name does not tell."""
    naming = _NAMINGS.get(dataset)
    match = naming.pattern.fullmatch(video_id) if naming else None
    return f"{naming.family} {match[1]}" if naming and match else ""


def sides_of(splits: Sequence[tuple[str, ...]]) -> npt.NDArray[np.int16]:
    """(V, F): on which side of each fold a video is, as a number, -1 for none.

    "train1" and "test1" are two sides of fold "1", "train" and "val" of the fold "". Other names, as "query", are no sides.
    """
    splits = [tuple(name for name in own if _SIDE.match(name)) for own in splits]
    names = sorted({name for own in splits for name in own})
    folds = sorted({fold_of(name) for name in names})
    sides = np.full((len(splits), len(folds)), -1, np.int16)
    for video, own in enumerate(splits):
        for name in own:
            # Numbers of sides need only differ.
            sides[video, folds.index(fold_of(name))] = names.index(name)
    return sides


def fold_of(split: str) -> str:
    """The fold of a split's name: "1" of "train1", "" of "train"."""
    return split[len(split.rstrip("0123456789")) :]


def side_to_clean(sides: Iterable[str]) -> str:
    """The split that gives up what two share: the one that trains, else the first by name."""
    names = sorted(sides)
    return next((name for name in names if name.startswith("train")), names[0])


def _plain(column: pa.ChunkedArray, places: Longs) -> list[Any]:
    values: list[Any] = column.take(pa.array(places)).to_pylist()
    return values
