"""GOT-10k: 9,695 sequences of images at 10 Hz, 563 classes of moving objects, a box a frame, 68 GB (object tracking).

Published by L. Huang, X. Zhao and K. Huang (got-10k.aitestunion.com, after registration) as zip files, CC BY-NC-SA 4.0 as we
remember it. No file of it has been seen: layout and values are as the owners' toolkit reads them, meta_info.ini and its "10Hz"
as a user quotes one. Known faults of the owners' files: cover.label is 0 throughout in some sequences whose target is seen
(toolkit issue 20); some ten sequences change their picture's size on the way, as GOT-10k_Val_000136 (issue 25), and boxes behind
the change are then in other pixels; GOT-10k_Train_008623 to 008637 and 009058, 009059 have boxes beside the target (issue 10).

Source: Huang et al., arXiv 1810.11981; got-10k/toolkit, its reader and issues; pytracking for cover and absence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, parse_lines, read_lines
from vdata.datasets._layout import check_root, check_split, fail_layout, label_indices, names_by_index, names_in
from vdata.datasets._tracking import BOX_CLASSES, NUM_INVALID, WHOLE_SEQUENCE, Rectangles, given_boxes, has_area, read_rectangles
from vdata.errors import ConfigError
from vdata.media.config import MAX_FPS
from vdata.records import Column, GivenBoxes, Skipped, Video

__all__ = ["GOT10k", "GOT10kConfig"]

_LAYOUT = """ROOT/
  train/list.txt                                    names of the sequences; val/, test/
  train/GOT-10k_Train_000001/00000001.jpg ...
  train/GOT-10k_Train_000001/groundtruth.txt        x,y,width,height a line; in test the first frame's alone
  train/GOT-10k_Train_000001/meta_info.ini          absence.label, cover.label, cut_by_image.label; not in test
  ...
"""
_EXPECTED = "train/, val/ or test/, each with list.txt and the folders of sequences GOT-10k_..., out of all zip files"
_NAME = re.compile(r"GOT-10k_\w+")
_DEFAULT_RATE = Fraction(10)
"""Images a second where meta_info.ini does not say it, as in test. Source: arXiv 1810.11981, annotated at 10 frames a second."""
_RATE = re.compile(r"\d{1,3}(\.\d{1,3})?")
_LEVEL = re.compile(r"[0-9]{1,3}")
_META = {
    "motion_class": "How the object moves.",
    "major_class": "A wider class of the object.",
    "root_class": "The widest class of the object.",
    "motion_adverb": "An adverb of the motion.",
}
_LEVELS = {"absence.label": 1, "cover.label": 8}
"""Files with a whole number a frame, and the highest."""


@dataclass(frozen=True)
class GOT10kConfig:
    """No settings."""


@DATASETS.add("got10k")
class GOT10k:
    """The sequences of the split's list.txt, each one video and one clip.

    Row i of groundtruth.txt is frame i. Rows of frames in which absence.label says that the target is out, and rows whose width
    or height is not positive, give no box; `num_absent` and `num_invalid` count them, and one that is both counts as invalid. A
    box's score is cover.label / 8, the owners' share of the target that is seen: 0 is no reason to drop a box, see the faults
    above. In test the first frame's box is all there is. Corners are moved by one pixel, as rows count from 1.

    The label is the `object_class` of meta_info.ini, by its place among the byte-sorted classes of train and val that are on
    disk; test has none (-1). A sequence whose images and rows differ in number is Skipped with reason `lengths_differ`.
    """

    Config: ClassVar[type] = GOT10kConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        *(Column(name, pa.string(), f"{doc} Empty in test.") for name, doc in _META.items()),
        NUM_INVALID,
        Column("num_absent", pa.int32(), "Further rows that are no box: absence.label says that the target is out."),
    )
    build_settings: ClassVar[dict[str, Any]] = WHOLE_SEQUENCE
    extract: ClassVar[tuple[str, ...]] = ("dataset",)
    about: ClassVar[About] = About(_LAYOUT, {"train": 9_335, "val": 180, "test": 180}, size_gb=68)

    def __init__(self, config: GOT10kConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no split with its list.
        """
        check_root("got10k", root, _EXPECTED)
        if not any(_list_path(root, split).is_file() for split in self.splits):
            fail_layout("got10k", "train/list.txt, val/list.txt or test/list.txt", root, _EXPECTED)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The splits that have a list: each is a zip file of its own."""
        return tuple(split for split in self.splits if _list_path(root, split).is_file())

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every sequence of the list, in its order; one whose files are not whole is Skipped (`missing`, `unreadable`).

        Raises:
            ConfigError: the split's list is not there or not as published, or no sequence of it is whole.
        """
        check_split("got10k", split, self.splits)
        self.prepare(root)
        if split not in (there := self.splits_in(root)):
            way_out = f"; `{' '.join(f'--split {other}' for other in there)}` builds what has a list"
            fail_layout("got10k", f"{split}/list.txt", root, _EXPECTED + way_out)
        found = _listed(root, split, {} if split == "test" else _labels(root))
        if not any(isinstance(entry, Video) for entry in found):
            looked_for = f"images and groundtruth.txt of the {len(found)} sequences of list.txt"
            fail_layout("got10k", looked_for, root / split, _EXPECTED)
        yield from found

    def classes(self, root: Path) -> Classes:
        """`label`: the object classes of train and val; `box`: the target."""
        return {"label": names_by_index(_labels(root)), "box": BOX_CLASSES}


def _list_path(root: Path, split: str) -> Path:
    return root / split / "list.txt"


def _names(root: Path, split: str) -> list[str]:
    """The names in list.txt; none where it is not there."""
    path = _list_path(root, split)
    rule = "a line must be a sequence's name, as GOT-10k_Train_000001"
    return parse_lines("got10k", path, _name, rule) if path.is_file() else []


def _name(line: str) -> str:
    found = _NAME.fullmatch(line.strip())
    if not found:
        raise ValueError(line)
    return found[0]


def _labels(root: Path) -> dict[str, int]:
    """Class index by object class."""
    folders = (root / split / name for split in ("train", "val") for name in _names(root, split))
    return label_indices(_meta(folder).get("object_class", "") for folder in folders)


def _meta(folder: Path) -> dict[str, str]:
    """What meta_info.ini says; nothing where it is not there. Its first line is a header."""
    path = folder / "meta_info.ini"
    lines = read_lines("got10k", path) if path.is_file() else []
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _rate(meta: Mapping[str, str]) -> Fraction:
    """Images a second: the number at the start of anno_fps, as in "10Hz"."""
    found = _RATE.match(meta.get("anno_fps", ""))
    rate = Fraction(found[0]) if found else _DEFAULT_RATE
    return rate if 0 < rate <= MAX_FPS else _DEFAULT_RATE


def _listed(root: Path, split: str, labels: Mapping[str, int]) -> list[Video | Skipped]:
    found: dict[str, Video | Skipped] = {}
    repeated = []
    for name in _names(root, split):
        if name in found:
            repeated.append(Skipped(f"{split}/{name}", "listed_twice", f"{split}/list.txt has the name more than once", name))
            continue
        try:
            found[name] = _video(root, split, name, labels)
        except ConfigError as error:
            found[name] = Skipped(f"{split}/{name}", "unreadable", str(error), name)
    return [*found.values(), *repeated]


def _video(root: Path, split: str, name: str, labels: Mapping[str, int]) -> Video | Skipped:
    """One sequence.

    Raises:
        ConfigError: one of its files is not as published.
    """
    folder, is_test = f"{split}/{name}", split == "test"
    there = names_in(root / folder)
    images = sorted(entry for entry in there if entry.endswith(".jpg"))
    needed = ("groundtruth.txt",) if is_test else ("groundtruth.txt", *_LEVELS)
    missing = next((file for file in needed if file not in there), "" if images else "00000001.jpg")
    if missing:
        return Skipped(f"{folder}/{missing}", "missing", f"{split}/list.txt names the sequence, the file is not there", name)
    rectangles = read_rectangles("got10k", root / folder / "groundtruth.txt")
    # In test the ground truth ends behind the first frame.
    if len(rectangles) not in ({1, len(images)} if is_test else {len(images)}):
        return Skipped(folder, "lengths_differ", f"{len(images)} images, {len(rectangles)} rows in groundtruth.txt", name)
    truth = _Truth.of(rectangles) if is_test else _Truth.read(rectangles, root / folder)
    meta = {} if is_test else _meta(root / folder)
    label_name = meta.get("object_class", "")
    return Video(
        name,
        folder,
        split,
        (split,),
        labels.get(label_name, -1),
        label_name=label_name,
        facts={**{key: meta.get(key, "") for key in _META}, **truth.counts},
        frames=tuple(f"{folder}/{image}" for image in images),
        frame_rate=_rate(meta),
        boxes=truth.boxes(_rate(meta)),
    )


@dataclass(frozen=True, slots=True)
class _Truth:
    """What the owners drew in one sequence."""

    rectangles: Rectangles
    absent: npt.NDArray[np.bool_]
    """(N,): the target is out of the picture."""
    scores: npt.NDArray[np.float64]
    """(N,): the share of the target that is seen."""

    @classmethod
    def of(cls, rectangles: Rectangles) -> _Truth:
        """Rectangles alone: nothing is absent, and all is seen."""
        return cls(rectangles, np.zeros(len(rectangles), np.bool_), np.ones(len(rectangles)))

    @classmethod
    def read(cls, rectangles: Rectangles, folder: Path) -> _Truth:
        """Rectangles and what the .label files of their folder say.

        Raises:
            ConfigError: a line cannot be read, or the files differ in length.
        """
        absent, cover = (_levels(folder / name, most, len(rectangles)) for name, most in _LEVELS.items())
        return cls(rectangles, absent > 0, cover / _LEVELS["cover.label"])

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are no box, by column."""
        valid = has_area(self.rectangles)
        return {"num_invalid": int((~valid).sum()), "num_absent": int((valid & self.absent).sum())}

    def boxes(self, rate: Fraction) -> GivenBoxes:
        """The rows that are boxes."""
        return given_boxes(self.rectangles, rate, has_area(self.rectangles) & ~self.absent, self.scores)


def _levels(path: Path, most: int, num_rows: int) -> npt.NDArray[np.int64]:
    """The levels of a .label file, one a line, from 0 to `most`."""
    lines = read_lines("got10k", path)
    levels = [int(line) for line in lines if _LEVEL.fullmatch(line.strip())]
    if not len(levels) == len(lines) == num_rows or max(levels, default=0) > most:
        fail_file("got10k", path, f"{len(lines)} lines", f"it must have {num_rows}, as groundtruth.txt, each from 0 to {most}")
    return np.array(levels, np.int64)
