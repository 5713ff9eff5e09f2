"""What flows between the stations: videos from a listing, clips with their fragments, failures, declared fields."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from vdata.config import check

__all__ = ["Column", "Failure", "Field", "Fragment", "Keyframe", "Picture", "Skipped", "Video", "printable", "readable"]


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a dataset, as its owners' files describe it. Nothing of it has been opened."""

    video_id: str
    """Unique within the dataset and split; groups the clips of one video."""
    source: str
    """Path below the dataset's root, with forward slashes, as os.fsdecode gives it; or a URL without its secrets."""
    split: str = ""
    """The split that is being built; empty where a dataset has none."""
    splits: tuple[str, ...] = ()
    """All official lists that name the video, as `train1`, `test2`."""
    label: int = -1
    """Class index, -1 for none."""
    labels: tuple[int, ...] = ()
    """Indices of several classes at once, for multi-label datasets."""
    label_name: str = ""
    """The class as its owners spell it."""
    start_seconds: float = 0.0
    """Where the wanted part starts in the source."""
    end_seconds: float | None = None
    """Where it ends; None is the end of the source."""
    facts: Mapping[str, int | float | str] = field(default_factory=dict)
    """Values for the columns that the dataset declares beside the common ones."""
    text: Mapping[str, Any] = field(default_factory=dict)
    """What the dataset says of it in words, as plain values: `caption`, `tags`, `subtitles`, `questions`."""
    num_bytes: int = field(default=-1, compare=False)
    """Size of the source where the listing tells it; -1 where it would have to be asked for."""
    location: str = field(default="", compare=False, repr=False)
    """The URL where `source` leaves out a part of it that is secret. It is never printed and never stored."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something below the root that is not built, with the reason. It becomes a row of errors.parquet with stage `list`."""

    source: str
    reason: str
    """A short code such as `not_media` or `missing`."""
    message: str
    video_id: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A row of errors.parquet."""

    source: str
    video_id: str
    key: str | None
    """The clip's key; None when the whole video failed."""
    stage: str
    """`list`, `cut`, `extract` or `write`."""
    reason: str
    message: str
    tail: str = ""
    """ffmpeg's last words."""
    shard: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """One GOP's bytes within a clip's MP4: a moof box and its mdat."""

    first_frame: int
    offset: int
    """First byte, counted from the start of the MP4."""
    size: int


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The byte range of one IDR picture within a clip's MP4."""

    frame: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The part of the coded frame that holds the video; what lies right of it and below is edge padding. Pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Field:
    """A named member that an extractor adds to every sample. Writer, index, reader and shards/README.md follow from it."""

    name: str
    """What people type after --extract, and the suffix of a sidecar tar."""
    ext: str
    """The member's extension: everything after the first dot of its name in the tar."""
    dtype: str
    axes: str
    unit: str
    doc: str
    """One sentence for shards/README.md."""

    def __post_init__(self) -> None:
        """Checks that the extension can be a WebDataset column."""
        check(self.ext == self.ext.lower().strip("."), "Field.ext", self.ext, "must be lower case, without a leading dot")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a dataset or an extractor adds to the rows."""

    name: str
    type: pa.DataType
    doc: str
    """One sentence for shards/README.md."""


def readable(name: str) -> str:
    """A name as text that can be printed and stored: bytes that are no UTF-8 become hexadecimal escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def printable(name: str) -> str:
    """A name as text on one line that changes nothing in a terminal: control characters become escapes as well."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in readable(name))
