"""Any table of videos as CSV or TSV with a header line: `--root TABLE.csv`, a video or a part of one on each line.

    path,start,end,label,caption,split
    clips/a.mp4,,,archery,a man draws a bow,train
    s3://bucket/films/b.mkv,12.5,20,bowling,,val

Only the column `path` (or `url`) must be there; `--set csv.columns.path=filename` takes another. Columns that have no meaning of
their own are kept as text, in `other`. The file is called csv_table because `csv` is a module of Python.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from vdata.config import check
from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file, read_text
from vdata.datasets._rows import cell_text
from vdata.datasets._tables import BadRow, Cells, TableConfig, VideoTable

__all__ = ["CsvConfig", "CsvTable"]

_LAYOUT = """ROOT is a table with a header line, .csv or .tsv, or a folder that has one:
  path,start,end,label,caption,split,id   path or url alone must be there; the others, and any more, may be
  clips/a.mp4,,,archery,a man draws a bow,train,
"""
_DELIMITERS = (",", ";", "\t", "|")
_WAY_OUT = (
    "mend its quotes, or --set csv.quotes=false where they are plain text; "
    f"cells of more than {csv.field_size_limit()} characters are read from jsonl or parquet"
)


@dataclass(frozen=True)
class CsvConfig(TableConfig):
    """How a CSV is read."""

    delimiter: str = ""
    """One character, or `tab`. Empty: a tab in .tsv; else the one of , ; tab | with which the header has the column of paths."""
    encoding: str = "utf-8-sig"
    quotes: bool = True
    """Whether cells may stand in double quotes, as spreadsheets and pandas write those with delimiters in them."""

    def __post_init__(self) -> None:
        """Checks delimiter and encoding."""
        object.__setattr__(self, "delimiter", "\t" if self.delimiter == "tab" else self.delimiter)
        check(len(self.delimiter) < 2, "csv.delimiter", self.delimiter, "must be one character")  # noqa: PLR2004 - 0 or 1
        check(_is_text_encoding(self.encoding), "csv.encoding", self.encoding, "must be one that Python reads text in, as cp1252")


@DATASETS.add("csv")
class CsvTable(VideoTable):
    """The rows of a CSV; the values of a column `split` are its splits.

    A label is a name or a number from 0, `a|b` is two; where rows have several, all are in `labels` and none in `label`. Those
    of one table are numbered together, whatever their split. `start` and `end` are seconds. A path may name an image, which is
    a clip of one frame. A row with more cells than the header, a bad time or label, no path, or an id that an earlier row has,
    is skipped with its reason, as is one whose file is not there; URLs are not asked. The extractor `text` stores captions,
    tags and the other columns.
    """

    Config: ClassVar[type] = CsvConfig
    name: ClassVar[str] = "csv"
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")
    about: ClassVar[About] = About(_LAYOUT)

    def __init__(self, config: CsvConfig) -> None:
        super().__init__(config)
        self._csv = config

    def read(self, path: Path) -> Iterator[tuple[int, Cells | BadRow]]:
        """Number of the line that ends it, and cells, of every row.

        Raises:
            ConfigError: it is no text of that encoding, or its header names a column twice.
        """
        text = read_text("csv", path, self._csv.encoding)
        # strict: a quote that is never closed would make one cell of all lines behind it.
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self._csv.quotes else csv.QUOTE_NONE
        delimiter = self._csv.delimiter or self._delimiter(path, text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
        try:
            header = [cell_text(name) for name in next(reader, [])]
            twice = [name for name in header if name and header.count(name) > 1]
            if twice:
                fail_file("csv", path, f"the column '{twice[0]}' twice", "each must have a name of its own", 1)
            yield from ((reader.line_num, _cells(header, row)) for row in reader if any(row))
        except csv.Error as error:
            fail_file("csv", path, str(error), _WAY_OUT, reader.line_num)

    def _delimiter(self, path: Path, text: str) -> str:
        """The delimiter with which the header has the column of paths.

        Not csv.Sniffer: it goes by counts alone, and a caption's commas outnumber the delimiters.
        """
        if path.suffix.lower() == ".tsv":
            return "\t"
        for delimiter in _DELIMITERS:
            if _header(text, delimiter) & set(self.config.columns.path):
                return delimiter
        return ","


def _header(text: str, delimiter: str) -> set[str]:
    """The names that the first line has with a delimiter; none where it cannot be read: the table's own reader says why."""
    try:
        return {name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])}
    except csv.Error:
        return set()


def _is_text_encoding(name: str) -> bool:
    try:
        "a".encode(name)
    except (LookupError, ValueError):  # ValueError: a name with a null byte
        return False
    return True


def _cells(header: list[str], row: list[str]) -> Cells | BadRow:
    """Cells by column; what a short row lacks is empty, as spreadsheets write it."""
    if len(row) > len(header):
        return BadRow(f"it has {len(row)} cells, the header {len(header)}: put cells that hold the delimiter into quotes")
    # Empty cells too: a column is known though nothing stands in it.
    return dict(zip(header, row, strict=False))
