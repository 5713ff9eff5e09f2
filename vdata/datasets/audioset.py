"""AudioSet: 2.1 million ten-second spans of YouTube videos with 527 kinds of sound; annotations by Google, CC BY 4.0.

The lists are at research.google.com/audioset/download.html; the videos are not published by their owners, and everybody
downloads them from YouTube. Names seen in public downloaders and readers: ID_30000_40000.mp4 (audiosetdl, in milliseconds),
ID_30.0_40.0.mp4 and ID_30.0-40.0.mp4 (in seconds), ID.mp4. Files of sound alone have no pictures, and are not read.

Source: Gemmeke et al. 2017, "Audio Set: An ontology and human-labeled dataset for audio events"; the published CSV files.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from vdata.config import check
from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._files import fail_file, read_csv
from vdata.datasets._layout import MAX_INDEX, check_root, check_split, fail_layout, file_named, index_videos
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video, readable

__all__ = ["AudioSet", "AudioSetConfig"]

_LAYOUT = """ROOT/
  balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv   in ROOT, csv/ or annotations/
  class_labels_indices.csv                                                        beside them
  balanced_train/ID_30000_40000.mp4 ...   or balanced_train_segments/, videos/, video/, ROOT; one more folder is looked into
"""
_EXPECTED = (
    "balanced_train_segments.csv, unbalanced_train_segments.csv or eval_segments.csv and class_labels_indices.csv (directly, in "
    "csv/ or annotations/), and the videos, ID.mp4 or ID_START_END.mp4, in folders named after the split, in videos/ or directly"
)
_LIST_FOLDERS = (".", "csv", "annotations")
_SPOILED = "#NAME?"
_INDEX = re.compile(r"[0-9]{1,7}")
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_SPAN = re.compile(r"_([0-9]+(?:\.[0-9]+)?)(?:[_-]([0-9]+(?:\.[0-9]+)?))?")
_ID_LENGTH = 11


@dataclass(frozen=True)
class AudioSetConfig:
    """What the files are."""

    id_files: Literal["whole", "span"] = "whole"
    """What a file named ID.mp4 holds: the `whole` YouTube video, of which the span is cut out, or the `span` alone."""

    def __post_init__(self) -> None:
        """Checks the choice."""
        check(self.id_files in ("whole", "span"), "audioset.id_files", self.id_files, "must be 'whole' or 'span'")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a list."""

    youtube_id: str
    start: float
    end: float
    labels: str
    """Machine ids with commas between: kept as one text, of which there are only so many."""


@DATASETS.add("audioset")
class AudioSet:
    """The rows of the split's list, in its order.

    A video has several classes: `labels` are indices of class_labels_indices.csv, `label` is -1, and classes.json has the
    display names. The id is YouTube's, which occurs once in a list. A file whose name has the span is taken as it is; of ID.mp4
    the span is cut out, and all before it decoded. The lists may be copies that were saved anew, without comments and blanks;
    one whose ids a spreadsheet has replaced by `#NAME?` is refused.

    The sound is stored as that of any video, by `--extract audio`: what is always stored could not be left out.
    """

    Config: ClassVar[type] = AudioSetConfig
    splits: ClassVar[tuple[str, ...]] = ("balanced_train", "unbalanced_train", "eval")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("youtube_id", pa.string(), "The YouTube video that the span is of."),
        Column("time_start", pa.float64(), "Where the span starts in that video, seconds."),
        Column("time_end", pa.float64(), "Where it ends, seconds."),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(
        _LAYOUT,
        {"balanced_train": 22_160, "unbalanced_train": 2_041_789, "eval": 20_371},
        needs="The videos, from YouTube; --extract keyframes,motion,audio to store the sound.",
    )

    def __init__(self, config: AudioSetConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no list of any split, or no class list.
        """
        check_root("audioset", root, _EXPECTED)
        if not any(_list_path(root, split) for split in self.splits):
            fail_layout(
                "audioset", "balanced_train_segments.csv, unbalanced_train_segments.csv or eval_segments.csv", root, _EXPECTED
            )
        _class_path(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every row's video; one whose file is not there is Skipped with reason `missing`, an odd row with `bad_row`.

        Raises:
            ConfigError: a list is absent or not as published, or none of its videos is there.
        """
        check_split("audioset", split, self.splits)
        check_root("audioset", root, _EXPECTED)
        path = _list_path(root, split) or fail_layout("audioset", f"{split}_segments.csv", root, _EXPECTED)
        folders = _video_folders(root, split)
        files, labels = _files(root, folders), _Labels(path, _class_path(root))
        found, seen = False, set[str]()
        for number, row in _read_list(path):
            entry = self._entry(row, split, files, labels, number) if isinstance(row, _Row) else Skipped(*row)
            if isinstance(entry, Video) and entry.video_id in seen:
                entry = Skipped(entry.source, "listed_twice", f"{path.name} has the id more than once", entry.video_id)
            if isinstance(entry, Video):
                found = True
                seen.add(entry.video_id)
            yield entry
        if not found:
            fail_layout("audioset", f"the videos of {path.name}, as ID.mp4 or ID_START_END.mp4,", root / folders[0], _EXPECTED)

    def classes(self, root: Path) -> Classes:
        """`label`: the display names of the 527 classes."""
        path = _class_path(root)
        names = {index: row["display_name"] for index, row in _class_rows(path)}
        return {"label": tuple(names.get(index, "") for index in range(max(names, default=-1) + 1))}

    def _entry(self, row: _Row, split: str, files: Mapping[str, list[str]], labels: _Labels, number: int) -> Video | Skipped:
        indices = labels.of(row.labels, number)
        source, is_whole = _chosen(row, files.get(row.youtube_id, ()))
        if not source:
            return Skipped(f"{split}/{row.youtube_id}.mp4", "missing", _MISSING, row.youtube_id)
        is_whole = is_whole and self.config.id_files == "whole"
        facts: dict[str, int | float | str] = {"youtube_id": row.youtube_id, "time_start": row.start, "time_end": row.end}
        span: dict[str, Any] = {"start_seconds": row.start, "end_seconds": row.end} if is_whole else {}
        return Video(row.youtube_id, source, split, (split,), labels=indices, facts=facts, **span)


_MISSING = "the list names it, no file of its id, or of its id and span, is there"


def _list_path(root: Path, split: str) -> Path | None:
    return file_named(root, _LIST_FOLDERS, [f"{split}_segments.csv"])


def _class_path(root: Path) -> Path:
    path = file_named(root, _LIST_FOLDERS, ["class_labels_indices.csv"])
    return path or fail_layout("audioset", "class_labels_indices.csv", root, _EXPECTED)


def _class_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Index and row of each class."""
    for number, row in enumerate(read_csv("audioset", path, ("index", "mid", "display_name")), start=2):
        if not _INDEX.fullmatch(row["index"]) or int(row["index"]) > MAX_INDEX:
            fail_file("audioset", path, f"the index '{row['index']}'", f"it must be a number from 0 to {MAX_INDEX}", number)
        yield int(row["index"]), row


def _video_folders(root: Path, split: str) -> list[str]:
    names = (split, f"{split}_segments", "videos", "video")
    return [name for name in names if (root / name).is_dir()] or [""]


def _files(root: Path, folders: Sequence[str]) -> Mapping[str, list[str]]:
    """Paths of the videos below the root by their first eleven characters, YouTube's id, byte-sorted."""
    found: dict[str, list[str]] = {}
    for stem, sources in index_videos(root, folders).items():
        found.setdefault(stem[:_ID_LENGTH], []).extend(sources)
    for sources in found.values():
        if len(sources) > 1:
            # The order of a folder's entries is the disk's: of files that say the same the first is taken, everywhere the same.
            sources.sort(key=os.fsencode)
    return found


def _chosen(row: _Row, sources: Sequence[str]) -> tuple[str, bool]:
    """The file of a row, and whether its name is the id alone; the name that says most wins. ("", False) where there is none."""
    fits = [_fit(row, source) for source in sources]
    best = max(fits, default=0)
    return (sources[fits.index(best)], best == 1) if best else ("", False)


def _fit(row: _Row, source: str) -> int:
    """How much of a row a file's name says: 3 id, start and end; 2 id and start; 1 the id; 0 something else."""
    rest = os.path.splitext(os.path.basename(source))[0][_ID_LENGTH:]  # noqa: PTH119, PTH122 - two million names
    if not rest:
        return 1
    match = _SPAN.fullmatch(rest)
    if not match or not _names(match[1], row.start):
        return 0
    if match[2] is None:
        return 2
    return 3 if _names(match[2], row.end) else 0


def _names(text: str, seconds: float) -> bool:
    """Whether a number in a file's name is that time, in seconds or in whole milliseconds."""
    number = float(text)
    return abs(number - seconds) < 1e-3 or abs(number - seconds * 1000) <= 1  # noqa: PLR2004 - of a millisecond


class _Labels:
    """Class indices by what a list says of a video."""

    def __init__(self, path: Path, class_path: Path) -> None:
        self._path, self._class_path = path, class_path
        self._index = {row["mid"]: index for index, row in _class_rows(class_path)}
        self._known: dict[str, tuple[int, ...]] = {}

    def of(self, labels: str, number: int) -> tuple[int, ...]:
        """The indices in the list's order; equal lists share one tuple, since two million rows have a few thousand.

        Raises:
            ConfigError: the class list lacks one.
        """
        if labels not in self._known:
            mids = [mid.strip() for mid in labels.split(",") if mid.strip()]
            unknown = [mid for mid in mids if mid not in self._index]
            if unknown:
                rule = f"which is none of the {len(self._index)} classes of '{self._class_path}': take both files from one source"
                fail_file("audioset", self._path, f"the class '{unknown[0]}'", rule, number)
            self._known[labels] = tuple(self._index[mid] for mid in mids)
        return self._known[labels]


def _read_list(path: Path) -> Iterator[tuple[int, _Row | tuple[str, str, str]]]:
    """Line number and row of a list; in place of an odd row what its Skipped says.

    Raises:
        ConfigError: the ids were replaced by a spreadsheet, or the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for number, line in enumerate(file, start=1):
                if line.startswith(_SPOILED):
                    fail_file(
                        "audioset", path, _SPOILED, "which a spreadsheet has put in place of ids: take the published file", number
                    )
                if line.strip() and not line.startswith(("#", "YTID,")):
                    yield number, _parsed(path, number, line)
    except OSError as error:
        raise ConfigError(f"audioset: '{path}' cannot be read: {error.strerror}; take the published file") from error


def _parsed(path: Path, number: int, line: str) -> _Row | tuple[str, str, str]:
    try:
        cells = next(csv.reader([line], skipinitialspace=True), [])
        youtube_id, start, end, labels = cells
        row = _Row(youtube_id, float(start), float(end), labels)
        if _ID.fullmatch(youtube_id) and 0 <= row.start < row.end < math.inf:
            return row
    except (ValueError, csv.Error):  # csv.Error: a cell of over 131,072 characters, as an open quote makes
        pass
    return readable(f"{path.name}:{number}"), "bad_row", f"line {number} is not 'ID, START, END, \"CLASS,...\"' with START < END"
