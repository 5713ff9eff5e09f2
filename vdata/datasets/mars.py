"""MARS: 20,478 tracklets of pedestrian crops, 1,261 people, six cameras, 6.3 GB of JPEG (person re-identification).

Crops of 256 x 128 pixels that a detector and a tracker cut from the videos of Market-1501; some of what they cut is wrong and
kept on purpose. Published by L. Zheng (zheng-lab.cecs.anu.edu.au/Project/project_mars.html) as bbox_train.zip and bbox_test.zip;
the folder info/ is published apart, at github.com/liangzheng06/MARS-evaluation. No licence is stated there.

Seen in the published files: the tables and query_IDX. The name lists, and so the form of the names, are known from readers and
from the owners' page alone. Frame rate: nobody says one, 25 is ours.

Source: Zheng et al., ECCV 2016; the published tables; torchreid's reader, for what is dropped and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, image_names, read_lines, read_mat
from vdata.datasets._layout import check_root, check_split, fail_layout, names_by_index
from vdata.datasets._tracklets import FRAME_RATE, PERSON_COLUMNS, one_clip, person_labels
from vdata.records import Column, Skipped, Video

__all__ = ["Mars", "MarsConfig"]

_LAYOUT = """ROOT/
  info/train_name.txt test_name.txt                  all crops in order, a name a line
  info/tracks_train_info.mat tracks_test_info.mat    first and last line, person, camera of every tracklet
  info/query_IDX.mat                                 rows of the test table
  bbox_train/0001/0001C1T0001F001.jpg ...
  bbox_test/0002/0002C1T0001F001.jpg ...             00-1/ is junk, 0000/ are distractors
"""
_EXPECTED = (
    "bbox_train/PERSON/*.jpg, bbox_test/PERSON/*.jpg and info/ (published apart: github.com/liangzheng06/MARS-evaluation) "
    "with train_name.txt, test_name.txt, tracks_train_info.mat, tracks_test_info.mat and query_IDX.mat"
)
_FILES = ("train_name.txt", "test_name.txt", "tracks_train_info.mat", "tracks_test_info.mat", "query_IDX.mat")
_TOGETHER = "take all files of info/ from one source"
_JUNK, _DISTRACTOR = -1, 0
_NUM_COLUMNS = 4

_Table = npt.NDArray[np.int64]
"""(N, 4): first and last line of a name list, counted from 1 and both meant, person, camera from 1."""


@dataclass(frozen=True)
class MarsConfig:
    """No settings: there is one official division."""


@DATASETS.add("mars")
class Mars:
    """The rows of the tracklet tables, each one video and one clip.

    `test` holds queries and gallery; `splits` says which a tracklet is. Rows of person -1 are Skipped with reason `junk`, as
    all evaluations ignore them; person 0 (distractors, gallery only) has label -1 and pid 0. Labels are one numbering: the 625
    train people from 0, then the test people, each sorted. `camid` is the published camera less 1, `tracklet` the row of the
    table from 1, by which query_IDX counts; the id is the first crop's name. As in the owners' evaluation the gallery is what is
    no query (9,330); some count all 11,310, so that no query is without a match.

    Without info/ nothing is listed: the queries were drawn by the owners, and cannot be told from the names.
    """

    Config: ClassVar[type] = MarsConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        *PERSON_COLUMNS,
        Column("tracklet", pa.int32(), "Row of the split's table of tracklets, counted from 1 as query_IDX counts."),
    )
    build_settings: ClassVar[dict[str, Any]] = one_clip(short_side=128)
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 8_298, "test": 11_310}, size_gb=6.3, needs="the folder info/, which is published apart from the crops"
    )

    def __init__(self, config: MarsConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: a file of info/ or both folders of crops are not there.
        """
        check_root("mars", root, _EXPECTED)
        for name in _FILES:
            if not (root / "info" / name).is_file():
                fail_layout("mars", f"info/{name}", root, _EXPECTED)
        if not any((root / f"bbox_{split}").is_dir() for split in self.splits):
            fail_layout("mars", "bbox_train/ and bbox_test/", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every row of the split's table, in its order; a tracklet that lacks a crop is Skipped with reason `missing`.

        Raises:
            ConfigError: the layout is not as published, the files of info/ contradict each other, or no tracklet is whole.
        """
        check_split("mars", split, self.splits)
        self.prepare(root)
        table, names = read_table(root, split), read_lines("mars", root / "info" / f"{split}_name.txt")
        _check_lines(root, split, table, len(names))
        reader = _Reader(root, split, names, read_queries(root, len(table)) if split == "test" else frozenset(), _labels(root))
        found = [reader.tracklet(number, *row) for number, row in enumerate(table.tolist(), start=1)]
        if not any(isinstance(entry, Video) for entry in found):
            fail_layout("mars", f"the crops of {len(found)} tracklets in bbox_{split}/", root, _EXPECTED)
        yield from found

    def classes(self, root: Path) -> Classes:
        """`label`: the people of train, then those of test; no distractor."""
        return {"label": names_by_index(_labels(root))}


def read_table(root: Path, split: str) -> _Table:
    """The tracklets of `train` or `test`.

    Raises:
        ConfigError: it is no table of four columns of whole numbers.
    """
    path = root / "info" / f"tracks_{split}_info.mat"
    table = read_mat("mars", path, f"track_{split}_info")
    if table.ndim != 2 or table.shape[1] != _NUM_COLUMNS or table.dtype.kind not in "iu":  # noqa: PLR2004 - rows and columns
        fail_file("mars", path, f"{table.dtype} {table.shape}", "it must have 4 columns: first, last, person, camera")
    return table.astype(np.int64)


def read_queries(root: Path, num_rows: int) -> frozenset[int]:
    """The rows of the test table, counted from 1, that are queries.

    Raises:
        ConfigError: they are no whole numbers, or one lies beyond the table.
    """
    path = root / "info" / "query_IDX.mat"
    rows = read_mat("mars", path, "query_IDX").ravel()
    if rows.dtype.kind not in "iuf":
        fail_file("mars", path, f"query_IDX of type {rows.dtype}", f"it must be rows of the test table; {_TOGETHER}")
    # Also false for NaN.
    beyond = rows[~((rows >= 1) & (rows <= num_rows) & (np.floor(rows) == rows))]
    if beyond.size:
        fail_file("mars", path, f"row {beyond[0]}", f"tracks_test_info.mat has {num_rows} rows; {_TOGETHER}")
    # uint16 in the published file: one step more and arithmetic wraps.
    return frozenset(rows.astype(np.int64).tolist())


def _check_lines(root: Path, split: str, table: _Table, num_names: int) -> None:
    first, last = table[:, 0], table[:, 1]
    beyond = np.flatnonzero((first < 1) | (last < first) | (last > num_names))
    if beyond.size:
        row = beyond[0]
        rule = f"{split}_name.txt has {num_names} lines; {_TOGETHER}"
        told = f"lines {first[row]} to {last[row]} in row {row + 1}"
        fail_file("mars", root / "info" / f"tracks_{split}_info.mat", told, rule)


def _folder(person: int) -> str:
    """The four characters by which folders and names say a person; -1 is 00-1."""
    return "00-1" if person == _JUNK else f"{person:04d}"


def _labels(root: Path) -> dict[str, int]:
    people = {
        split: [_folder(person) for person in np.unique(read_table(root, split)[:, 2]).tolist() if person > _DISTRACTOR]
        for split in ("train", "test")
    }
    return person_labels(people["train"], people["test"])


@dataclass(slots=True)
class _Reader:
    """Rows to tracklets. It keeps the names of one folder: rows of a person stand together, and all are 1.2 million names."""

    root: Path
    split: str
    names: list[str]
    queries: frozenset[int]
    labels: Mapping[str, int]
    _listed: str = ""
    _files: frozenset[str] = field(default=frozenset())

    def tracklet(self, number: int, first: int, last: int, person: int, camera: int) -> Video | Skipped:
        """One row of the table."""
        names, folder = self.names[first - 1 : last], f"bbox_{self.split}/{_folder(person)}"
        video_id = names[0].rpartition(".")[0]
        if person == _JUNK:
            return Skipped(folder, "junk", f"row {number}: person -1, which evaluations ignore", video_id)
        self._check_names(names, first, f"{_folder(person)}C{camera}")
        missing = [name for name in names if name not in self._there(folder)]
        if missing:
            told = f"row {number}: {len(missing)} of its {len(names)} crops are not there"
            return Skipped(f"{folder}/{missing[0]}", "missing", told, video_id)
        role = () if self.split == "train" else ("query",) if number in self.queries else ("gallery",)
        label = self.labels.get(_folder(person), -1)
        return Video(
            video_id,
            folder,
            self.split,
            (self.split, *role),
            label,
            label_name=_folder(person) if label >= 0 else "",
            facts={"pid": person, "camid": camera - 1, "tracklet": number},
            frames=tuple(f"{folder}/{name}" for name in names),
            frame_rate=FRAME_RATE,
        )

    def _check_names(self, names: list[str], first: int, start: str) -> None:
        if any(not name.startswith(start) for name in names):
            line, name = next((line, name) for line, name in enumerate(names, start=first) if not name.startswith(start))
            path = self.root / "info" / f"{self.split}_name.txt"
            fail_file("mars", path, f"'{name}'", f"the table has a tracklet of {start} there; {_TOGETHER}", line)

    def _there(self, folder: str) -> frozenset[str]:
        if folder != self._listed:
            self._listed, self._files = folder, frozenset(image_names(self.root / folder))
        return self._files
