"""AVA: 15 minutes each of 430 films, people in boxes with their actions at every second; versions 2.1 and 2.2, 80 actions.

Published by Google (research.google.com/ava; annotations CC BY 4.0, from memory): ava_v2.1.zip or ava_v2.2.zip. The films come
from the CVDF mirror (github.com/cvdfoundation/ava-dataset). 235 films to train, 64 to validate; 131 to test, without boxes.

Seen: rows of v2.2, an excluded list, the v2.1 list of 60 evaluated actions. From others' code alone: the form of v2.2's list of
actions, the folders, and boxes of a detector. From memory: the names of the files that list test films.

Source: Gu et al., CVPR 2018, arXiv 1705.08421; the published files; the layouts of PySlowFast and mmaction2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._ava import BoxRows, given_boxes, read_action_classes, read_box_rows
from vdata.datasets._files import parse_lines, read_lines
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["AVA", "AVAConfig"]

_LAYOUT = """ROOT/
  annotations/ava_train_v2.2.csv  ava_val_v2.2.csv             or in ava_v2.2/, or in ROOT; or v2.1
  annotations/ava_{train,val,test}_excluded_timestamps_v2.2.csv
  annotations/ava_action_list_v2.2.pbtxt  ava_action_list_v2.2_for_activitynet_2019.pbtxt   one or both
  annotations/ava_test_v2.2.txt   or ava_file_names_test_v2.1.txt; the test split, if you have it
  videos/ID.mkv ...               the films (.mp4, .mkv, .webm), also in videos/trainval/, videos/test/
  videos_15min/ID.mkv ...         or what was cut of them: seconds 900 to 1801
"""
_EXPECTED = "ava_{train,val}_v2.N.csv in annotations/, and the films in videos/ or videos_15min/ (folders of frames are not read)"
_FULL_FOLDERS = ("videos", "trainval", "test")
_CUT_FOLDERS = ("videos_15min",)
_VERSIONS = ("v2.2", "v2.1")
_SPLITS = ("train", "val", "test")
_START, _END = 900, 1801
"""Seconds of a film that the published cut keeps; 902 to 1798 have boxes, so each has two seconds and more around it."""
_COLUMNS = frozenset({7, 8})


@dataclass(frozen=True)
class AVAConfig:
    """Which of the things below the root are built."""

    version: Literal["auto", "v2.1", "v2.2"] = "auto"
    """Of the annotations; `auto` is v2.2 where any of its files is there."""
    films: Literal["auto", "full", "15min"] = "auto"
    """What the videos are. `auto`: those in videos_15min/ are cut, time 0 is second 900; others are whole films. `full` passes
    over videos_15min/; `15min` says that they are cut, wherever they lie."""
    boxes: str = ""
    """A CSV below the root with boxes of a person detector, as `annotations/ava_{split}_predicted_boxes.csv`: its 8th column is
    the score. They are stored beside the owners' boxes, with class -1."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a film is."""

    path: str
    first_second: int
    """The film's second at the source's start."""


@DATASETS.add("ava")
class AVA:
    """The films of the split's CSV, in its order, cut to seconds 900 to 1801.

    Boxes are shares of the picture, one for each action of a person: the class is the action's published number, 1 to 80. They
    count in seconds of the source: `first_second` added gives those of the annotations. The number of the person is left out.
    Odd rows of a CSV, of another length or with text for a number, are Skipped with reason `bad_row` as long as they are few.
    """

    Config: ClassVar[type] = AVAConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("first_second", pa.int32(), "The film's second at the source's start: 0, or 900 for a film that was cut before."),
        Column(
            "excluded_seconds",
            pa.string(),
            "Seconds of the film that the owners leave out of evaluation, a JSON list; empty where that file is not there.",
        ),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ("dataset",)
    about: ClassVar[About] = About(_LAYOUT, {"train": 235, "val": 64, "test": 131})

    def __init__(self, config: AVAConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no CSV of the version, or no list of actions.
        """
        check_root("ava", root, _EXPECTED)
        version = self._version(root)
        if not any(_file(root, f"ava_{split}_{version}.csv") for split in self.splits):
            fail_layout("ava", f"ava_train_{version}.csv or ava_val_{version}.csv", root, _EXPECTED)
        if not any(_action_lists(root, version)):
            fail_layout("ava", f"ava_action_list_{version}.pbtxt", root, _EXPECTED)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """Those whose CSV, or list of test films, is there."""
        version = self._version(root)
        return tuple(split for split in _SPLITS if _list_path(root, split, version))

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every film of the split; one whose file is not there is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, or none of the films is there.
        """
        self.prepare(root)
        check_split("ava", split, _SPLITS)
        version = self._version(root)
        path = _list_path(root, split, version) or fail_layout("ava", f"ava_{split}_{version}.csv", root, _EXPECTED)
        rows = BoxRows() if split == "test" else read_box_rows("ava", path, _COLUMNS)
        names = _test_films(path) if split == "test" else list(rows.by_video)
        sources = self._sources(root)
        if not any(name in sources for name in names):
            looked_for = f"the {len(names)} films of {path.name}, such as {names[0]}.mkv,"
            folders = [folder for folder in (*_CUT_FOLDERS, *_FULL_FOLDERS) if (root / folder).is_dir()]
            fail_layout("ava", looked_for, root / folders[0] if folders else root, _EXPECTED)
        excluded = _excluded(_file(root, f"ava_{split}_excluded_timestamps_{version}.csv"))
        detected = self._detected(root, split)
        for number in rows.odd:
            yield Skipped(f"{path.name} line {number}", "bad_row", "the row is not VIDEO,SECONDS,X1,Y1,X2,Y2,ACTION[,PERSON]")
        for name in names:
            if name not in sources:
                yield Skipped(f"{name}.mkv", "missing", f"{path.name} names the film, no file '{name}.*' is there", name)
                continue
            boxes = np.concatenate([rows.of(name), detected.of(name)])
            seconds = "" if excluded is None else json.dumps(excluded.get(name, []))
            yield _video(name, split, sources[name], boxes, seconds)

    def classes(self, root: Path) -> Classes:
        """`box`: actions by their published number; `box_evaluated`: the same, "" for all but the 60 that benchmarks count."""
        return read_action_classes("ava", *_action_lists(root, self._version(root)))

    def _version(self, root: Path) -> str:
        if self.config.version != "auto":
            return self.config.version
        found = (version for version in _VERSIONS if any(_file(root, f"ava_{split}_{version}.csv") for split in self.splits))
        return next(found, _VERSIONS[0])

    def _sources(self, root: Path) -> dict[str, _Source]:
        """Where each film is; a cut one before a whole one, which takes longer to read."""
        cut, full = ([name for name in names if (root / name).is_dir()] for names in (_CUT_FOLDERS, _FULL_FOLDERS))
        if not cut and not full:
            full = [""]
        if self.config.films == "full":
            return _films(root, full, 0)
        if self.config.films == "15min":
            return _films(root, cut or full, _START)
        return _films(root, full, 0) | _films(root, cut, _START)

    def _detected(self, root: Path, split: str) -> BoxRows:
        if not self.config.boxes:
            return BoxRows()
        path = root / self.config.boxes.replace("{split}", split)
        if not path.is_file():
            raise ConfigError(f"ava: ava.boxes ('{self.config.boxes}') must name a file below the root; '{path}' is none")
        return read_box_rows("ava", path, {8}, scored=True)


def _file(root: Path, name: str) -> Path | None:
    return file_named(root, ("annotations", "ava_v2.2", "ava_v2.1", "."), [name])


def _list_path(root: Path, split: str, version: str) -> Path | None:
    """The file that names the films of a split; the films to test are the same in both versions."""
    if split != "test":
        return _file(root, f"ava_{split}_{version}.csv")
    return _file(root, f"ava_test_{version}.txt") or _file(root, "ava_file_names_test_v2.1.txt")


def _test_films(path: Path) -> list[str]:
    """The ids in a list of ids or of file names."""
    lines = [line.strip() for line in read_lines("ava", path)]
    # An id may hold no dot, so what follows one is the extension.
    names = list(dict.fromkeys(line.partition(".")[0] for line in lines if line))
    return names or fail_layout("ava", f"names of films in {path.name}", path.parent, _EXPECTED)


def _action_lists(root: Path, version: str) -> tuple[Path | None, Path | None]:
    """All actions, and those that are evaluated."""
    name = f"ava_action_list_{version}"
    evaluated = [f"{name}_for_activitynet_{year}.pbtxt{end}" for year in (2019, 2018) for end in ("", ".txt")]
    return _file(root, f"{name}.pbtxt"), next((path for one in evaluated if (path := _file(root, one))), None)


def _excluded(path: Path | None) -> dict[str, list[int]] | None:
    """The excluded seconds of each film; None where the file is not there."""
    if path is None:
        return None
    found: dict[str, list[int]] = {}
    for name, second in parse_lines("ava", path, _timestamp, "must be VIDEO,SECOND"):
        found.setdefault(name, []).append(second)
    return found


def _timestamp(line: str) -> tuple[str, int]:
    name, second = line.split(",")
    return name, int(float(second))


def _films(root: Path, folders: Sequence[str], first_second: int) -> dict[str, _Source]:
    return {name: _Source(paths[0], first_second) for name, paths in index_videos(root, folders).items()}


def _video(name: str, split: str, source: _Source, rows: npt.NDArray[np.float64], excluded: str) -> Video:
    return Video(
        name,
        source.path,
        split,
        (split,),
        start_seconds=_START - source.first_second,
        end_seconds=None if source.first_second else _END,
        facts={"first_second": source.first_second, "excluded_seconds": excluded},
        boxes=given_boxes(rows, source.first_second),
    )
