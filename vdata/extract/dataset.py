"""Boxes that a dataset's owners drew, by hand mostly: not found here, but carried from their seconds and pixels to the clip's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._boxes import member_field
from vdata.extract._source_frames import Clocks
from vdata.media.box_codec import BOX, BOX_SOURCES, Boxes, dump_boxes
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field, GivenBoxes

__all__ = ["DatasetConfig", "DatasetExtractor"]

_SOURCE = BOX_SOURCES.index("dataset")
_FIELD = member_field(
    "dataset",
    "Boxes that the dataset gives, on the frames nearest to their times, in the dataset's order; `class` is its own number "
    "(`box` in classes.json, if it names them), -1 for none; `score` its own, or 1.",
)
_COLUMNS = (
    Column("num_dataset_boxes", pa.int32(), "Boxes of the clip that the dataset gives."),
    Column("num_empty_boxes", pa.int32(), "Boxes on the clip's frames that were left out: no pixel of them is in the picture."),
)


@dataclass(frozen=True)
class DatasetConfig:
    """No settings: the dataset says it all."""


@EXTRACTORS.add("dataset")
class DatasetExtractor:
    """The clip's boxes as one member; a clip without has a member of no boxes.

    A box is of the one frame, and so of the one clip, that is the first to show the source's frame nearest to its time. Where
    `--fps` drops that frame, its boxes go too: two positions of one thing must not stand on one picture.
    """

    Config: ClassVar[type] = DatasetConfig
    packages: ClassVar[tuple[str, ...]] = ()
    reads_source: ClassVar[bool] = True
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: DatasetConfig) -> None:
        self.config = config
        self._clocks = Clocks()

    @property
    def fields(self) -> tuple[Field, ...]:
        """The boxes."""
        return (_FIELD,)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Two counts."""
        return _COLUMNS

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member and the counts.

        Raises:
            MediaError: the source, whose frame rate is needed, cannot be opened.
        """
        given = clip.origin.video.boxes
        boxes = self._placed(clip, given) if given else np.empty(0, BOX)
        # Also false for what is no number.
        there = (boxes["x0"] < boxes["x1"]) & (boxes["y0"] < boxes["y1"])
        kept = boxes[there]
        counts = (len(kept), len(boxes) - len(kept))
        columns = {column.name: count for column, count in zip(_COLUMNS, counts, strict=True)}
        return Extracted({_FIELD.ext: dump_boxes([kept])}, columns)

    def _placed(self, clip: EncodedClip, given: GivenBoxes) -> Boxes:
        """The boxes of the clip's frames by frame, cut to the picture; empty ones among them."""
        clock = self._clocks.of(clip.origin)
        frames = clock.showing(clip, clock.at(given.table["seconds"]))
        order = np.argsort(frames, kind="stable")
        order = order[frames[order] >= 0]
        rows, boxes = given.table[order], np.empty(len(order), BOX)
        boxes["frame"], boxes["source"] = frames[order], _SOURCE
        boxes["score"], boxes["class"] = rows["score"], rows["class"]
        picture = clip.picture
        across = (picture.x, picture.width, given.width or clip.source_width)
        down = (picture.y, picture.height, given.height or clip.source_height)
        for names, side in ((("x0", "x1"), across), (("y0", "y1"), down)):
            for name in names:
                boxes[name] = _pixels(rows[name], *side)
        return boxes


def _pixels(places: npt.NDArray[np.float32], start: int, length: int, whole: float) -> npt.NDArray[np.float64]:
    """Places on a side that is `whole` long as pixels of one of `length` pixels from `start` on, and within it."""
    return start + np.clip(places.astype(np.float64) * (length / whole), 0, length)
