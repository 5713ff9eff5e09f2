"""Any table of videos as JSON lines: `--root TABLE.jsonl`, one object a line, as data sets with captions are often passed on.

    {"path": "clips/a.mp4", "label": ["archery", "outdoors"], "caption": "a man draws a bow", "split": "train"}
    {"url": "s3://bucket/films/b.mkv", "start": 12.5, "end": 20, "label": "bowling", "split": "val"}

Only `path` (or `url`) must be there; `--set jsonl.columns.path=video` takes another key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vdata.datasets import DATASETS, About
from vdata.datasets._files import fail_file, read_lines
from vdata.datasets._tables import BadRow, Cells, TableConfig, VideoTable
from vdata.media.json_text import load_json

__all__ = ["JsonlConfig", "JsonlTable"]

_LAYOUT = """ROOT is a table with one JSON object a line, .jsonl or .ndjson, or a folder that has one:
  {"path": "clips/a.mp4", "start": 0, "end": 4.5, "label": "archery", "caption": "...", "tags": [...], "split": "train"}
"""


@dataclass(frozen=True)
class JsonlConfig(TableConfig):
    """How the lines are read."""


@DATASETS.add("jsonl")
class JsonlTable(VideoTable):
    """The lines of a file, as the rows of `csv`: the keys are its columns, and lines need not have the same.

    A list is several labels or tags; of any other key, lists and objects are kept as JSON text. A line that is no JSON object is
    skipped with reason `bad_row`.
    """

    Config: ClassVar[type] = JsonlConfig
    name: ClassVar[str] = "jsonl"
    extensions: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    about: ClassVar[About] = About(_LAYOUT)

    def read(self, path: Path) -> Iterator[tuple[int, Cells | BadRow]]:
        """Number and object of every line that is not blank.

        Raises:
            ConfigError: it is no UTF-8, or one JSON list in place of lines.
        """
        lines = read_lines("jsonl", path)
        if lines and lines[0].lstrip().startswith("["):
            fail_file("jsonl", path, "a JSON list", "it must have one object a line, as `jq -c '.[]'` writes them", 1)
        yield from ((number, _cells(line)) for number, line in enumerate(lines, start=1) if line.strip())


def _cells(line: str) -> Cells | BadRow:
    try:
        found = load_json(line)
    except (ValueError, RecursionError) as error:
        return BadRow(f"the line is no JSON: {error}")
    return found if isinstance(found, dict) else BadRow("the line is no JSON object")
