"""iLIDS-VID: 300 people in an airport, two cameras, a tracklet of 128 x 64 crops from each (person re-identification).

Made from the UK Home Office's i-LIDS multi-camera tracking data; 23 to 192 crops a tracklet, 73 on average, with heavy occlusion.
Published by Queen Mary University of London (search for "iLIDS-VID") as iLIDS-VID.tar, which also holds ten official halves; the
owners' page says the terms. No file of it has been seen: layout and indices are as torchreid reads them. Frame rate: 25 is ours.

Source: Wang et al., ECCV 2014; torchreid's reader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, read_mat
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, names_by_index
from vdata.datasets._tracklets import PERSON_COLUMNS, CameraFolders, Fold, one_clip
from vdata.records import Column, Skipped, Video

__all__ = ["ILIDSVID", "ILIDSVIDConfig"]

_LAYOUT = """ROOT/
  train-test people splits/train_test_splits_ilidsvid.mat      ten folds
  i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png ...
  i-LIDS-VID/sequences/cam2/person001/cam2_person001_00001.png ...   300 people; or sequences/ directly in ROOT
"""
_EXPECTED = (
    "'train-test people splits/train_test_splits_ilidsvid.mat' and i-LIDS-VID/sequences/{cam1,cam2}/personXXX/*.png, both out of "
    "iLIDS-VID.tar"
)
_SPLITS = "train_test_splits_ilidsvid.mat"
_SPLIT_FOLDERS = ("train-test people splits", ".")
_BASES = ("i-LIDS-VID/sequences/", "sequences/")
_CAMERAS = ("cam1", "cam2")
_PERSON = re.compile(r"person\d+")
_NUM_FOLDS = 10


@dataclass(frozen=True)
class ILIDSVIDConfig:
    """Which of the ten folds is built."""

    fold: int = 0
    """0 to 9, the rows of the file's table; `Video.splits` names the lists of all folds."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(0 <= self.fold < _NUM_FOLDS, "ilids_vid.fold", self.fold, "must be in [0, 9]")


@DATASETS.add("ilids_vid")
class ILIDSVID:
    """The people of one fold, two tracklets each; those of cam1 are the test's queries, those of cam2 its gallery.

    A row of the table holds people as numbers, from 1, into the sorted folders: the first half are test, the second train. So
    the folders must be as many as a row is long, or every number means another person. Labels are one numbering: the fold's
    train people from 0, then its test people, each byte-sorted. `pid` is the number in the folder's name.
    """

    Config: ClassVar[type] = ILIDSVIDConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = PERSON_COLUMNS
    build_settings: ClassVar[dict[str, Any]] = one_clip(short_side=64)
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 300, "test": 300})

    def __init__(self, config: ILIDSVIDConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no split file, or not as many people as that counts.
        """
        check_root("ilids_vid", root, _EXPECTED)
        self._folds(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Both tracklets of every person of the split; an empty folder is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, or no person of the split has an image.
        """
        check_split("ilids_vid", split, self.splits)
        self.prepare(root)
        yield from _cameras(root).videos(self._folds(root), self.config.fold, split)

    def classes(self, root: Path) -> Classes:
        """`label`: the fold's train people, then its test people."""
        return {"label": names_by_index(self._folds(root)[self.config.fold].labels)}

    def _folds(self, root: Path) -> list[Fold]:
        """All folds of the table, as people of the folders that are there."""
        path = file_named(root, _SPLIT_FOLDERS, [_SPLITS]) or fail_layout("ilids_vid", f"'{_SPLITS}'", root, _EXPECTED)
        people, table = _people(root), read_numbers(path)
        if len(table) <= self.config.fold:
            fail_file("ilids_vid", path, f"{len(table)} rows", f"ilids_vid.fold is {self.config.fold}: take the published file")
        if table.shape[1] != len(people):
            told = f"rows of {table.shape[1]} people, but the cameras' folders hold {len(people)}"
            fail_file("ilids_vid", path, told, "its numbers count the sorted folders: unpack iLIDS-VID.tar whole")
        half = len(people) // 2
        return [Fold(_named(people, row[half:]), _named(people, row[:half])) for row in table.tolist()]


def read_numbers(path: Path) -> npt.NDArray[np.int64]:
    """The table ls_set (folds, people): in each row every number from 1 once.

    Raises:
        ConfigError: it is something else.
    """
    table = read_mat("ilids_vid", path, "ls_set")
    if table.ndim != 2 or table.dtype.kind not in "iuf":  # noqa: PLR2004 - rows, columns
        fail_file("ilids_vid", path, f"{table.dtype} {table.shape}", "ls_set must be 10 rows of 300 numbers")
    odd = np.flatnonzero((np.sort(table, axis=1) != np.arange(1, table.shape[1] + 1)).any(axis=1))
    if odd.size:
        fail_file("ilids_vid", path, f"row {odd[0] + 1} without some person", "it must hold every number from 1 once")
    return table.astype(np.int64)


def _named(people: list[str], numbers: list[int]) -> tuple[str, ...]:
    return tuple(people[number - 1] for number in sorted(numbers))


def _cameras(root: Path) -> CameraFolders:
    return CameraFolders.find("ilids_vid", root, _BASES, _CAMERAS, _EXPECTED)


def _people(root: Path) -> list[str]:
    """The people's folders in either camera, sorted: one that is missing in one camera alone moves no number."""
    folders = [root / _cameras(root).base / camera for camera in _CAMERAS]
    names = {name for folder in folders if folder.is_dir() for name in os.listdir(folder)}  # noqa: PTH208 - names alone
    return sorted(name for name in names if _PERSON.fullmatch(name))
