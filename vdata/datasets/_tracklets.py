"""What the person re-identification datasets share: a folder of crops as a tracklet, and people divided into train and test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa

from vdata.config import check
from vdata.datasets import Classes
from vdata.datasets._files import image_names
from vdata.datasets._layout import check_split, fail_layout, names_by_index, path_id
from vdata.records import Column, Skipped, Video, readable

__all__ = ["FRAME_RATE", "PERSON_COLUMNS", "CameraFolders", "Fold", "FoldConfig", "PeopleInFolds", "one_clip", "person_labels"]

FRAME_RATE = Fraction(25)
"""Images a second of a tracklet. Source: our own; no owner says one, and detectors and trackers have left frames out."""
PERSON_COLUMNS = (
    Column("pid", pa.int32(), "The person, as the owners number people; 0 in MARS is a distractor, of which there are many."),
    Column("camid", pa.int32(), "The camera, counted from 0."),
)
_NUM_FOLDS = 10
_NUMBER = re.compile(r"(\d{1,9})$")
"""Nine digits at most: the column is int32."""


def one_clip(short_side: int) -> dict[str, Any]:
    """Build settings under which a tracklet stays whole. The short side is that of the published crops, in pixels."""
    return {"clip": {"seconds": 1e9, "short_side": short_side}}


def person_labels(train: Iterable[str], test: Iterable[str]) -> dict[str, int]:
    """One numbering for all people: those of train from 0, then those of test, each byte-sorted.

    So a classifier of the train people has labels without a gap, and query and gallery can still be compared by label.
    """
    ordered = [person for people in (train, test) for person in sorted(set(people), key=os.fsencode)]
    return {person: label for label, person in enumerate(ordered)}


@dataclass(frozen=True)
class FoldConfig:
    """Which of ten folds is built; the base of a dataset's own."""

    dataset: ClassVar[str]

    fold: int = 0
    """0 to 9, in the order of the published file; `Video.splits` names the lists of all folds."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(0 <= self.fold < _NUM_FOLDS, f"{self.dataset}.fold", self.fold, f"must be in [0, {_NUM_FOLDS - 1}]")


@dataclass(frozen=True, slots=True)
class Fold:
    """One official division of the people."""

    train: tuple[str, ...]
    """Names of their folders."""
    test: tuple[str, ...]

    @property
    def labels(self) -> dict[str, int]:
        """Class index by person."""
        return person_labels(self.train, self.test)


@dataclass(frozen=True, slots=True)
class CameraFolders:
    """A folder of images for every camera and person. A test person's tracklet is a query in the first, gallery in the others."""

    dataset: str
    root: Path
    base: str
    """The folder below the root that holds them, empty or with "/" at its end."""
    cameras: tuple[str, ...]
    """Names of the cameras' folders; `camid` counts them."""
    expected: str
    """What --root must hold, for messages."""
    person_first: bool = False
    """Whether the cameras' folders lie in the people's: PERSON/CAMERA, not CAMERA/PERSON."""

    @classmethod
    def find(cls, dataset: str, root: Path, bases: Sequence[str], cameras: tuple[str, ...], expected: str) -> Self:
        """The folders below the first of `bases` that has one of the cameras.

        Raises:
            ConfigError: there is none.
        """
        for base in bases:
            if any((root / base / camera).is_dir() for camera in cameras):
                return cls(dataset, root, base, cameras, expected)
        return fail_layout(dataset, f"{bases[0]}{cameras[0]}", root, expected)

    def videos(self, folds: Sequence[Fold], number: int, split: str) -> list[Video | Skipped]:
        """The tracklets of one fold's `train` or `test`, people in the fold's order; an empty folder is Skipped `missing`.

        Raises:
            ConfigError: not one of them has an image.
        """
        fold = folds[number]
        people = fold.train if split == "train" else fold.test
        labels, lists = fold.labels, _memberships(folds)
        found = [
            self._tracklet(
                Video(self._place(person, camera), "", split, lists[person], labels[person], label_name=person), camera
            )
            for person in people
            for camera in range(len(self.cameras))
        ]
        if not any(isinstance(video, Video) for video in found):
            fail_layout(self.dataset, f"images of the {len(people)} people of {split}", self.root / self.base, self.expected)
        return found

    def _place(self, person: str, camera: int) -> str:
        """The path below `base`."""
        parts = (person, self.cameras[camera]) if self.person_first else (self.cameras[camera], person)
        return "/".join(parts)

    def _tracklet(self, person: Video, camera: int) -> Video | Skipped:
        """The tracklet that one camera has of a person, who is given as a video without frames whose id is its place."""
        folder, video_id = f"{self.base}{person.video_id}", path_id(person.video_id)
        names = image_names(self.root / folder)
        if not names:
            return Skipped(readable(folder), "missing", f"{person.split} has the person, no image is in the folder", video_id)
        role = () if person.split == "train" else ("gallery",) if camera else ("query",)
        return Video(
            video_id,
            folder,
            person.split,
            (*person.splits, *role),
            person.label,
            label_name=path_id(person.label_name),
            facts={"pid": person_number(person.label_name), "camid": camera},
            frames=tuple(f"{folder}/{name}" for name in names),
            frame_rate=FRAME_RATE,
        )


class PeopleInFolds:
    """Tracklets of two cameras, of people who are divided in ten ways; the base of a dataset, which says where both are."""

    name: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = PERSON_COLUMNS
    build_settings: ClassVar[dict[str, Any]] = one_clip(short_side=64)
    extract: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: FoldConfig) -> None:
        self.config = config

    def folds(self, root: Path) -> list[Fold]:
        """All divisions; the config's is among them."""
        raise NotImplementedError

    def cameras(self, root: Path) -> CameraFolders:
        """The folders of the cameras."""
        raise NotImplementedError

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no split file or no folder of a camera, or the file lacks the fold.
        """
        self.folds(root)
        self.cameras(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Both tracklets of every person of the split; an empty folder is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, or no person of the split has an image.
        """
        check_split(self.name, split, self.splits)
        yield from self.cameras(root).videos(self.folds(root), self.config.fold, split)

    def classes(self, root: Path) -> Classes:
        """`label`: the fold's train people, then its test people."""
        return {"label": names_by_index(self.folds(root)[self.config.fold].labels)}


def person_number(folder: str) -> int:
    """The number at the end of a folder's name; -1 where there is none."""
    found = _NUMBER.search(folder)
    return int(found[1]) if found else -1


def _memberships(folds: Sequence[Fold]) -> dict[str, tuple[str, ...]]:
    """All lists that name a person, such as ("train0", "test1"); folds count from 0."""
    found: dict[str, tuple[str, ...]] = {}
    for number, fold in enumerate(folds):
        for split, people in (("train", fold.train), ("test", fold.test)):
            for person in people:
                found[person] = (*found.get(person, ()), f"{split}{number}")
    return found
