"""Boxes around people, by OpenCV's built-in HOG detector: no weights to fetch, and no match for a real detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._boxes import member_field
from vdata.extract._frames import check_frames, chosen_frames
from vdata.extract._nms import suppress
from vdata.extract._opencv import plain_opencv
from vdata.media.box_codec import Boxes, boxes_of, dump_boxes
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["PersonConfig", "PersonExtractor"]

_WINDOW = (64, 128)
_STRIDE = 8
_ZOOM = 1.05
"""From one size of the window to the next. 1.025 took twice the time and found as many (24 frames)."""
_AROUND = 0.35
"""Of the short side: how far the picture's edge is repeated on every side. The window is a third taller than the person in it, so
a person who fills the picture fits no window within it: without this 14 of 33 people were found, with it 26."""
_MARGINS = (0.2, 0.1)
"""Of the window: what is beside and above a person in it. The training windows had (0.25, 0.125); arms and hats reach beyond.
Mean IoU with 26 hand-drawn boxes: 0.76, with (0.15, 0.05) 0.69; OpenCV's own sample takes about (0.1, 0.07)."""


@dataclass(frozen=True)
class PersonConfig:
    """Where to look, and how sure to be."""

    frames: str = "keyframes"
    """`keyframes`, `every:N` or `all`."""
    side: int = 384
    """Short side of the picture in which people are sought, pixels. The smallest person has 96 of them: a quarter of 384."""
    score: float = 0.7
    """The least score, as the support vector machine gives it: 0 is its own border, and there is no upper end."""
    overlap: float = 0.5
    """A box goes when a better one shares more than this part of the smaller of the two. By IoU above 0.4, trousers in a person
    would stay: 24 false boxes in place of 2, with 27 people found in place of 26."""

    def __post_init__(self) -> None:
        """Checks each setting."""
        check_frames(self.frames, "person.frames")
        check(128 <= self.side <= 2160, "person.side", self.side, "must be in [128, 2160]")  # noqa: PLR2004 - a window; 4K
        check(self.score >= 0, "person.score", self.score, "must be 0 or more")
        check(0 <= self.overlap <= 1, "person.overlap", self.overlap, "must be in [0, 1]")


@EXTRACTORS.add("person")
class PersonExtractor:
    """The clip's people as one member of boxes.

    Source: Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005; the weights are those that OpenCV
    carries (`HOGDescriptor_getDefaultPeopleDetector`). Upright people, whole ones: no close-ups, nobody who sits or lies.
    """

    Config: ClassVar[type] = PersonConfig
    packages: ClassVar[tuple[str, ...]] = ("opencv-contrib-python-headless",)
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: PersonConfig) -> None:
        import cv2  # noqa: PLC0415 - heavy, and not for those who only read

        self.config = config
        self._hog: Any = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    @property
    def fields(self) -> tuple[Field, ...]:
        """The boxes."""
        doc = (
            "People as OpenCV's HOG detector finds them, best first in each frame: `class` 0; `score` is the support vector "
            "machine's own, above 0 and no probability."
        )
        return (member_field("person", doc),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """None."""
        return ()

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member's bytes; equal clips give equal bytes. A clip without people has a member of no boxes.

        Raises:
            DecodeError: the clip does not decode.
        """
        frames = chosen_frames(self.config.frames, clip)
        with plain_opencv():
            parts = [self._people(frame, picture) for frame, picture in zip(frames, clip.pictures(frames), strict=True)]
        (member,) = self.fields
        return Extracted({member.ext: dump_boxes(parts)})

    def _people(self, frame: int, picture: npt.NDArray[np.uint8]) -> Boxes:
        height, width = picture.shape[:2]
        windows, scores = self._windows(picture)
        margins = np.array(_MARGINS, np.float32) * (windows[:, 2:] - windows[:, :2])
        corners = np.hstack([windows[:, :2] + margins, windows[:, 2:] - margins])
        corners = np.clip(corners, 0, np.array([width, height, width, height], np.float32))
        kept = suppress(corners, scores, self.config.overlap, by="smaller")
        # A window that lies in the repeated edge alone has no area left.
        kept = kept[(corners[kept, :2] < corners[kept, 2:]).all(axis=1)]
        return boxes_of(frame, corners[kept], "person", scores[kept], 0)

    def _windows(self, picture: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Corners (N, 4) in pixels of the picture and scores (N,) of the windows above the least score, sorted."""
        import cv2  # noqa: PLC0415 - heavy, and not for those who only read

        height, width = picture.shape[:2]
        zoom = self.config.side / min(height, width)
        size = round(width * zoom), round(height * zoom)
        around = round(_AROUND * self.config.side)
        large = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR_EXACT)
        large = cv2.copyMakeBorder(large, around, around, around, around, cv2.BORDER_REPLICATE)
        least = self.config.score
        found, scores = self._hog.detectMultiScale(large, least, (_STRIDE, _STRIDE), (0, 0), _ZOOM, groupThreshold=0)
        if not len(found):
            return np.empty((0, 4), np.float32), np.empty(0, np.float32)
        rows = np.column_stack([np.asarray(found, np.float32), np.ravel(scores).astype(np.float32)])
        # OpenCV's order is that in which its threads came to an end; of equal scores the first would stay.
        rows = rows[np.lexsort(rows.T)]
        places = rows[:, :2] - around
        scale = (np.array([width, height]) / size).astype(np.float32)
        return np.hstack([places * scale, (places + rows[:, 2:4]) * scale]), rows[:, 4]
