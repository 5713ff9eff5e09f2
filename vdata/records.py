"""What flows between the stations: videos from a listing, clips with their fragments, failures, declared fields."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check

__all__ = [
    "GIVEN_BOX",
    "Column",
    "Failure",
    "FeatureFile",
    "Field",
    "Fragment",
    "GivenBoxes",
    "Keyframe",
    "Medium",
    "Picture",
    "Segment",
    "Skipped",
    "Video",
    "printable",
    "readable",
]

Medium = Literal["video", "text", "features"]
"""What a source holds: pictures (a video, or images), a document, or features alone; the last two have no MP4."""

GIVEN_BOX = np.dtype(
    [
        ("seconds", "<f8"),
        ("x0", "<f4"),
        ("y0", "<f4"),
        ("x1", "<f4"),
        ("y1", "<f4"),
        ("score", "<f4"),
        ("class", "<i4"),
    ]
)
"""A box of a dataset: when, from the source's start; corners as its owners give them; -1 is no class."""


@dataclass(frozen=True, slots=True)
class GivenBoxes:
    """The boxes that a dataset's owners drew in a video."""

    rows: bytes = field(repr=False)
    """Of dtype GIVEN_BOX, one behind the other: a plan holds millions, and compares them."""
    width: float = 0.0
    """Width and height of the picture that the corners count on: 1 for shares of it, 0 for the source's own pixels."""
    height: float = 0.0

    @classmethod
    def of(
        cls,
        seconds: npt.ArrayLike,
        corners: npt.ArrayLike,
        classes: npt.ArrayLike = -1,
        scores: npt.ArrayLike = 1.0,
        size: tuple[float, float] = (0.0, 0.0),
    ) -> Self:
        """Boxes at `seconds` (N,) with corners (N, 4): x0, y0, x1, y1 on a picture of `size` (width, height)."""
        sides = np.asarray(corners, np.float64).reshape(-1, 4)
        rows = np.zeros(len(sides), GIVEN_BOX)
        rows["seconds"], rows["class"], rows["score"] = seconds, classes, scores
        # What float32 does not hold becomes infinity: such a side ends where the picture does.
        with np.errstate(over="ignore"):
            for place, name in enumerate(("x0", "y0", "x1", "y1")):
                rows[name] = sides[:, place]
        return cls(rows.tobytes(), *size)

    @property
    def table(self) -> npt.NDArray[np.void]:
        """The boxes as a structured array (N,) of dtype GIVEN_BOX."""
        return np.frombuffer(self.rows, GIVEN_BOX)


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames of a source with one class; frames that no segment holds have none (-1)."""

    start: int
    """The first frame, counted from 0 in the source."""
    end: int
    """The frame behind the last."""
    label: int

    @staticmethod
    def runs(labels: Sequence[int]) -> tuple[Segment, ...]:
        """The segments of a list of one class a frame."""
        changes = np.flatnonzero(np.diff(np.asarray(labels, np.int64))) + 1
        edges = [0, *changes.tolist(), len(labels)] if len(labels) else []
        return tuple(Segment(start, end, int(labels[start])) for start, end in pairwise(edges))


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A file with the features that somebody has published for a video, one vector a frame: .npy, or text with blanks."""

    source: str
    """Path below the dataset's root."""
    axes: Literal["TD", "DT"] = "TD"
    """The order of its axes: time first, or time last."""


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a dataset, as its owners' files describe it. Nothing of it has been opened."""

    video_id: str
    """Unique within the dataset and split; groups the clips of one video."""
    source: str
    """Path below the dataset's root, with forward slashes, as os.fsdecode gives it; or a URL without its secrets. Of a sequence
    of images, their folder."""
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
    medium: Medium = "video"
    frames: tuple[str, ...] = ()
    """Images that are the video's frames, in their order: paths below the root. Empty: `source` is a video file."""
    frame_rate: Fraction = Fraction(0)
    """How many of `frames` make a second; positive where there are any."""
    byte_range: tuple[int, int] | None = None
    """Offset and size of the part of `source`, or of its one image, that is meant, as a member of a tar or a line; None is the
    whole file."""
    boxes: GivenBoxes | None = None
    """Boxes that the dataset gives; the extractor `dataset` stores them."""
    segments: tuple[Segment, ...] = ()
    """Classes of frames that the dataset gives; the extractor `frame_labels` stores them."""
    features: FeatureFile | None = None
    """Features that the dataset gives; the extractor `published` stores them."""
    num_bytes: int = field(default=-1, compare=False)
    """Size of the source where the listing tells it; -1 where it would have to be asked for."""
    location: str = field(default="", compare=False, repr=False)
    """The URL where `source` leaves out a part of it that is secret. It is never printed and never stored."""

    @property
    def has_pictures(self) -> bool:
        """Whether clips are cut from it; otherwise it is one row without an MP4."""
        return self.medium == "video"


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
