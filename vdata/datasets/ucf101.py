"""UCF101: 13,320 clips of 101 actions cut from 2,500 groups of YouTube videos, 6.5 GB of AVI.

Published by UCF's Center for Research in Computer Vision (crcv.ucf.edu/data/UCF101.php), for research; three official folds of
train and test lists. Clips of one group (`gGG` in the name) are siblings: the folds keep a group together.

Source: Soomro, Zamir, Shah 2012, arXiv 1212.0402; the published ucfTrainTestlist files.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, parse_lines
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos, names_by_index
from vdata.records import Column, Skipped, Video

__all__ = ["UCF101", "UCF101Config"]

_LAYOUT = """ROOT/
  ucfTrainTestlist/classInd.txt   trainlist01.txt, testlist01.txt ... 03; or in annotations/, or in ROOT
  UCF-101/Archery/v_Archery_g01_c01.avi ...   or videos/, or UCF101/, or class folders in ROOT
"""
_EXPECTED = "ucfTrainTestlist/{classInd,trainlist0N,testlist0N}.txt and the class folders, in videos/, UCF-101/ or directly"
_LIST_FOLDERS = ("ucfTrainTestlist", "annotations", ".")
_VIDEO_FOLDERS = ("videos", "UCF-101", "UCF101")
_FOLDS = (1, 2, 3)
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class UCF101Config:
    """Which of the three official folds is built."""

    fold: Literal[1, 2, 3] = 1
    """Fold whose train and test lists are the splits; `Video.splits` names all that list a video."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(self.fold in _FOLDS, "ucf101.fold", self.fold, "must be 1, 2 or 3")


@DATASETS.add("ucf101")
class UCF101:
    """The train and test list of one fold.

    The class is the list's folder, never the file's name: `HandstandPushups/v_HandStandPushups_g01_c01.avi` is written two ways.
    Labels are classInd.txt's numbers less 1. Videos may have been re-encoded to another container. Files that no list names are
    not listed. A line that repeats a video is Skipped as `listed_twice`.
    """

    Config: ClassVar[type] = UCF101Config
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 9_537, "test": 3_783}, size_gb=6.5)

    def __init__(self, config: UCF101Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no lists of the fold.
        """
        check_root("ucf101", root, _EXPECTED)
        for name in ("classInd.txt", *(f"{split}list0{self.config.fold}.txt" for split in self.splits)):
            _list_path(root, name)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every line of the fold's list, in its order; a line whose file is not there is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, a list contradicts classInd.txt, or none of its videos is there.
        """
        check_split("ucf101", split, self.splits)
        self.prepare(root)
        labels = _labels(_list_path(root, "classInd.txt"))
        wanted = _read_list(_list_path(root, f"{split}list0{self.config.fold}.txt"), labels)
        folders = [folder for folder in _VIDEO_FOLDERS if (root / folder).is_dir()] or [""]
        files = index_videos(root, folders)
        memberships = _memberships(root, labels)
        if not any(_stem(name) in files for name, _ in wanted):
            fail_layout("ucf101", f"the {len(wanted)} videos of the {split} list", root / folders[0], _EXPECTED)
        seen: set[str] = set()
        for name, label in wanted:
            entry = _video(name, label, split, files, memberships[name])
            if _stem(name) in seen:
                entry = Skipped(name, "listed_twice", f"the {split} list has it more than once", _stem(name))
            seen.add(_stem(name))
            yield entry

    def classes(self, root: Path) -> Classes:
        """`label`: the 101 classes of classInd.txt."""
        labels = _labels(_list_path(root, "classInd.txt"))
        return {"label": names_by_index(labels)}


def _list_path(root: Path, name: str) -> Path:
    path = file_named(root, _LIST_FOLDERS, [name])
    return path or fail_layout("ucf101", f"ucfTrainTestlist/{name}", root, _EXPECTED)


def _labels(path: Path) -> dict[str, int]:
    """0-based label by class, from lines such as "1 ApplyEyeMakeup"."""
    classes = parse_lines("ucf101", path, _class, "it must be 'NUMBER CLASS', NUMBER from 1: take the published classInd.txt")
    labels = dict(classes)
    if len(set(labels.values())) < len(classes):
        fail_file("ucf101", path, f"{len(classes)} lines", "each must have a class and a number of its own")
    return labels


def _class(line: str) -> tuple[str, int]:
    number, name = line.split()
    if not _NUMBER.fullmatch(number):
        raise ValueError(number)
    return name, int(number) - 1


def _read_list(path: Path, labels: Mapping[str, int]) -> list[tuple[str, int]]:
    """Each "Class/v_Class_gGG_cCC.avi" and its 0-based label; train lists repeat the 1-based number, test lists do not."""
    rule = "which is not as classInd.txt numbers its class; take both files from one source"
    return parse_lines("ucf101", path, partial(_entry, labels), rule)


def _entry(labels: Mapping[str, int], line: str) -> tuple[str, int]:
    name, *number = line.split()
    label = labels[posixpath.dirname(name)]
    if number not in ([], [str(label + 1)]):
        raise ValueError(line)
    return name, label


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _memberships(root: Path, labels: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """All lists that name a video, such as ("train1", "test2", "train3"); a fold whose lists are not there is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for fold in _FOLDS:
        for split in ("train", "test"):
            path = file_named(root, _LIST_FOLDERS, [f"{split}list0{fold}.txt"])
            for name in dict(_read_list(path, labels)) if path else ():
                found[name] = (*found.get(name, ()), f"{split}{fold}")
    return found


def _video(name: str, label: int, split: str, files: Mapping[str, list[str]], splits: tuple[str, ...]) -> Video | Skipped:
    class_name, stem = posixpath.dirname(name), _stem(name)
    if stem not in files:
        return Skipped(name, "missing", f"the {split} list names it, no file '{stem}.*' is there", stem)
    return Video(stem, files[stem][0], split, splits, label, label_name=class_name)
