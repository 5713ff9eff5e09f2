"""Classes of frames that a dataset gives: one a frame of the clip, as segmentation is trained and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._source_frames import Clocks
from vdata.media.clip import EncodedClip
from vdata.media.label_codec import NO_LABEL, FrameLabels, dump_labels
from vdata.records import Column, Field, Segment

__all__ = ["FrameLabelsConfig", "FrameLabelsExtractor"]

_FIELD = Field(
    "frame_labels",
    "labels.npy",
    "int32",
    "T",
    "class index",
    "The class of every frame as the dataset gives it (`frame` in classes.json, if it names them), -1 where it gives none. Of a "
    "row without a video, as features alone, one a frame of the source.",
)
_COLUMN = Column("num_labelled", pa.int32(), "Frames that have a class of their own.")


@dataclass(frozen=True)
class FrameLabelsConfig:
    """No settings: the dataset says it all."""


@EXTRACTORS.add("frame_labels")
class FrameLabelsExtractor:
    """The member and its count: a clip of a video without segments has -1 throughout, a document no member."""

    Config: ClassVar[type] = FrameLabelsConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = True
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = False

    def __init__(self, config: FrameLabelsConfig) -> None:
        self.config = config
        self._clocks = Clocks()

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one member."""
        return (_FIELD,)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The count."""
        return (_COLUMN,)

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The clip's labels; where segments overlap, the later one in the dataset's order holds.

        Raises:
            MediaError: the source, whose frame rate is needed, cannot be opened.
        """
        labels = self._labels(clip)
        members = {_FIELD.ext: dump_labels(labels)} if len(labels) else {}
        return Extracted(members, {_COLUMN.name: int((labels >= 0).sum())})

    def _labels(self, clip: EncodedClip) -> FrameLabels:
        segments = clip.origin.video.segments
        if not clip.has_pictures:
            return _filled(segments, max((segment.end for segment in segments), default=0))
        if not segments:
            return np.full(clip.num_frames, NO_LABEL, np.int32)
        shown = self._clocks.of(clip.origin).shown(clip)
        return _filled(segments, int(shown.max()) + 1)[shown]


def _filled(segments: Sequence[Segment], length: int) -> FrameLabels:
    """(length,) the class of each of the source's frames."""
    labels = np.full(length, NO_LABEL, np.int32)
    for segment in segments:
        labels[segment.start : segment.end] = segment.label
    return labels
