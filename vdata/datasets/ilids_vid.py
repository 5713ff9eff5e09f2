"""iLIDS-VID: 300 people in an airport, two cameras, a tracklet of 128 x 64 crops from each (person re-identification).

Made from the UK Home Office's i-LIDS multi-camera tracking data; 23 to 192 crops a tracklet, 73 on average, with heavy occlusion.
Published by Queen Mary University of London (search for "iLIDS-VID") as iLIDS-VID.tar, which also holds ten official halves; the
owners' page says the terms. No file of it has been seen: layout and indices are as torchreid reads them. Frame rate: 25 is ours.

Source: Wang et al., ECCV 2014; torchreid's reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file, read_mat
from vdata.datasets._layout import check_root, fail_layout, file_named, names_in
from vdata.datasets._tracklets import CameraFolders, Fold, FoldConfig, PeopleInFolds

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


@dataclass(frozen=True)
class ILIDSVIDConfig(FoldConfig):
    """Which of the ten folds is built."""

    dataset: ClassVar[str] = "ilids_vid"


@DATASETS.add("ilids_vid")
class ILIDSVID(PeopleInFolds):
    """The people of one fold, two tracklets each; those of cam1 are the test's queries, those of cam2 its gallery.

    A row of the table holds people as numbers, from 1, into the sorted folders: the first half are test, the second train. So
    the folders must be as many as a row is long, or every number means another person. Labels are one numbering: the fold's
    train people from 0, then its test people, each byte-sorted. `pid` is the number in the folder's name.
    """

    name: ClassVar[str] = "ilids_vid"
    Config: ClassVar[type] = ILIDSVIDConfig
    about: ClassVar[About] = About(_LAYOUT, {"train": 300, "test": 300})

    def cameras(self, root: Path) -> CameraFolders:
        """Two folders, of which one may be empty."""
        return CameraFolders.find(self.name, root, _BASES, _CAMERAS, _EXPECTED)

    def folds(self, root: Path) -> list[Fold]:
        """All folds of the table, as people of the folders that are there."""
        check_root(self.name, root, _EXPECTED)
        path = file_named(root, _SPLIT_FOLDERS, [_SPLITS]) or fail_layout("ilids_vid", f"'{_SPLITS}'", root, _EXPECTED)
        people, table = _people(self.cameras(root)), read_numbers(path)
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


def _people(cameras: CameraFolders) -> list[str]:
    """The people's folders in either camera, sorted: one that is missing in one camera alone moves no number."""
    folders = [cameras.root / cameras.base / camera for camera in _CAMERAS]
    names = frozenset[str]().union(*map(names_in, folders))
    return sorted(name for name in names if _PERSON.fullmatch(name))
