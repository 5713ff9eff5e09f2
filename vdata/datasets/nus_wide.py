"""NUS-WIDE: 269,648 pictures of Flickr with their users' tags and 81 concepts; for research, every picture under its own licence.

Published by the National University of Singapore (lms.comp.nus.edu.sg): the lists, the ground truth and the tags as archives, the
pictures as a list of addresses or, on request, as Flickr/. Seen in published files: the first lines of NUS-WIDE-urls.txt alone;
all else of the layout is that of public readers, and where the pictures lie differs between them.

Source: Chua et al. 2009, "NUS-WIDE: A real-world web image database from National University of Singapore"; the readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, read_lines
from vdata.datasets._image_text import PICTURE_SETTINGS, picture
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, path_below
from vdata.datasets._locations import LocalFiles
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["NusWide", "NusWideConfig"]

_LAYOUT = """ROOT/
  ImageList/Imagelist.txt, TrainImagelist.txt, TestImagelist.txt     actor\\0001_2124494179.jpg
  ConceptsList/Concepts81.txt
  Groundtruth/TrainTestLabels/Labels_airport_Train.txt ...           0 or 1 a line
  NUS_WID_Tags/TagList1k.txt, Train_Tags1k.dat, Test_Tags1k.dat      a matrix of 0 and 1; All_Tags.txt for all tags
  Flickr/actor/0001_2124494179.jpg ...   or images/, image/, ROOT; in folders of concepts, or all in one
"""
_EXPECTED = (
    "ImageList/TrainImagelist.txt ..., ConceptsList/Concepts81.txt, Groundtruth/TrainTestLabels/, NUS_WID_Tags/ and the pictures "
    "as Flickr/actor/0001_2124494179.jpg"
)
_IMAGE_FOLDERS = ("Flickr", "images", "image", "")
_BLOCK_BYTES = 2**24
_ZERO, _ONE, _LINE_FEED = b"01\n"


@dataclass(frozen=True)
class NusWideConfig:
    """Which tags are kept."""

    tags: Literal["1k", "all", "none"] = "1k"
    """`1k`: of the thousand of TagList1k.txt, by the published matrix; `all`: every tag, by All_Tags.txt; `none`: no tags."""

    def __post_init__(self) -> None:
        """Checks the tags."""
        check(self.tags in ("1k", "all", "none"), "nus_wide.tags", self.tags, "must be '1k', 'all' or 'none'")


@DATASETS.add("nus_wide")
class NusWide:
    r"""The pictures of the split's list, in its order.

    `labels` has the concepts whose line says 1, by their place in Concepts81.txt; `label` is -1. Whatever else a line says
    counts as 0: one of Labels_lake_Train.txt is -1130179. Flickr's ids are not unique in the lists, so a video's id is folder
    and name, as `actor/0001_2124494179`; Flickr's own is the column `photo_id`.
    """

    Config: ClassVar[type] = NusWideConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = (Column("photo_id", pa.string(), "Flickr's number of the picture."),)
    build_settings: ClassVar[dict[str, Any]] = PICTURE_SETTINGS
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 161_789, "test": 107_859}, needs="The pictures, by their list of addresses."
    )

    def __init__(self, config: NusWideConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: a list, the ground truth or the tags are not there.
        """
        check_root("nus_wide", root, _EXPECTED)
        for split in self.splits:
            _list_path(root, split)
        concepts = _concepts(root)
        _label_path(root, concepts[0], "train")
        if self.config.tags != "none":
            _tags_path(root, "TagList1k.txt")

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every line of the list; a picture that is not there is Skipped as `missing`, one that is named again as `listed_twice`.

        Raises:
            ConfigError: a file is absent, has another number of lines than the list, or not one picture is there.
        """
        check_split("nus_wide", split, self.splits)
        self.prepare(root)
        path = _list_path(root, split)
        names = [line.strip().replace("\\", "/") for line in read_lines("nus_wide", path)]
        files = LocalFiles(root)
        form = _form(root, names, files, path)
        labels, tags = _labels(root, split, len(names)), self._tags(root, split, names)
        seen: set[str] = set()
        for number, name in enumerate(names):
            source, video_id = form.source(root, name), name.removesuffix(".jpg")
            if not source:
                yield Skipped(path.name, "bad_row", f"line {number + 1} leads out of the root: {name}", video_id)
            elif source not in files:
                yield Skipped(source, "missing", "the list names it, no such picture is there", video_id)
            elif video_id in seen:
                yield Skipped(source, "listed_twice", f"{path.name} names it more than once", video_id)
            else:
                seen.add(video_id)
                yield picture(video_id, source, split, (split,), labels.of(number), tags.of(number), photo_id=_photo_id(name))

    def classes(self, root: Path) -> Classes:
        """`label`: the 81 concepts; `tag`: the thousand tags of TagList1k.txt, unless there are to be none."""
        tags = {} if self.config.tags == "none" else {"tag": _names(_tags_path(root, "TagList1k.txt"))}
        return {"label": _concepts(root), **tags}

    def _tags(self, root: Path, split: str, names: Sequence[str]) -> _Tags1k | _AllTags:
        if self.config.tags == "all":
            return _AllTags(root, names)
        if self.config.tags == "none":
            return _Tags1k(_Rows.of(np.zeros(0, np.int64), np.zeros(0, np.int16), len(names)), ())
        vocabulary = _names(_tags_path(root, "TagList1k.txt"))
        path = _tags_path(root, f"{split.title()}_Tags1k.dat")
        return _Tags1k(_read_matrix(path, len(names), len(vocabulary)), vocabulary)


@dataclass(frozen=True, slots=True)
class _Form:
    """Where the pictures lie, and what of a list's name their own names have."""

    folder: str
    kind: Literal["folders", "names", "ids"]

    def source(self, root: Path, name: str) -> str:
        """Path below the root of the picture that a list calls `actor/0001_2124494179.jpg`; "" where it leads out of it."""
        last = name.rpartition("/")[2]
        named = {"folders": name, "names": last, "ids": last.rpartition("_")[2]}[self.kind]
        # A list is somebody's file: `../../x.jpg` must not put pictures from elsewhere into shards.
        place = path_below(root, named)
        return f"{self.folder}/{place}" if self.folder and place else place


class _Labels:
    """Class indices by row; rows of the same classes share one tuple."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self._known: dict[bytes, tuple[int, ...]] = {}

    def of(self, row: int) -> tuple[int, ...]:
        found = self._rows.columns(row)
        return self._known.setdefault(found.tobytes(), tuple(found.tolist()))


@dataclass(frozen=True, slots=True)
class _Rows:
    """A matrix of 0 and 1 by the places of its ones."""

    offsets: npt.NDArray[np.int64]
    """Where the ones of each row begin, and where the last row's end: (N + 1,)."""
    places: npt.NDArray[np.int16]
    """The columns of all ones, row by row."""

    @classmethod
    def of(cls, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int16], num_rows: int) -> _Rows:
        """The matrix with ones at these rows and columns."""
        order = np.argsort(rows, kind="stable")
        return cls(np.searchsorted(rows[order], np.arange(num_rows + 1)), columns[order])

    def columns(self, row: int) -> npt.NDArray[np.int16]:
        """The columns of a row's ones."""
        return self.places[self.offsets[row] : self.offsets[row + 1]]


class _Tags1k:
    """Tags by row, of a vocabulary."""

    def __init__(self, rows: _Rows, vocabulary: Sequence[str]) -> None:
        self._rows, self._vocabulary = rows, vocabulary

    def of(self, row: int) -> list[str]:
        return [self._vocabulary[place] for place in self._rows.columns(row).tolist()]


class _AllTags:
    """Tags by row of a split's list: All_Tags.txt has them in the order of the list of all pictures, after Flickr's number."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        list_path, self._path = _list_path(root, ""), _tags_path(root, "All_Tags.txt")
        places = {line.strip().replace("\\", "/"): place for place, line in enumerate(read_lines("nus_wide", list_path))}
        self._lines = read_lines("nus_wide", self._path)
        if len(self._lines) != len(places):
            # Names are unique in the list of all pictures, though numbers are not.
            fail_file(
                "nus_wide", self._path, f"{len(self._lines)} lines", f"it must have one for each of the {len(places)} pictures"
            )
        missing = next((name for name in names if name not in places), "")
        if missing:
            fail_file("nus_wide", list_path, f"no '{missing}'", "which the split's list names: take the lists from one source")
        self._names, self._rows = names, [places[name] for name in names]

    def of(self, row: int) -> list[str]:
        place = self._rows[row]
        number, *tags = self._lines[place].split()
        if number != _photo_id(self._names[row]):
            rule = f"the line of '{self._names[row]}' must begin with its number: take the lists from one source"
            fail_file("nus_wide", self._path, number, rule, place + 1)
        return tags


def _photo_id(name: str) -> str:
    return name.removesuffix(".jpg").rpartition("_")[2]


def _list_path(root: Path, split: str) -> Path:
    name = f"{split.title()}Imagelist.txt" if split else "Imagelist.txt"
    path = file_named(root, ("ImageList", "Imagelist", "."), [name, name.replace("Imagelist", "ImageList")])
    return path or fail_layout("nus_wide", f"ImageList/{name}", root, _EXPECTED)


def _label_path(root: Path, concept: str, split: str) -> Path:
    name = f"Labels_{concept}_{split.title()}.txt"
    path = file_named(root, ("Groundtruth/TrainTestLabels", "TrainTestLabels"), [name])
    return path or fail_layout("nus_wide", f"Groundtruth/TrainTestLabels/{name}", root, _EXPECTED)


def _tags_path(root: Path, name: str) -> Path:
    path = file_named(root, ("NUS_WID_Tags", "."), [name])
    looked_for = f"NUS_WID_Tags/{name} (or --set nus_wide.tags=none)"
    return path or fail_layout("nus_wide", looked_for, root, _EXPECTED)


def _names(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in read_lines("nus_wide", path) if line.strip())


def _concepts(root: Path) -> tuple[str, ...]:
    path = file_named(root, ("ConceptsList", "."), ["Concepts81.txt"])
    path = path or fail_layout("nus_wide", "ConceptsList/Concepts81.txt", root, _EXPECTED)
    return _names(path) or fail_file("nus_wide", path, "an empty file", "it must have a concept on each line")


def _form(root: Path, names: Sequence[str], files: LocalFiles, path: Path) -> _Form:
    """The first form in which one of the pictures is there.

    Raises:
        ConfigError: none is.
    """
    for kind in ("folders", "names", "ids"):
        for folder in _IMAGE_FOLDERS:
            form = _Form(folder, kind)
            if (not folder or (root / folder).is_dir()) and any(form.source(root, name) in files for name in names):
                return form
    example = f", as Flickr/{names[0]}," if names else ""
    return fail_layout("nus_wide", f"the {len(names)} pictures of {path.name}{example}", root, _EXPECTED)


def _labels(root: Path, split: str, num_rows: int) -> _Labels:
    """The concepts of every row of the split's list."""
    found = [_ones(_label_path(root, concept, split), num_rows) for concept in _concepts(root)]
    columns = np.repeat(np.arange(len(found), dtype=np.int16), [len(rows) for rows in found])
    return _Labels(_Rows.of(np.concatenate(found), columns, num_rows))


def _ones(path: Path, num_rows: int) -> npt.NDArray[np.int64]:
    """The lines, counted from 0, of a file that say 1 and nothing else: int64 (K,).

    Raises:
        ConfigError: it has another number of lines.
    """
    data = np.frombuffer(_bytes(path).rstrip() + b"\n", np.uint8)
    ends = np.flatnonzero(data == _LINE_FEED)
    if len(ends) != num_rows:
        fail_file("nus_wide", path, f"{len(ends)} lines", f"it must have one for each of the list's {num_rows} pictures")
    starts = np.concatenate([[0], ends[:-1] + 1])
    # What follows a digit is the line's end, or the carriage return or blank before it: all below the digits.
    return np.flatnonzero((data[starts] == _ONE) & (data[np.minimum(starts + 1, ends)] < _ZERO))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"nus_wide: '{path}' cannot be read: {error.strerror}; take the published file") from error


def _read_matrix(path: Path, num_rows: int, num_columns: int) -> _Rows:
    """The ones of a matrix of 0 and 1, a row a line, blanks or tabs between: of 320 MB of text 16 at a time.

    Raises:
        ConfigError: it has another number of rows or columns.
    """
    places, num_digits = [], 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                data = np.frombuffer(block, np.uint8)
                digits = data[(data == _ZERO) | (data == _ONE)]
                places.append(np.flatnonzero(digits == _ONE) + num_digits)
                num_digits += len(digits)
    except OSError as error:
        raise ConfigError(f"nus_wide: '{path}' cannot be read: {error.strerror}; take the published file") from error
    if num_digits != num_rows * num_columns:
        rule = f"it must have {num_rows} rows, one a picture, of {num_columns}, one a tag of TagList1k.txt"
        fail_file("nus_wide", path, f"{num_digits} digits 0 and 1", rule)
    rows, columns = np.divmod(np.concatenate([np.zeros(0, np.int64), *places]), num_columns)
    return _Rows.of(rows, columns.astype(np.int16), num_rows)
