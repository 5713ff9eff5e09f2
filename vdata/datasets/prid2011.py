"""PRID 2011: 178 people that two outdoor cameras saw, a tracklet of 128 x 64 crops from each (person re-identification).

Published by TU Graz as prid_2011.zip (www.tugraz.at, Institute of Computer Graphics and Vision, "PRID 2011"), for research; its
ReadMe says the terms. 385 and 749 people appear in cam_a and cam_b, the first 200 in both; the usual protocol takes 178 of them,
and ten random halves. Those are no part of it: they are splits_prid2011.json, which circulates with torchreid. Three of the ten
have been seen. Frame rate: 25 is ours.

Source: Hirzer et al., SCIA 2011; Wang et al., ECCV 2014 for the protocol; the split file; torchreid's reader for the folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file, read_json
from vdata.datasets._layout import check_root, fail_layout, file_named
from vdata.datasets._tracklets import CameraFolders, Fold, FoldConfig, PeopleInFolds

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


@dataclass(frozen=True)
class PRID2011Config(FoldConfig):
    """Which of the ten folds is built."""

    dataset: ClassVar[str] = "prid2011"


@DATASETS.add("prid2011")
class PRID2011(PeopleInFolds):
    """The people of one fold, two tracklets each; those of cam_a are the test's queries, those of cam_b its gallery.

    Labels are one numbering: the fold's 89 train people from 0, then its 89 test people, each byte-sorted. `pid` is the number in
    the folder's name. People that the fold does not name are not listed.
    """

    name: ClassVar[str] = "prid2011"
    Config: ClassVar[type] = PRID2011Config
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 178, "test": 178}, needs="splits_prid2011.json, which is published apart from the crops"
    )

    def cameras(self, root: Path) -> CameraFolders:
        """Two folders, of which one may be empty."""
        return CameraFolders.find(self.name, root, _BASES, _CAMERAS, _EXPECTED)

    def folds(self, root: Path) -> list[Fold]:
        """The folds of splits_prid2011.json."""
        check_root(self.name, root, _EXPECTED)
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
