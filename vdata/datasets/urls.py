"""A list of videos: `--root LIST.txt`, one URL or path a line, with the class behind a tab if there is one.

    # comments and blank lines are left out
    https://example.org/clips/0001.mp4<TAB>archery
    s3://bucket/b.mkv<TAB>bowling
    local/c.mp4

URLs may have any scheme that fsspec knows; paths are below the list's folder. A line that begins with "#" or a blank is written
with "./" before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import check_split, label_indices
from vdata.datasets._locations import Location, Schemes
from vdata.errors import ConfigError
from vdata.media.url import is_url
from vdata.records import Column, Skipped, Video, readable

__all__ = ["UrlList", "UrlListConfig"]

_LAYOUT = """ROOT is a text file:
  https://example.org/clips/0001.mp4<TAB>archery
  s3://bucket/b.mkv<TAB>bowling
  local/c.mp4
"""
_EXPECTED = "a text file, one URL or path a line"


@dataclass(frozen=True)
class UrlListConfig:
    """No settings: names and classes are in the list."""


@DATASETS.add("urls")
class UrlList:
    """A list without splits.

    Class indices follow the byte-sorted names of the classes; a line without one has label -1. The id is the URL or the path.
    Signatures, users and passwords are used to download a video, but are neither printed nor stored: rows name it without them,
    and a list that was signed anew continues the same build. Every name is taken for a video's, whatever its extension.
    """

    Config: ClassVar[type] = UrlListConfig
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ()
    about: ClassVar[About] = About(_LAYOUT)

    def __init__(self, config: UrlListConfig) -> None:
        self.config = config

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root is no file.
        """
        _check_list(root)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every line in the list's order, whether its video is there or not. A second line of one name is Skipped.

        Raises:
            ConfigError: the root is no file, or names nothing, or `split` is not empty.
            MissingExtraError: the package for a scheme in it is not installed.
        """
        check_split("urls", split, self.splits)
        _check_list(root)
        content = root.read_bytes()
        if b"\0" in content:
            raise ConfigError(f"urls: looked for a list in '{root}', found bytes that are no text; --root must be {_EXPECTED}")
        lines = list(_lines(content))
        if not lines:
            raise ConfigError(f"urls: '{root}' has no line that names a video; --root must be {_EXPECTED}")
        labels = label_indices(line.label_name for line in lines)
        schemes, seen = Schemes(), set[str]()
        for line in lines:
            fault = _fault(line, schemes, seen)
            seen.add(line.location.source)
            yield Skipped(line.location.shown, *fault) if fault else _video(line, labels)

    def classes(self, root: Path) -> Classes:
        """Nothing: the classes are those of the videos."""
        del root
        return {}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line that names something."""

    number: int
    location: Location
    label_name: str
    num_columns: int


def _check_list(path: Path) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise ConfigError(f"urls: looked for a list at '{path}', found {found}; --root must be {_EXPECTED}")


def _lines(content: bytes) -> Iterator[_Line]:
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        text = os.fsdecode(raw.removesuffix(b"\r"))
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        name, *columns = text.split("\t")
        location = Location(name.strip() if is_url(name.strip()) else name)
        yield _Line(number, location, "".join(columns[:1]).strip(), 1 + len(columns))


def _fault(line: _Line, schemes: Schemes, seen: set[str]) -> tuple[str, str] | None:
    """Reason and message where a line is not built."""
    if line.num_columns > 2:  # noqa: PLR2004 - name and class
        return "bad_line", f"line {line.number} has {line.num_columns} columns; write NAME, or NAME<TAB>CLASS"
    if line.location.source in seen:
        return "listed_twice", f"line {line.number} names it once more, but for what may be secret in a URL"
    if fault := schemes.fault(line.location):
        return "bad_url", f"line {line.number}: {fault}"
    return None


def _video(line: _Line, labels: dict[str, int]) -> Video:
    return Video(
        video_id=line.location.video_id,
        source=line.location.source,
        label=labels[line.label_name],
        label_name=readable(line.label_name),
        location=line.location.location,
    )
