"""Kinetics-400: about 306,000 ten-second clips of YouTube videos, 400 human actions; annotations by DeepMind, CC BY 4.0.

The videos are not published by their owners; the CVDF mirror (github.com/cvdfoundation/kinetics-dataset, 450 GB) has them under
train/, val/ and test/, and replacements for corrupted files; ActivityNet's crawler writes one folder a class.

Source: Kay et al. 2017, arXiv 1705.06950; the published CSV files; the layouts of the CVDF mirror, the crawler and mmaction2.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import check_root, check_split, fail_layout, file_named, index_videos, names_by_index
from vdata.errors import ConfigError
from vdata.records import Column, Skipped, Video

__all__ = ["Kinetics400", "Kinetics400Config"]

_LAYOUT = """ROOT/
  train.csv, val.csv, test.csv        or kinetics-400_train.csv ...; in ROOT or annotations/
  train/ID_000010_000020.mp4 ...      val/, test/; flat, or in class folders
  replacement/replacement_for_corrupted_k400/ID_....mp4   if there
"""
_EXPECTED = (
    "train.csv, val.csv or test.csv (or kinetics-400_train.csv ...; directly or in annotations/) and the videos "
    "ID_START_END.mp4, in train/, val/ and test/, flat or in class folders"
)
_SPELLINGS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_REPLACEMENTS = ("replacement/replacement_for_corrupted_k400", "replacement_for_corrupted_k400")
_ID_LENGTH = 11


@dataclass(frozen=True)
class Kinetics400Config:
    """No settings: layout and names are found."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a CSV."""

    youtube_id: str
    start: int
    end: int
    label: str

    @property
    def stem(self) -> str:
        return f"{self.youtube_id}_{self.start:06d}_{self.end:06d}"


@DATASETS.add("kinetics400")
class Kinetics400:
    """The rows of the split's CSV, in its order.

    A class's index is its place among the byte-sorted labels of the train CSV; where that file is not there, among the labels of
    the CSV at hand, which is the same only if all 400 occur. A test CSV without labels gives -1. Files that the CSV does not name
    are not listed.
    """

    Config: ClassVar[type] = Kinetics400Config
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("youtube_id", pa.string(), "The YouTube video that the clip was cut from."),
        Column("time_start", pa.int32(), "Where the clip starts in that video, seconds."),
        Column("time_end", pa.int32(), "Where it ends, seconds."),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT, {"train": 246_534, "val": 19_906, "test": 39_805}, size_gb=450)

    def __init__(self, config: Kinetics400Config) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root has no CSV of any split.
        """
        check_root("kinetics400", root, _EXPECTED)
        if not any(_csv_path(root, split) for split in self.splits):
            fail_layout("kinetics400", "train.csv, val.csv or test.csv", root, _EXPECTED)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every row's video; a row whose file is not there is Skipped with reason `missing`, a repeated one with `listed_twice`.

        Raises:
            ConfigError: the split's CSV is absent or not as published, or none of its videos is there.
        """
        check_split("kinetics400", split, self.splits)
        check_root("kinetics400", root, _EXPECTED)
        path = _csv_path(root, split) or fail_layout("kinetics400", f"{split}.csv", root, _EXPECTED)
        rows = _read_csv(path)
        labels = _labels(rows, path, _csv_path(root, "train"))
        files = index_videos(root, _video_folders(root, split))
        replacements = _replacements(root)
        if not any(row.stem in files or row.youtube_id in replacements for row in rows):
            looked_for = f"the videos of the {len(rows)} rows of {path.name}, such as {rows[0].stem}.mp4,"
            fail_layout("kinetics400", looked_for, root / _video_folders(root, split)[0], _EXPECTED)
        seen: set[str] = set()
        for row in rows:
            if row.stem in seen:
                yield Skipped(f"{split}/{row.stem}.mp4", "listed_twice", f"{path.name} has the row more than once", row.stem)
                continue
            seen.add(row.stem)
            yield _video(row, split, labels, replacements.get(row.youtube_id) or _choose(files.get(row.stem, []), row.label))

    def classes(self, root: Path) -> Classes:
        """`label`: the classes of the train CSV; nothing where it is not there."""
        train = _csv_path(root, "train")
        return {"label": names_by_index(_labels(_read_csv(train), train, train))} if train else {}


def _csv_path(root: Path, split: str) -> Path | None:
    names = [name for spelling in _SPELLINGS[split] for name in (f"{spelling}.csv", f"kinetics-400_{spelling}.csv")]
    return file_named(root, (".", "annotations"), names)


def _video_folders(root: Path, split: str) -> list[str]:
    """The split's folders (mmaction2 says videos_train); a crawler's tree may have class folders directly under the root."""
    names = [name for spelling in _SPELLINGS[split] for name in (spelling, f"videos_{spelling}")]
    return [name for name in names if (root / name).is_dir()] or [""]


def _read_csv(path: Path) -> list[_Row]:
    """The rows, columns by name: the order and the presence of label and is_cc differ between the published files.

    Raises:
        ConfigError: a column is absent, a time is no number, or there is no row.
    """
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                times = int(float(row["time_start"])), int(float(row["time_end"]))
                rows.append(_Row(row["youtube_id"], *times, row.get("label") or ""))
            except (KeyError, TypeError, ValueError) as error:
                needs = "youtube_id, time_start and time_end, times in seconds"
                raise ConfigError(f"kinetics400: '{path}' line {reader.line_num} must have {needs}, found {row}") from error
    if not rows:
        raise ConfigError(f"kinetics400: '{path}' has no rows; take the published file")
    return rows


def _labels(rows: list[_Row], path: Path, train: Path | None) -> dict[str, int]:
    """Class index by label, -1 for none."""
    source = rows if train is None or train == path else _read_csv(train)
    names = sorted({row.label for row in source} - {""}, key=str.encode)
    labels = {"": -1} | {name: label for label, name in enumerate(names)}
    unknown = sorted({row.label for row in rows} - labels.keys())
    if unknown:
        raise ConfigError(
            f"kinetics400: label '{unknown[0]}' of '{path}' is none of the {len(names)} of '{train}'; take both from one source"
        )
    return labels


def _replacements(root: Path) -> dict[str, str]:
    """Path by YouTube id of the mirror's replacements for corrupted files: their names start with the id."""
    folders = [folder for folder in _REPLACEMENTS if (root / folder).is_dir()]
    return {stem[:_ID_LENGTH]: sources[0] for stem, sources in index_videos(root, folders).items()}


def _choose(sources: list[str], label: str) -> str:
    """Of several files of one name, the one in the label's folder; mmaction2 writes `_` for blanks."""
    if len(sources) < 2:  # noqa: PLR2004 - nothing to choose from
        return sources[0] if sources else ""
    spellings = {label, label.replace(" ", "_")}
    return next((source for source in sources if os.path.basename(os.path.dirname(source)) in spellings), sources[0])  # noqa: PTH119, PTH120 - paths below the root, not files


def _video(row: _Row, split: str, labels: Mapping[str, int], source: str) -> Video | Skipped:
    if not source:
        return Skipped(
            f"{split}/{row.stem}.mp4", "missing", f"the {split} CSV names it, no file '{row.stem}.*' is there", row.stem
        )
    facts: dict[str, int | float | str] = {"youtube_id": row.youtube_id, "time_start": row.start, "time_end": row.end}
    return Video(row.stem, source, split, (split,), labels[row.label], label_name=row.label, facts=facts)
