"""Features that somebody has published for a video: one vector a frame, brought into the shards as `vdata add features` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from vdata.errors import MediaError
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._source_frames import Clocks
from vdata.media.clip import EncodedClip
from vdata.media.feature_codec import Features, dump_features
from vdata.media.npy_codec import UNREADABLE, parse_npy
from vdata.media.origin import Origin
from vdata.media.source import open_source
from vdata.records import Column, FeatureFile, Field, Video, printable

__all__ = ["PublishedConfig", "PublishedExtractor", "read_features"]

_LARGEST_BYTES = 2 * 2**30
"""Bytes of a file: two hours at 30 frames a second of 2048 float32 numbers are 1.8 GB."""
_LARGEST_NUMBER = float(np.finfo(np.float16).max)
_MOST_APART = 50
"""Rows by which features and classes of frames may differ. Source: CTE, Annusha/unsup_temp_embed, leaves out more."""
_FIELD = Field(
    "published",
    "features.npy",
    "float16",
    "T D",
    "as its publishers give them",
    "One vector a frame, of the frames that the clip shows; of a row without a video the whole file. `vdata add features` makes "
    "the same member by a network, so shards have one or the other.",
)
_COLUMNS = (
    Column("feature_dim", pa.int32(), "D of `.features.npy`."),
    Column("feature_stride", pa.int32(), "Frames of the clip from one row of `.features.npy` to the next."),
)


@dataclass(frozen=True)
class PublishedConfig:
    """No settings: the dataset says which file, and the order of its axes."""


@EXTRACTORS.add("published")
class PublishedExtractor:
    """The clip's rows of its video's file; a clip whose video has none gets no member, and nulls."""

    Config: ClassVar[type] = PublishedConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = True
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = False

    def __init__(self, config: PublishedConfig) -> None:
        self.config = config
        self._clocks = Clocks()
        self._file: FeatureFile | None = None
        self._rows: Features = np.empty((0, 0), np.float16)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one member."""
        return (_FIELD,)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What says how to read the member."""
        return _COLUMNS

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member and its columns.

        Publishers' files may be some frames shorter than the video: the clip that meets the end has fewer rows than frames, and
        one behind it no member, as if its video had no file.

        Raises:
            MediaError: `bad_features`: the file is none, or its other axis must be time; `missing`.
        """
        file = clip.origin.video.features
        if file is None:
            return Extracted()
        rows = self._of_clip(clip, file)
        if not len(rows):
            return Extracted()
        columns = {"feature_dim": rows.shape[1], "feature_stride": 1}
        return Extracted({_FIELD.ext: dump_features(rows)}, columns)

    def _of_clip(self, clip: EncodedClip, file: FeatureFile) -> Features:
        if self._file != file:
            self._rows, self._file = _in_order(read_features(clip.origin, file), clip.origin.video, file), file
        if not clip.has_pictures:
            return self._rows
        shown = self._clocks.of(clip.origin).shown(clip)
        return self._rows[shown[shown < len(self._rows)]]


def read_features(origin: Origin, file: FeatureFile) -> Features:
    """The rows (T, D) of a file below the root: an .npy, or text whose lines hold numbers with blanks or commas between them.

    Raises:
        MediaError: `bad_features`: it is neither, has other axes, no row, or a number that is not finite or that float16 does
            not hold; `missing`.
    """
    with open_source(origin.root, file.source, origin.limits) as source:
        if source.num_bytes > _LARGEST_BYTES:
            raise _bad(file, f"has {source.num_bytes} bytes, at most {_LARGEST_BYTES} are read")
        data = source.file.read()
    is_npy = PurePosixPath(file.source).suffix.lower() == ".npy"
    try:
        found = parse_npy(data) if is_npy else _parse_text(data)
    except UNREADABLE as error:
        raise _bad(file, f"is no {'npy' if is_npy else 'table of numbers'}: {error}") from error
    return _checked(found.T if file.axes == "DT" else found, file)


def _in_order(rows: Features, video: Video, file: FeatureFile) -> Features:
    """The rows; of a video with classes of frames only where it is not the other axis alone that has about as many.

    Raises:
        MediaError: `bad_features`. Transposed features look like any others, and would stand beside the classes for months.
    """
    count = max((segment.end for segment in video.segments), default=0)
    apart, turned = abs(rows.shape[0] - count), abs(rows.shape[1] - count)
    if video.segments and turned <= _MOST_APART < apart:
        other = "TD" if file.axes == "DT" else "DT"
        told = f"has {rows.shape[0]} rows of {rows.shape[1]} numbers in the axes {file.axes}"
        raise _bad(file, f"{told}, but the video has classes for {count} frames; set the dataset's `axes` to {other}")
    return rows


def _parse_text(data: bytes) -> npt.NDArray[np.float64]:
    """The numbers (lines, D). 64 x 10,000 of them, 16 MB, took 0.2 s of CPU, NumPy's own readers 0.3."""
    lines = [b",".join(line.split()) for line in data.replace(b",", b" ").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError("it has no line")
    names = [str(place) for place in range(lines[0].count(b",") + 1)]
    table = csv.read_csv(
        pa.BufferReader(b"\n".join(lines)),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=max(2**20, 2 * len(lines[0]))),
        csv.ParseOptions(quote_char=False),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[]),
    )
    return np.column_stack([table[name].to_numpy() for name in names])


def _checked(found: npt.NDArray[Any], file: FeatureFile) -> Features:
    if found.ndim != 2 or not found.size or found.dtype.kind not in "fiu":  # noqa: PLR2004
        raise _bad(file, f"holds {found.dtype} {found.shape}, not numbers with the axes T and D")
    largest = max(abs(float(found.min())), abs(float(found.max())))
    # NaN is not below anything either.
    if not largest <= _LARGEST_NUMBER:
        raise _bad(file, f"holds {largest:g}: all numbers must be finite, and at most {_LARGEST_NUMBER:g}, float16's largest")
    return found.astype(np.float16)


def _bad(file: FeatureFile, what: str) -> MediaError:
    return MediaError("bad_features", f"'{printable(file.source)}' {what}")
