"""PRID 2011: 178 people that two outdoor cameras saw, a tracklet of 128 x 64 crops from each (person re-identification).

Published by TU Graz as prid_2011.zip (www.tugraz.at, Institute of Computer Graphics and Vision, "PRID 2011"), for research; its
ReadMe says the terms. 385 and 749 people appear in cam_a and cam_b, the first 200 in both; the usual protocol takes 178 of them,
and ten random halves. Those are no part of it: they are splits_prid2011.json, which circulates with torchreid. Three of the ten
have been seen. Frame rate: 25 is ours.

Source: Hirzer et al., SCIA 2011; Wang et al., ECCV 2014 for the protocol; the split file; torchreid's reader for the folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, read_json
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, names_by_index
from vdata.datasets._tracklets import PERSON_COLUMNS, CameraFolders, Fold, one_clip
from vdata.records import Column, Skipped, Video

__all__ = ["PRID2011", "PRID2011Config"]

_LAYOUT = """ROOT/
  splits_prid2011.json                                 ten folds: {"test": [...], "train": [...]}
  prid_2011/multi_shot/cam_a/person_0001/0001.png ...
  prid_2011/multi_shot/cam_b/person_0001/0001.png ...  or multi_shot/ directly in ROOT
"""
_EXPECTED = (
    "splits_prid2011.json (published apart, with torchreid) and prid_2011/multi_shot/{cam_a,cam_b}/person_XXXX/*.png, "
    "or multi_shot/ directly"
)
_SPLITS = "splits_prid2011.json"
_BASES = ("prid_2011/multi_shot/", "multi_shot/")
_CAMERAS = ("cam_a", "cam_b")
_PERSON = re.compile(r"person_\d{4}")
_NUM_FOLDS = 10


@dataclass(frozen=True)
class PRID2011Config:
    """Which of the ten folds is built."""

    fold: int = 0
    """0 to 9, as the file counts; `Video.splits` names the lists of all folds."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(0 <= self.fold < _NUM_FOLDS, "prid2011.fold", self.fold, "must be in [0, 9]")


@DATASETS.add("prid2011")
class PRID2011:
    """The people of one fold, two tracklets each; those of cam_a are the test's queries, those of cam_b its gallery.

    Labels are one numbering: the fold's 89 train people from 0, then its 89 test people, each byte-sorted. `pid` is the number in
    the folder's name. People that the fold does not name are not listed.
    """

    Config: ClassVar[type] = PRID2011Config
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = PERSON_COLUMNS
    build_settings: ClassVar[dict[str, Any]] = one_clip(short_side=64)
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 178, "test": 178}, needs="splits_prid2011.json, which is published apart from the crops"
    )

    def __init__(self, config: PRID2011Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no split file, no folder of a camera, or the file lacks the fold.
        """
        check_root("prid2011", root, _EXPECTED)
        self._folds(root)
        _cameras(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Both tracklets of every person of the split; an empty folder is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, or no person of the split has an image.
        """
        check_split("prid2011", split, self.splits)
        self.prepare(root)
        yield from _cameras(root).videos(self._folds(root), self.config.fold, split)

    def classes(self, root: Path) -> Classes:
        """`label`: the fold's train people, then its test people."""
        return {"label": names_by_index(self._folds(root)[self.config.fold].labels)}

    def _folds(self, root: Path) -> list[Fold]:
        path = file_named(root, (".", "prid_2011"), [_SPLITS]) or fail_layout("prid2011", _SPLITS, root, _EXPECTED)
        folds = read_folds(path)
        if self.config.fold >= len(folds):
            fail_file("prid2011", path, f"{len(folds)} folds", f"prid2011.fold is {self.config.fold}: take the published file")
        return folds


def read_folds(path: Path) -> list[Fold]:
    """The folds of splits_prid2011.json, in its order.

    Raises:
        ConfigError: it is no list of {"train": people, "test": people}, or a fold has a person in both.
    """
    folds = []
    for number, item in enumerate(read_json("prid2011", path, list)):
        train, test = (_people(item.get(split)) if isinstance(item, dict) else () for split in ("train", "test"))
        if not train or not test or set(train) & set(test):
            rule = 'a fold must be {"test": [...], "train": [...]} of different people, each as "person_0001"'
            fail_file("prid2011", path, f"fold {number}: {item}", rule)
        folds.append(Fold(train, test))
    return folds


def _people(names: object) -> tuple[str, ...]:
    """The names of a list in the file; none where one of them is no person's."""
    people = tuple(names) if isinstance(names, list) else ()
    return people if all(isinstance(name, str) and _PERSON.fullmatch(name) for name in people) else ()


def _cameras(root: Path) -> CameraFolders:
    return CameraFolders.find("prid2011", root, _BASES, _CAMERAS, _EXPECTED)
