"""What the Kinetics datasets share: their CSV files, and the layouts in which people hold the videos.

Source: the published CSV files; the layouts of the CVDF mirror (github.com/cvdfoundation/kinetics-dataset), of ActivityNet's
crawler, of mmaction2 and of SlowFast.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn

import pyarrow as pa

from vdata.datasets import About, Classes
from vdata.datasets._files import fail_file
from vdata.datasets._layout import check_root, check_split, fail_layout, index_videos, label_indices, names_by_index
from vdata.datasets._path_list import PathList, is_path_list, spelled
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["ID_COLUMNS", "Kinetics", "KineticsConfig", "list_names"]

ID_COLUMNS = (
    Column("youtube_id", pa.string(), "The YouTube video that the clip was cut from."),
    Column("time_start", pa.int32(), "Where the clip starts in that video, seconds."),
    Column("time_end", pa.int32(), "Where it ends, seconds."),
)
_SPELLINGS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_NEEDED = ("youtube_id", "time_start", "time_end")
_OPTIONAL = ("label", "is_cc")
_ID_LENGTH = 11
_SECONDS_BELOW = 10**6
"""The names of files have six digits for a time."""
_LONGEST_HEADER = 1000


@dataclass(frozen=True)
class KineticsConfig:
    """What a file's name does not tell; layout and names are found."""

    whole_videos: bool = False
    """Whether files named ID.mp4 are whole YouTube videos, from which the CSV's seconds are cut. Otherwise such a file is the
    clip itself, if one row alone has the ID."""


class _Row(NamedTuple):
    """One line of a CSV."""

    stem: str
    """ID_START_END: the name of the clip's file, and its id here, since a YouTube video may have several clips."""
    youtube_id: str
    start: float
    end: float
    label: str
    is_cc: str


class Kinetics:
    """The rows of the split's CSV, in its order.

    A class's index is its place among the byte-sorted labels of the train CSV; where that file is not there, among the labels of
    the CSV at hand, which is the same only if all classes occur. A test CSV without labels gives -1. Files that the CSV does not
    name are not listed. In place of a CSV there may be a list of lines `PATH LABEL`, as SlowFast and mmaction2 read: its numbers
    are the indices, and its folders the names. Of two forms the train list's numbers count; where they disagree with the split's,
    or cannot be compared, the split is refused.
    """

    Config: ClassVar[type] = KineticsConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = ID_COLUMNS
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About]

    name: ClassVar[str]
    list_folders: ClassVar[tuple[str, ...]] = (".", "annotations")
    """Where the lists lie, below the root."""
    replacements: ClassVar[tuple[str, ...]] = ()
    """Folders of videos that stand in for corrupted ones."""
    time_type: ClassVar[type[int | float]] = int
    """What the columns time_start and time_end hold."""

    def __init__(self, config: KineticsConfig) -> None:
        self.config = config

    def list_names(self, split: str) -> tuple[str, ...]:
        """What the list of a split may be called, the best first."""
        return list_names(self.name.removeprefix("kinetics"), split)

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no list of any split.
        """
        check_root(self.name, root, self._expected)
        if not any(self._list_path(root, split) for split in self.splits):
            fail_layout(self.name, "train.csv, val.csv or test.csv", root, self._expected)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The splits that have a list: few hold the test videos."""
        return tuple(split for split in self.splits if self._list_path(root, split))

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every row's video.

        Rows that are not built are Skipped: `missing`, no such file; `ambiguous`, a file is named after an id that several rows
        have; `listed_twice`; `bad_row`, without an id or times.

        Raises:
            ConfigError: the split's list is absent or not as published, or none of its videos is there.
        """
        check_split(self.name, split, self.splits)
        check_root(self.name, root, self._expected)
        path = self._list_path(root, split) or self._fail_split(root, split)
        train = self._list_path(root, "train")
        if is_path_list(path):
            yield from self._listed_paths(root, split, path, train or path)
            return
        rows, skipped = _read_rows(self.name, path)
        labels = self._labels({row.label for row in rows}, path, train or path)
        folders = _video_folders(root, split)
        files = _Files.of(root, folders, self.replacements, rows, whole_videos=self.config.whole_videos)
        if not any(files.source(row) for row in rows):
            looked_for = f"the videos of the {len(rows)} rows of {path.name}, such as {rows[0].stem}.mp4,"
            fail_layout(self.name, looked_for, root / folders[0], self._expected)
        splits = (split,)
        for row in rows:
            yield self._video(row, splits, labels, files)
        yield from skipped

    def classes(self, root: Path) -> Classes:
        """`label`: the classes of the train list; nothing where it is not there."""
        train = self._list_path(root, "train")
        return {"label": names_by_index(self._numbers(train))} if train else {}

    @property
    def _expected(self) -> str:
        names = ", ".join(self.list_names(split)[0] for split in self.splits)
        return f"{names} (directly or in annotations/) and the videos ID_START_END.mp4, in train/, val/, test/ or class folders"

    def _list_path(self, root: Path, split: str) -> Path | None:
        """The split's list: of several the first whose form is known, else the first, so that the error names it."""
        named = (root / folder / name for name in self.list_names(split) for folder in self.list_folders)
        there = [path for path in named if path.is_file()]
        return next((path for path in there if _is_csv(path) or is_path_list(path)), there[0] if there else None)

    def _fail_split(self, root: Path, split: str) -> NoReturn:
        there = " ".join(f"--split {other}" for other in self.splits if self._list_path(root, other))
        way_out = f"; `{there}` builds what has a list" if there else ""
        fail_layout(self.name, self.list_names(split)[0], root, self._expected + way_out)

    def _listed_paths(self, root: Path, split: str, path: Path, train: Path) -> Iterator[Video | Skipped]:
        found = PathList.read(self.name, path)
        numbers = self._numbers(train)
        found.check_against(train, numbers)
        yield from found.videos(root, split, _video_folders(root, split), self._expected, numbers)

    def _numbers(self, train: Path) -> dict[str, int]:
        """Class index by name of the train list; nothing where a list of paths does not tell the names."""
        if is_path_list(train):
            return PathList.read(self.name, train).labels
        return label_indices(fields[3] for _, fields in _lines(self.name, train))

    def _labels(self, names: set[str], path: Path, train: Path) -> dict[str, tuple[int, str]]:
        """Class index, -1 for none, and the train list's spelling, by label.

        Raises:
            ConfigError: the train list lacks one, or does not tell what its numbers mean.
        """
        numbers = {"": -1} | (label_indices(names) if train == path else self._numbers(train))
        if len(numbers) == 1 and names != {""}:
            told = f"'{train}' has numbers, and no folders that tell their classes, but '{path}' has names"
            raise ConfigError(f"{self.name}: {told}; take both lists from one source, in one form")
        spellings = spelled(names, numbers)
        unknown = sorted(names - spellings.keys())
        if unknown:
            told = f"label '{unknown[0]}' of '{path}' is none of the {len(numbers) - 1} of '{train}'"
            raise ConfigError(f"{self.name}: {told}; take both from one source")
        return {name: (numbers[spelling], spelling) for name, spelling in spellings.items()}

    def _video(self, row: _Row, splits: tuple[str], labels: Mapping[str, tuple[int, str]], files: _Files) -> Video | Skipped:
        source = files.source(row)
        if not source:
            return Skipped(f"{splits[0]}/{row.stem}.mp4", *files.why_not(row), row.stem)
        start, end = self.time_type(row.start), self.time_type(row.end)
        facts: dict[str, int | float | str] = {"youtube_id": row.youtube_id, "time_start": start, "time_end": end}
        if row.is_cc in ("0", "1"):
            facts["is_cc"] = int(row.is_cc)
        start_seconds, end_seconds = files.span(row, source)
        label, label_name = labels[row.label]
        return Video(
            row.stem,
            source,
            splits[0],
            splits,
            label,
            label_name=label_name,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            facts=facts,
        )


def list_names(edition: str, split: str) -> tuple[str, ...]:
    """What the list of a split is called: by DeepMind and CVDF, by the crawler, by mmaction2 (a CSV, and a list of paths)."""
    forms = ("{}.csv", f"kinetics-{edition}_{{}}.csv", "kinetics_{}.csv", f"kinetics{edition}_{{}}_list_videos.txt")
    return tuple(form.format(spelling) for form in forms for spelling in _SPELLINGS[split])


@dataclass(frozen=True, slots=True)
class _Files:
    """The video files that are there, and which of them a row means."""

    by_stem: Mapping[str, Sequence[str]]
    replacements: Mapping[str, str]
    """By stem, and by the id that it starts with where it is the only one of that id."""
    shared_ids: frozenset[str]
    """Ids of several rows."""
    whole_videos: bool

    @classmethod
    def of(cls, root: Path, folders: Sequence[str], spares: Sequence[str], rows: Sequence[_Row], *, whole_videos: bool) -> _Files:
        """The files below the root; `spares` are folders of replacements, which need not be there."""
        found = index_videos(root, [folder for folder in spares if (root / folder).is_dir()])
        ids = Counter(stem[:_ID_LENGTH] for stem in found)
        replacements = {stem[:_ID_LENGTH]: sources[0] for stem, sources in found.items() if ids[stem[:_ID_LENGTH]] == 1}
        replacements |= {stem: sources[0] for stem, sources in found.items()}
        shared = frozenset(name for name, count in Counter(row.youtube_id for row in rows).items() if count > 1)
        return cls(index_videos(root, folders), replacements, shared, whole_videos)

    def source(self, row: _Row) -> str:
        """The path of a row's video below the root, "" for none; a name with the times goes before the id alone."""
        if self.replacements and (found := self._replacement(row)):
            return found
        sources = self.by_stem.get(row.stem)
        if sources is None and (self.whole_videos or row.youtube_id not in self.shared_ids):
            sources = self.by_stem.get(row.youtube_id)
        if not sources:
            return ""
        return sources[0] if len(sources) == 1 else _choose(sources, row.label)

    def _replacement(self, row: _Row) -> str:
        by_id = "" if row.youtube_id in self.shared_ids else self.replacements.get(row.youtube_id, "")
        return self.replacements.get(row.stem, by_id)

    def span(self, row: _Row, source: str) -> tuple[float, float | None]:
        """The wanted seconds of that file."""
        whole = self.whole_videos and source in self.by_stem.get(row.youtube_id, ())
        return (row.start, row.end) if whole else (0.0, None)

    def why_not(self, row: _Row) -> tuple[str, str]:
        """Reason and message for a row without a file."""
        if sources := self.by_stem.get(row.youtube_id):
            told = f"several rows have the id of '{sources[0]}', and its name has no times"
            return "ambiguous", f"{told}; name it {row.stem}.*, or set whole_videos if it was not cut"
        return "missing", f"the list names it, no file '{row.stem}.*' is there"


def _choose(sources: Sequence[str], label: str) -> str:
    """Of several files of one name, the one in the label's folder; mmaction2 writes `_` for blanks."""
    folders = {label, label.replace(" ", "_")}
    return next((source for source in sources if os.path.basename(os.path.dirname(source)) in folders), sources[0])  # noqa: PTH119, PTH120 - paths below the root, not files


def _video_folders(root: Path, split: str) -> list[str]:
    """The split's folders, whoever made them; a crawler's tree may have class folders directly under the root."""
    forms = ("{}", "videos_{}", "videos/{}", "{}_256")
    names = [form.format(spelling) for form in forms for spelling in _SPELLINGS[split]]
    return [name for name in names if (root / name).is_dir()] or ["videos" if (root / "videos").is_dir() else ""]


def _is_csv(path: Path) -> bool:
    """Whether the first line names a column of the published files; a list of paths has no such line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return _NEEDED[0] in file.readline(_LONGEST_HEADER)


def _read_rows(dataset: str, path: Path) -> tuple[list[_Row], list[Skipped]]:
    """The rows, each once, and what is left out.

    Raises:
        ConfigError: a column is absent, or no row has an id and times.
    """
    rows: dict[str, _Row] = {}
    names: dict[str, str] = {}
    skipped = []
    for number, fields in _lines(dataset, path):
        try:
            row = _row(names, *fields)
        except ValueError:
            skipped.append(Skipped(path.name, "bad_row", f"line {number} has no id, or no times in seconds: {','.join(fields)}"))
            continue
        if rows.setdefault(row.stem, row) is not row:
            skipped.append(Skipped(path.name, "listed_twice", f"line {number} repeats {row.stem}", row.stem))
    if not rows:
        fail_file(dataset, path, skipped[0].message if skipped else "no rows", f"it must have {', '.join(_NEEDED)} in each row")
    return list(rows.values()), skipped


def _row(names: dict[str, str], youtube_id: str, start_text: str, end_text: str, label: str, is_cc: str) -> _Row:
    """A row; `names` keeps one string a class, where each row would have its own."""
    start, end = float(start_text), float(end_text)
    if not youtube_id or not 0 <= start <= end < _SECONDS_BELOW:
        raise ValueError
    # As the crawler and mmaction2 name files: whole seconds, cut off.
    stem = f"{youtube_id}_{int(start):06d}_{int(end):06d}"
    return _Row(stem, youtube_id, start, end, names.setdefault(label, label), is_cc)


def _lines(dataset: str, path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Number and fields of each line: youtube_id, time_start, time_end, label, is_cc; "" for a column that is not there.

    Columns go by their names: their order, and the presence of label and is_cc, differ between the published files.

    Raises:
        ConfigError: the file cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if not set(_NEEDED) <= set(header):
                fail_file(dataset, path, ",".join(header) or "an empty file", f"it must name the columns {', '.join(_NEEDED)}", 1)
            width = len(header)
            chosen = itemgetter(*(header.index(name) if name in header else width for name in _NEEDED + _OPTIONAL))
            for fields in reader:
                if fields:
                    # What a short line lacks is empty, and so is the column behind the last.
                    fields[width:] = [""] * max(1, width + 1 - len(fields))
                    yield reader.line_num, chosen(fields)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fail_file(dataset, path, str(error), "it must be a CSV file: take the published one")
