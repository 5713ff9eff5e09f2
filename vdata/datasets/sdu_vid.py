"""SDU-VID: 300 people, two cameras, a tracklet of crops from each (person re-identification). The layout is our guess.

Published by Shandong University's VSIS lab (vsislab.com, "Pedestrian Representation"); size and licence are not known to us, and
no file of it has been seen. Two layouts are read: the one of the owners' own code (STFV3D), sequences/CAMERA/PERSON/ as in
iLIDS-VID, and folders as in MARS, PERSON/CAMERA/. No list of train and test people is known either: the halves are drawn here.
Frame rate: 25 is ours.

Source: Liu et al., ICCV 2015; the paths in github STFV3D; otherwise our own guess.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import check_root, check_split, entries_in, fail_layout, is_folder, names_by_index, path_id
from vdata.datasets._tracklets import PERSON_COLUMNS, CameraFolders, Fold, one_clip
from vdata.records import Column, Skipped, Video

__all__ = ["SDUVID", "SDUVIDConfig"]

_LAYOUT = """ROOT/
  sequences/cam1/person001/*.png   cam2/; names of cameras and people end in their number
or ROOT/
  0001/1/*.jpg                     PERSON/CAMERA, both ending in their number
"""
_EXPECTED = "sequences/CAMERA/PERSON/*.png or PERSON/CAMERA/*.jpg, each folder's name ending in its number"
_NUMBERED = re.compile(r".*\d")
_NUM_FOLDS = 10


@dataclass(frozen=True)
class SDUVIDConfig:
    """Which of ten random halves is built."""

    fold: int = 0
    """0 to 9. People are ordered by the SHA-256 of "FOLD/PERSON": the first half is test, the rest train. Source: our own."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(0 <= self.fold < _NUM_FOLDS, "sdu_vid.fold", self.fold, "must be in [0, 9]")


@DATASETS.add("sdu_vid")
class SDUVID:
    """The people of one half, a tracklet for each camera; those of the first camera are the test's queries, the rest its gallery.

    Labels are one numbering: the train people from 0, then the test people, each byte-sorted. `pid` is the number at the end of
    the folder's name, `camid` the camera's place among the sorted names. A folder whose name does not end in a digit is no person
    and no camera. The halves depend on the people that are there: unpack all before building.
    """

    Config: ClassVar[type] = SDUVIDConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = PERSON_COLUMNS
    build_settings: ClassVar[dict[str, Any]] = one_clip(short_side=64)
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 300, "test": 300})

    def __init__(self, config: SDUVIDConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has neither layout.
        """
        check_root("sdu_vid", root, _EXPECTED)
        _tree(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """The tracklets of every person of the half; an empty folder is Skipped with reason `missing`.

        Raises:
            ConfigError: the root has neither layout, or no person of the half has an image.
        """
        check_split("sdu_vid", split, self.splits)
        self.prepare(root)
        cameras, people = _tree(root)
        yield from cameras.videos(halves(people), self.config.fold, split)

    def classes(self, root: Path) -> Classes:
        """`label`: the train people, then the test people."""
        labels = halves(_tree(root)[1])[self.config.fold].labels
        return {"label": names_by_index({path_id(person): label for person, label in labels.items()})}


def halves(people: list[str]) -> list[Fold]:
    """The ten folds; of an odd number of people the train half has one more."""
    folds = []
    for number in range(_NUM_FOLDS):
        drawn = sorted(people, key=lambda person: hashlib.sha256(os.fsencode(f"{number}/{person}")).digest())
        half = len(people) // 2
        folds.append(Fold(tuple(sorted(drawn[half:])), tuple(sorted(drawn[:half]))))
    return folds


def _tree(root: Path) -> tuple[CameraFolders, list[str]]:
    """The folders of the layout that is there, and the people in them."""
    person_first = not (root / "sequences").is_dir()
    base = "" if person_first else "sequences/"
    outer = _numbered(root / base)
    inner = sorted({name for folder in outer for name in _numbered(root / base / folder)})
    if not outer or not inner:
        fail_layout("sdu_vid", "sequences/CAMERA/PERSON or PERSON/CAMERA folders", root / base, _EXPECTED)
    people, cameras = (outer, inner) if person_first else (inner, outer)
    return CameraFolders("sdu_vid", root, base, tuple(cameras), _EXPECTED, person_first), people


def _numbered(folder: Path) -> list[str]:
    return sorted(entry.name for entry in entries_in(folder) if _NUMBERED.fullmatch(entry.name) and is_folder(entry))
