"""HMDB51: 6,766 clips of 51 actions from films and web videos, 2 GB of AVI.

Published by Brown University's Serre Lab (serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database), CC BY 4.0:
hmdb51_org.rar, which holds one rar a class, and test_train_splits.rar with three folds. A fold trains on 70 clips of each class
and tests on 30; the others it leaves out.

Source: Kuehne et al. 2011, ICCV; six of the 153 lists were read. The owners number no classes: indices are the places of the
byte-sorted names, as torchvision and mmaction2 have them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import parse_lines
from vdata.datasets._layout import check_root, check_split, fail_layout, index_videos, label_indices, names_by_index, names_in
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["HMDB51", "HMDB51Config"]

_LAYOUT = """ROOT/
  testTrainMulti_7030_splits/brush_hair_test_split1.txt ...   153 lists; or in annotations/, or in ROOT
  videos/brush_hair/NAME.avi ...                              or hmdb51_org/, or class folders in ROOT
"""
_EXPECTED = "testTrainMulti_7030_splits/CLASS_test_split1.txt ... and the class folders, in videos/, hmdb51_org/ or directly"
_LIST_FOLDERS = ("testTrainMulti_7030_splits", "annotations", "annotations/testTrainMulti_7030_splits", "test_train_splits", ".")
_VIDEO_FOLDERS = ("videos", "hmdb51_org", "hmdb51")
_FOLDS = (1, 2, 3)
_FLAGS = {"0": "", "1": "train", "2": "test"}
"""What a list says of a clip; "" is not used in this fold."""


@dataclass(frozen=True)
class HMDB51Config:
    """Which of the three official folds is built."""

    fold: Literal[1, 2, 3] = 1
    """Fold whose train and test clips are the splits; `Video.splits` names those of all folds."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(self.fold in _FOLDS, "hmdb51.fold", self.fold, "must be 1, 2 or 3")


@DATASETS.add("hmdb51")
class HMDB51:
    """The train and test clips of one fold, class by class. Clips that the fold does not use are in neither split.

    A clip is a file of its class's folder; names hold # ( ) [ ] & ; @ ~ + and !, and go to no shell and no glob. Videos may have
    been re-encoded to another container. Files that no list names are not listed.
    """

    Config: ClassVar[type] = HMDB51Config
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 3_570, "test": 1_530}, size_gb=2, needs="unpacked rar files")

    def __init__(self, config: HMDB51Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no lists of the fold, or not for every class.
        """
        _lists(root, self.config.fold)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every clip of the fold's split; one whose file is not there is Skipped as `missing`, a second line as `listed_twice`.

        Raises:
            ConfigError: the layout is not as published, or none of the clips is there.
        """
        check_split("hmdb51", split, self.splits)
        entries = [entry for entry in _entries(root, self.config.fold) if entry[2] == split]
        folders = [folder for folder in _VIDEO_FOLDERS if (root / folder).is_dir()] or [""]
        files = index_videos(root, folders)
        if not any(_source(files, label_name, name) for label_name, name, _ in entries):
            fail_layout("hmdb51", f"the {len(entries)} videos of the {split} lists", root / folders[0], _EXPECTED)
        labels, memberships = label_indices(_lists(root, self.config.fold)), _memberships(root)
        seen: set[str] = set()
        for label_name, name, _ in entries:
            stem, place = _stem(name), f"{label_name}/{name}"
            source = _source(files, label_name, name)
            if stem in seen:
                yield Skipped(place, "listed_twice", "the lists name it more than once", stem)
            elif source:
                yield Video(stem, source, split, memberships[label_name, stem], labels[label_name], label_name=label_name)
            else:
                yield Skipped(place, "missing", f"the {split} list names it, no file '{stem}.*' is in its folder", stem)
            seen.add(stem)

    def classes(self, root: Path) -> Classes:
        """`label`: the classes that have lists, byte-sorted."""
        return {"label": names_by_index(label_indices(_lists(root, self.config.fold)))}


def _lists(root: Path, fold: int) -> dict[str, Path]:
    """The fold's list of each class.

    Raises:
        ConfigError: there is none, or none for a class that another fold has.
    """
    check_root("hmdb51", root, _EXPECTED)
    found = {other: _lists_there(root, other) for other in _FOLDS}
    if not found[fold]:
        fail_layout("hmdb51", f"CLASS_test_split{fold}.txt", root, _EXPECTED)
    lacking = sorted(set().union(*found.values()) - found[fold].keys())
    if lacking:
        told = f"{len(lacking)} classes have lists, but none of fold {fold}, the first '{lacking[0]}'"
        raise ConfigError(f"hmdb51: {told}; unpack test_train_splits.rar whole: class indices depend on it")
    return found[fold]


def _lists_there(root: Path, fold: int) -> dict[str, Path]:
    end = f"_test_split{fold}.txt"
    for folder in _LIST_FOLDERS:
        names = sorted(names_in(root / folder))
        if found := {name.removesuffix(end): root / folder / name for name in names if name.endswith(end)}:
            return found
    return {}


def _entries(root: Path, fold: int) -> list[tuple[str, str, str]]:
    """Class, file name and split of each line of a fold's lists; split "" is not used."""
    return [
        (class_name, *entry)
        for class_name, path in _lists(root, fold).items()
        for entry in parse_lines("hmdb51", path, _parsed, "each line must be 'NAME FLAG ', FLAG 0, 1 or 2")
    ]


def _parsed(line: str) -> tuple[str, str]:
    """File name and split of "NAME FLAG "; published lines end with a blank."""
    name, flag = line.split()
    return name, _FLAGS[flag]


def _memberships(root: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """By class and stem, as ("train1", "test2"): the splits of all folds whose lists are there."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for fold in _FOLDS:
        for class_name, name, split in _entries(root, fold) if _lists_there(root, fold) else ():
            if split:
                place = class_name, _stem(name)
                found[place] = (*found.get(place, ()), f"{split}{fold}")
    return found


def _source(files: Mapping[str, list[str]], class_name: str, name: str) -> str:
    """The file of that name in the class's folder, "" for none."""
    return next((source for source in files.get(_stem(name), ()) if source.split("/")[-2:-1] == [class_name]), "")


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - a name, of no file yet
