"""AVA-Kinetics: people in boxes with AVA's 80 actions, at a second or a few of clips of Kinetics-700.

With AVA's own it has over 230,000 clips, says its abstract; about 100,000 of Kinetics are to train, says mmaction2. Annotations
by Google and DeepMind (research.google.com/ava, ava_kinetics_v1_0.tar.gz; CC BY 4.0, from memory); the clips are those of
Kinetics-700 (see kinetics700). Its AVA part is the dataset `ava`.

Nobody of us has seen a file of it. From mmaction2's code: the train CSV has seven columns and no person, times are seconds of the
YouTube video, rows of another length are dropped. From memory: the names of the val and test CSV. A guess: that rows of two
columns are frames without a person.

Source: Li et al. 2020, arXiv 2005.00214; mmaction2's tools/data/ava_kinetics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._ava import BoxRows, given_boxes, read_action_classes, read_box_rows
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos
from vdata.records import Column, Skipped, Video

__all__ = ["AVAKinetics", "AVAKineticsConfig"]

_LAYOUT = """ROOT/
  ava_kinetics_v1_0/kinetics_train_v1.0.csv   kinetics_val_v1.0.csv, kinetics_test_v1.0.csv; or in annotations/, or in ROOT
  ava_kinetics_v1_0/ava_action_list_v2.2.pbtxt                       if you have it
  train/CLASS/ID_000010_000020.mp4 ...        val/, test/; in class folders or flat; or all in videos/, or class folders in ROOT
"""
_EXPECTED = (
    "kinetics_{train,val,test}_v1.0.csv in ava_kinetics_v1_0/, and clips ID_START_END.mp4 in train/, val/, test/ or videos/"
)
_LIST_FOLDERS = ("ava_kinetics_v1_0", "annotations", ".")
_COLUMNS = frozenset({7})
_STEM_PARTS = 3


@dataclass(frozen=True)
class AVAKineticsConfig:
    """No settings: layout and names are found."""


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip of a YouTube video, by its name."""

    start: int
    end: int
    stem: str
    path: str


@DATASETS.add("ava_kinetics")
class AVAKinetics:
    """The clips that hold an annotated second t, start < t < end by their names, in the order of the CSV.

    Boxes are as AVA's: shares of the picture, one for each action, classes 1 to 80. Where several clips of one YouTube video hold
    a second, the earliest has its boxes, as in the published reader, so that no box is twice. A video without a clip is Skipped
    with reason `missing`, a second that is in none of its clips with `outside`; rows without seven columns with `no_box`, in one
    entry that says how many.
    """

    Config: ClassVar[type] = AVAKineticsConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("youtube_id", pa.string(), "The YouTube video that the clip was cut from."),
        Column(
            "time_start", pa.int32(), "Where the clip starts in that video, seconds: those of the annotations are counted there."
        ),
        Column("time_end", pa.int32(), "Where it ends, seconds."),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ("dataset",)
    about: ClassVar[About] = About(_LAYOUT)

    def __init__(self, config: AVAKineticsConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no CSV of any split.
        """
        check_root("ava_kinetics", root, _EXPECTED)
        if not self.splits_in(root):
            fail_layout("ava_kinetics", "kinetics_train_v1.0.csv", root, _EXPECTED)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """Those whose CSV is there."""
        return tuple(split for split in self.splits if _csv_path(root, split))

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every clip with a box, and what has none.

        Raises:
            ConfigError: the split's CSV is absent or not as published, or none of its clips is there.
        """
        check_split("ava_kinetics", split, self.splits)
        check_root("ava_kinetics", root, _EXPECTED)
        path = _csv_path(root, split) or fail_layout("ava_kinetics", f"kinetics_{split}_v1.0.csv", root, _EXPECTED)
        rows = read_box_rows("ava_kinetics", path, _COLUMNS, most_odd=1.0)
        folders = _clip_folders(root, split)
        clips = _clips(root, folders, rows)
        if not clips:
            example = next(iter(rows.by_video))
            looked_for = f"clips of the {len(rows.by_video)} videos of {path.name}, such as {example}_000010_000020.mp4,"
            fail_layout("ava_kinetics", looked_for, root / folders[0], _EXPECTED)
        if rows.odd:
            told = f"{len(rows.odd)} rows of {path.name} have not seven columns of numbers, the first is line {rows.odd[0]}"
            yield Skipped(path.name, "no_box", f"{told}; the published reader drops them too")
        for name in rows.by_video:
            if name in clips:
                yield from _entries(name, clips[name], rows, split)
            else:
                yield Skipped(f"{split}/{name}", "missing", f"{path.name} names it, no clip '{name}_*' is there", name)

    def classes(self, root: Path) -> Classes:
        """`box` and `box_evaluated` as AVA's; nothing where the list of actions is not there."""
        names = ("ava_action_list_v2.2.pbtxt", "ava_action_list_v2.2_for_activitynet_2019.pbtxt")
        return read_action_classes("ava_kinetics", *(file_named(root, _LIST_FOLDERS, [name]) for name in names))


def _csv_path(root: Path, split: str) -> Path | None:
    return file_named(root, _LIST_FOLDERS, [f"kinetics_{split}_v1.0.csv"])


def _clip_folders(root: Path, split: str) -> list[str]:
    names = [*{"val": ("val", "validate")}.get(split, (split,)), f"videos_{split}", "videos"]
    return [name for name in names if (root / name).is_dir()] or [""]


def _clips(root: Path, folders: Iterable[str], rows: BoxRows) -> dict[str, list[_Clip]]:
    """The clips of each annotated YouTube video, by their start."""
    found: dict[str, list[_Clip]] = {}
    for stem, paths in index_videos(root, folders).items():
        # Ids may hold `_` themselves.
        parts = stem.rsplit("_", 2)
        if len(parts) == _STEM_PARTS and parts[0] in rows.by_video and parts[1].isdecimal() and parts[2].isdecimal():
            found.setdefault(parts[0], []).append(_Clip(int(parts[1]), int(parts[2]), stem, paths[0]))
    for clips in found.values():
        clips.sort(key=lambda clip: (clip.start, clip.end))
    return found


def _entries(name: str, clips: list[_Clip], rows: BoxRows, split: str) -> Iterator[Video | Skipped]:
    """The clips of a YouTube video that have boxes, and the seconds that none of them holds."""
    left = rows.of(name)
    for clip in clips:
        inside = (clip.start < left[:, 0]) & (left[:, 0] < clip.end)
        if inside.any():
            facts: dict[str, int | float | str] = {"youtube_id": name, "time_start": clip.start, "time_end": clip.end}
            boxes = given_boxes(left[inside], clip.start)
            yield Video(clip.stem, clip.path, split, (split,), facts=facts, boxes=boxes)
        left = left[~inside]
    for second in sorted(set(left[:, 0].tolist())):
        yield Skipped(f"{split}/{name}", "outside", f"none of its {len(clips)} clips holds second {second:g}", name)
