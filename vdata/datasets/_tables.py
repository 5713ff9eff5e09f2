"""Tables that users write themselves, one row a video: csv, jsonl and parquet differ in how a row is read, and in no more."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from vdata.config import check
from vdata.datasets import About, Classes
from vdata.datasets._files import fail_file
from vdata.datasets._layout import check_split, fail_layout, names_in
from vdata.datasets._locations import LocalFiles, Location, Schemes
from vdata.datasets._rows import Numbering, WordColumns, Words, cell_seconds, cell_text, numbered, read_names, take
from vdata.errors import ConfigError
from vdata.media.images import IMAGE_EXTENSIONS
from vdata.records import Column, Skipped, Video, printable

__all__ = ["BadRow", "Cells", "TableColumns", "TableConfig", "VideoTable"]

_log = logging.getLogger(__name__)

Cells = dict[str, Any]
"""One row: values of any type by column."""

_SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_SPLITS = 100
"""A column with more values is not about splits."""


@dataclass(frozen=True)
class TableColumns(WordColumns):
    """Which columns say what, as WordColumns. Every column that none of them takes becomes text."""

    path: tuple[str, ...] = ("path", "url")
    """A path below the table's folder, an absolute one, or a URL."""
    start: tuple[str, ...] = ("start",)
    """Where the wanted part begins in the source, seconds; empty or NaN is its start."""
    end: tuple[str, ...] = ("end",)
    """Where it ends, seconds; empty or NaN is the source's end."""
    split: tuple[str, ...] = ("split",)
    """Each of its values is a split that is built. Empty: the table is built whole."""
    id: tuple[str, ...] = ("id",)
    """The video's id; without one it is the path with the span that is wanted, as `clips/a.mp4#t=12.5,20`."""

    def __post_init__(self) -> None:
        """Checks that there is a column of paths."""
        check(bool(self.path), "columns.path", self.path, "must name the column with the paths or URLs")


@dataclass(frozen=True)
class TableConfig:
    """How a table is read."""

    table: str = ""
    """The table's name below the root, where that is a folder; found where the folder has only one."""
    columns: TableColumns = field(default_factory=TableColumns)
    separator: str = "|"
    """Between several labels or tags in one cell; empty where a cell has one at most."""
    classes: str = ""
    """A file below the table's folder with the name of a class on each line, so that the classes of several tables have the same
    numbers. Empty: names are numbered in the order of their bytes, and labels that are all numbers are taken as they are."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read."""

    why: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One row, read but for whether its video is there."""

    number: int
    """The line, or the row counted from 1 where there are no lines."""
    place: Location
    start: float
    end: float | None
    words: Words
    split: str
    id: str
    fault: tuple[str, str] | None = None
    """Reason and message where it cannot be built."""

    @property
    def video_id(self) -> str:
        """The row's own id, or the place with the span, as a media fragment is written (W3C, 2012)."""
        if self.id or (not self.start and self.end is None):
            return self.id or self.place.video_id
        times = [self.start] if self.end is None else [self.start, self.end]
        return f"{self.place.video_id}#t={','.join(repr(time).removesuffix('.0') for time in times)}"


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that has been read."""

    path: Path
    folder: Path
    """What its paths are below."""
    rows: tuple[_Row, ...]
    splits: tuple[str, ...]
    """In the order in which they first occur."""
    numbering: Numbering

    def of(self, split: str) -> Iterator[_Row]:
        """The rows of a split; those that name none are counted with the first."""
        lost = split in self.splits[:1]
        return (row for row in self.rows if row.split == split or (lost and not row.split))


class VideoTable:
    """What the three kinds of tables share; `read` is their own."""

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    counted: ClassVar[str] = "line"
    """What a row's number counts."""
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    # A table is what is known of its videos: looking for more beside and within each would open them all once more.
    build_settings: ClassVar[dict[str, Any]] = {"text": {"beside": False, "embedded": False}}
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About]

    def __init__(self, config: TableConfig) -> None:
        self.config = config
        self._read: tuple[object, _Table] | None = None

    def read(self, path: Path) -> Iterator[tuple[int, Cells | BadRow]]:
        """Number and cells of every row. A column that a row does not have is left out.

        Raises:
            ConfigError: the file as a whole cannot be read.
        """
        raise NotImplementedError

    def prepare(self, root: Path) -> None:
        """Reads the table.

        Raises:
            ConfigError: it is not there, has no rows, or lacks a column.
        """
        self._table(root)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The values of the column `split`, in the order in which they first occur."""
        return self._table(root).splits

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every row of the split in the table's order; those that name no split are listed, and skipped, with the first.

        Raises:
            ConfigError: the table cannot be read, or not one row of the split can be built.
            MissingExtraError: the package for a scheme in it is not installed.
        """
        table = self._table(root)
        check_split(self.name, split, table.splits)
        entries = list(_entries(table, split, self.counted))
        if not any(isinstance(entry, Video) for entry in entries):
            first = next(entry for entry in entries if isinstance(entry, Skipped))
            found = f"{len(entries)} rows of which none can be built; the first, '{first.source}': {first.message}"
            raise ConfigError(
                f"{self.name}: '{table.path}': found {found}; paths must be below '{table.folder}', absolute, or URLs"
            )
        yield from entries

    def classes(self, root: Path) -> Classes:
        """`label`: the class list, or the names that the table has; nothing where labels are numbers."""
        names = self._table(root).numbering.names
        return {"label": names} if names else {}

    def _table(self, root: Path) -> _Table:
        """The table, read once as long as it stays the same."""
        path = _found(self.name, root, self.config.table, self.extensions)
        status = path.stat()
        state = (path, status.st_size, status.st_mtime_ns)
        if self._read is None or self._read[0] != state:
            self._read = state, self._loaded(path, root if root.is_dir() else root.parent)
        return self._read[1]

    def _loaded(self, path: Path, folder: Path) -> _Table:
        known: dict[str, None] = {}
        rows = []
        for number, cells in self.read(path):
            if isinstance(cells, dict):
                known |= dict.fromkeys(cells)
            rows.append(_row(number, cells, self.config))
        if not known:
            found = rows[0].fault[1] if rows and rows[0].fault else "no row"
            fail_file(self.name, path, found, f"it must be as `vdata datasets {self.name}` shows")
        _check_columns(self.name, path, self.config.columns, tuple(known))
        _tell_columns(self.name, path, self.config.columns, tuple(known))
        splits = tuple(dict.fromkeys(row.split for row in rows if row.split))
        _check_splits(self.name, path, splits)
        return _Table(path, folder, tuple(rows), splits, numbered((row.words.labels for row in rows), self._class_list(folder)))

    def _class_list(self, folder: Path) -> Sequence[str]:
        if not self.config.classes:
            return ()
        path = folder / self.config.classes
        names = read_names(self.name, path)
        return names or fail_file(self.name, path, "an empty file", "it must have the name of a class on each line")


_OTHER_KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def _found(name: str, root: Path, table: str, extensions: tuple[str, ...]) -> Path:
    """The table's path: the root itself, the file that the setting names, or the only one of its kind in the folder."""
    if root.is_file():
        check(not table, f"{name}.table", table, f"must be empty where --root ('{root}') is the table itself")
        kind = _OTHER_KINDS.get(root.suffix.lower(), name)
        check(kind == name, "--root", str(root), f"must be a table of the kind '{name}'; this one is read by --dataset {kind}")
        return root
    expected = f"a table ({', '.join(extensions)}), or be one; --set {name}.table=NAME names it"
    if not root.is_dir():
        raise ConfigError(f"{name}: looked for a table at '{root}', found nothing; --root must hold {expected}")
    names = [table] if table else sorted(name for name in names_in(root) if os.path.splitext(name)[1].lower() in extensions)  # noqa: PTH122 - a name, no path
    if len(names) > 1:
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")  # noqa: PLR2004 - as many as a person reads
        raise ConfigError(f"{name}: looked for one table in '{root}', found {shown}; --set {name}.table=NAME names one")
    if not names or not (root / names[0]).is_file():
        fail_layout(name, f"'{table}'" if table else f"a file {' or '.join(extensions)}", root, expected)
    return root / names[0]


def _check_columns(name: str, path: Path, columns: TableColumns, known: Sequence[str]) -> None:
    """Nothing, or the error of a column that the settings name, or that of the paths, and the table does not have."""
    for column in fields(columns):
        names = getattr(columns, column.name)
        must = column.name == "path" or names != column.default
        if names and must and not set(names) & set(known):
            way_out = f"must have the column '{names[0]}' ({column.name}); --set {name}.columns.{column.name}=NAME names another"
            fail_file(name, path, f"the columns {', '.join(known)}", f"it {way_out}")


def _tell_columns(name: str, path: Path, columns: TableColumns, known: Sequence[str]) -> None:
    """Says what the columns were taken for, where some became text: a header that is spelled otherwise would cost all labels."""
    wanted = {column.name: set(getattr(columns, column.name)) for column in fields(columns)}
    left = [column for column in known if not any(column in names for names in wanted.values())]
    if not left:
        return
    found = ", ".join(sorted(what for what, names in wanted.items() if names & set(known)))
    absent = [what for what, names in wanted.items() if names and not names & set(known)]
    meant = [(what, column) for what in absent for column in left if column.casefold() in (what, f"{what}s")]
    way_out = "; ".join(f"is '{column}' the {what}? --set {name}.columns.{what}='{column}'" for what, column in meant)
    text = f"'{path.name}' has {found}; kept as text: {', '.join(left)}; no {', '.join(absent) or 'other'}"
    _log.warning("%s: %s", name, printable(f"{text}; {way_out}" if way_out else text))


def _check_splits(name: str, path: Path, splits: Sequence[str]) -> None:
    """Nothing, or the error of a column `split` whose values can be no splits."""
    way_out = f"or --set {name}.columns.split='' builds the table whole"
    if bad := next((split for split in splits if not _SPLIT.fullmatch(split)), ""):
        fail_file(name, path, f"the split '{bad}'", f"which names a folder: write letters, digits, -, _ and dots, {way_out}")
    if len(splits) > _MOST_SPLITS:
        fail_file(name, path, f"{len(splits)} splits", f"at most {_MOST_SPLITS} are built; take another column, {way_out}")


def _row(number: int, cells: Cells | BadRow, config: TableConfig) -> _Row:
    if isinstance(cells, BadRow):
        return _Row(number, Location(""), 0.0, None, Words(), "", "", ("bad_row", cells.why))
    columns, fault, start, end = config.columns, None, 0.0, None
    place = Location(cell_text(take(cells, columns.path)))
    times = take(cells, columns.start), take(cells, columns.end)
    try:
        start, end = cell_seconds(times[0]) or 0.0, cell_seconds(times[1])
    except ValueError:
        fault = "bad_time", f"start and end must be seconds from 0 or empty, found {times[0]!r} and {times[1]!r}"
    if end is not None and end <= start:
        fault = "bad_time", f"it ends ({end:g}) before or where it starts ({start:g})"
    if not place.name:
        fault = "no_path", "the row has no path and no URL"
    split, own_id = cell_text(take(cells, columns.split)), cell_text(take(cells, columns.id))
    return _Row(number, place, start, end, Words.of(cells, columns, config.separator), split, own_id, fault)


def _entries(table: _Table, split: str, counted: str) -> Iterable[Video | Skipped]:
    files, schemes, seen = LocalFiles(table.folder), Schemes(), set[str]()
    for row in table.of(split):
        fault = row.fault or (("no_split", "the column of splits is empty") if row.split != split else None)
        fault = fault or _fault(row, table, files, schemes)
        video_id = row.video_id
        if not fault and video_id in seen:
            fault = "listed_twice", f"an earlier row has the same id ('{video_id}')"
        if fault:
            yield Skipped(row.place.shown or table.path.name, fault[0], f"{counted} {row.number}: {fault[1]}", video_id)
        else:
            seen.add(video_id)
            yield _video(row, video_id, table.numbering)


def _fault(row: _Row, table: _Table, files: LocalFiles, schemes: Schemes) -> tuple[str, str] | None:
    """Reason and message where a row that can be read cannot be built."""
    if fault := table.numbering.fault(row.words.labels):
        return "bad_label", fault
    if row.place.is_remote:
        if _is_image(row):
            return "remote_image", "an image must lie on this machine; a video may be downloaded"
        return ("bad_url", fault) if (fault := schemes.fault(row.place)) else None
    return None if row.place.name in files else ("missing", "no such file")


def _is_image(row: _Row) -> bool:
    return os.path.splitext(row.place.source)[1].lower() in IMAGE_EXTENSIONS  # noqa: PTH122 - a Path for each of 240,000 names takes seconds


def _video(row: _Row, video_id: str, numbering: Numbering) -> Video:
    source = row.place.source
    still: dict[str, Any] = {"frames": (source,), "frame_rate": Fraction(1)} if _is_image(row) else {}
    return Video(
        video_id,
        source,
        row.split,
        (row.split,) if row.split else (),
        start_seconds=row.start,
        end_seconds=row.end,
        text=row.words.text,
        location=row.place.location,
        **numbering.columns(row.words.labels),
        **still,
    )
