"""OTB-2015: 100 targets in 98 short image sequences, a box a frame, 2.7 GB (object tracking).

Published as a zip file for each sequence by Y. Wu, J. Lim and M.-H. Yang (cvlab.hanyang.ac.kr/tracker_benchmark, "Visual Tracker
Benchmark"; archived copies where the site does not answer); no licence is stated there. Files of two sequences have been seen;
names, frame ranges and the rest are known from readers. Frame rate: nobody says one, 25 is ours.

Source: Wu, Lim, Yang, TPAMI 2015; published groundtruth_rect.txt files; the readers of got-10k/toolkit and pytracking;
kumatheworld/tracking-sanity for what is odd.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import image_names
from vdata.datasets._layout import check_root, check_split, fail_layout
from vdata.datasets._tracking import BOX_CLASSES, NUM_INVALID, WHOLE_SEQUENCE, given_boxes, has_area, read_rectangles
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["OTB2015", "OTB2015Config"]

_LAYOUT = """ROOT/
  Basketball/img/0001.jpg ...           Board has five digits
  Basketball/groundtruth_rect.txt       x, y, width, height a line; with commas, tabs or blanks
  Jogging/groundtruth_rect.1.txt .2.txt Skating2 likewise; of Human4 .2 alone
  ...
"""
_EXPECTED = "the unpacked sequences, such as Basketball/img/0001.jpg and Basketball/groundtruth_rect.txt"
_FRAME_RATE = Fraction(25)

_TB50_NAMES = """
Basketball Biker Bird1 BlurBody BlurCar2 BlurFace BlurOwl Bolt Box Car1 Car4 CarDark CarScale ClifBar Couple Crowds David Deer
Diving DragonBaby Dudek Football Freeman4 Girl Human3 Human4 Human6 Human9 Ironman Jump Jumping Liquor Matrix MotorRolling Panda
RedTeam Shaking Singer2 Skating1 Skating2 Skiing Soccer Surfer Sylvester Tiger2 Trellis Walking Walking2 Woman
"""
_OTHER_NAMES = """
Bird2 BlurCar1 BlurCar3 BlurCar4 Board Bolt2 Boy Car2 Car24 Coke Coupon Crossing Dancer Dancer2 David2 David3 Dog Dog1 Doll
FaceOcc1 FaceOcc2 Fish FleetFace Football1 Freeman1 Freeman3 Girl2 Gym Human2 Human5 Human7 Human8 Jogging KiteSurf Lemming Man
Mhyang MountainBike Rubik Singer1 Skater Skater2 Subway Suv Tiger1 Toy Trans Twinnings Vase
"""
_OTB2013_NAMES = """
Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll Dudek FaceOcc1 FaceOcc2 Fish
FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging Jumping Lemming Liquor Matrix Mhyang MotorRolling
MountainBike Shaking Singer1 Singer2 Skating1 Skiing Soccer Subway Suv Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman
"""
_TB50, _OTHERS, _OTB2013 = (tuple(names.split()) for names in (_TB50_NAMES, _OTHER_NAMES, _OTB2013_NAMES))
_NUMBERED_FILES = {"Jogging": (1, 2), "Skating2": (1, 2), "Human4": (2,)}
"""Sequences whose ground truth has a number in its name, one for each target; Human4's .1 is empty."""
_RANGES = {"David": (300, 770), "Football1": (1, 74), "Freeman3": (1, 460), "Freeman4": (1, 283), "Diving": (1, 215)}
"""First and last image, by number, of sequences that have more images than rows."""


@dataclass(frozen=True)
class OTB2015Config:
    """No settings."""


@dataclass(frozen=True, slots=True)
class _Target:
    """One of the 100."""

    video_id: str
    sequence: str
    file: str


@DATASETS.add("otb2015")
class OTB2015:
    """The 100 targets, each a video and one clip: `Jogging.1` and `Jogging.2` are the same images with other boxes.

    Row i of the ground truth is frame i of the clip, so the first box is what a tracker is given. Images are ordered by the
    number in their name. Five sequences have more images than rows: there the published range is taken. Where images and rows
    still differ in number, nobody could say which belong together: the target is Skipped with reason `lengths_differ`. Rows with
    no width or height (the last of Board and Twinnings) are counted in `num_invalid` and give no box. Corners are moved by one
    pixel, as rows count from 1. `splits` names tb100, and tb50 and otb2013 for their parts. Tiger1 is whole: the owners' tool
    leaves out its first 5 frames.
    """

    Config: ClassVar[type] = OTB2015Config
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = (NUM_INVALID,)
    build_settings: ClassVar[dict[str, Any]] = WHOLE_SEQUENCE
    extract: ClassVar[tuple[str, ...]] = ("dataset",)
    about: ClassVar[About] = About(_LAYOUT, {"": 100}, size_gb=2.7)

    def __init__(self, config: OTB2015Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no folder of any sequence.
        """
        check_root("otb2015", root, _EXPECTED)
        if not any((root / name / "img").is_dir() for name in (*_TB50, *_OTHERS)):
            fail_layout("otb2015", "folders of sequences, such as Basketball/img", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """All 100 targets, TB-50 first; one whose images or boxes are not there is Skipped with reason `missing` or `unreadable`.

        Raises:
            ConfigError: the root has no folder of any sequence, or no target is whole.
        """
        check_split("otb2015", split, self.splits)
        self.prepare(root)
        found = [_video(root, target) for name in (*_TB50, *_OTHERS) for target in _targets(name)]
        if not any(isinstance(entry, Video) for entry in found):
            fail_layout("otb2015", "images and groundtruth_rect.txt of one of the 98 sequences", root, _EXPECTED)
        yield from found

    def classes(self, root: Path) -> Classes:
        """`box`: the target. Sequences have no class."""
        del root
        return {"box": BOX_CLASSES}


def _targets(sequence: str) -> list[_Target]:
    numbers = _NUMBERED_FILES.get(sequence, ())
    if not numbers:
        return [_Target(sequence, sequence, "groundtruth_rect.txt")]
    ids = [f"{sequence}.{number}" if len(numbers) > 1 else sequence for number in numbers]
    return [_Target(one, sequence, f"groundtruth_rect.{number}.txt") for one, number in zip(ids, numbers, strict=True)]


def _video(root: Path, target: _Target) -> Video | Skipped:
    folder, truth = f"{target.sequence}/img", f"{target.sequence}/{target.file}"
    names = image_names(root / folder)
    if not names or not (root / truth).is_file():
        return _missing(root, target, truth if names else folder)
    try:
        rectangles = read_rectangles("otb2015", root / truth)
    except ConfigError as error:
        return Skipped(truth, "unreadable", str(error), target.video_id)
    names = _frames(target.sequence, names, len(rectangles))
    if len(names) != len(rectangles) or not names:
        told = f"{len(names)} images in {folder}, {len(rectangles)} rows in {target.file}"
        return Skipped(truth, "lengths_differ", told, target.video_id)
    valid = has_area(rectangles)
    lists = {"tb100": True, "tb50": target.sequence in _TB50, "otb2013": target.sequence in _OTB2013}
    return Video(
        target.video_id,
        folder,
        splits=tuple(name for name, is_in in lists.items() if is_in),
        facts={"num_invalid": int((~valid).sum())},
        frames=tuple(f"{folder}/{name}" for name in names),
        frame_rate=_FRAME_RATE,
        boxes=given_boxes(rectangles, _FRAME_RATE, valid),
    )


def _frames(sequence: str, names: list[str], num_rows: int) -> list[str]:
    """The images in the order of their numbers; of the five with a range what lies in it, unless the copy was cut already."""
    by_number = {int(stem): name for name in names if (stem := os.path.splitext(name)[0]).isdecimal()}  # noqa: PTH122 - 59,000 names
    first, last = _RANGES.get(sequence, (0, 0))
    if not last or len(by_number) == num_rows:
        return [by_number[number] for number in sorted(by_number)]
    return [by_number[number] for number in sorted(by_number) if first <= number <= last]


def _missing(root: Path, target: _Target, path: str) -> Skipped:
    archive = f"{target.sequence}.zip"
    told = f"'{archive}' is not unpacked" if (root / archive).is_file() else f"'{path}' is not there, or empty"
    return Skipped(path, "missing", told, target.video_id)
