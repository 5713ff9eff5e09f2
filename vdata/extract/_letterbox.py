"""Pictures of any shape in an input of one shape, and boxes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vdata.extract._opencv import plain_opencv

__all__ = ["Letterbox", "Place"]

Place = Literal["centre", "corner"]
"""Where the picture lies in the input: in the middle (YOLO), or at (0, 0) (mmdetection, YOLOX)."""


@dataclass(frozen=True)
class Letterbox:
    """How a picture is scaled by one factor and padded to the size of an input. Sizes are (height, width) in pixels."""

    picture: tuple[int, int]
    input: tuple[int, int]
    place: Place = "centre"
    fill: int = 114
    """Value of the padding in all channels."""

    @property
    def inner(self) -> tuple[int, int]:
        """The picture's size within the input."""
        zoom = min(self.input[0] / self.picture[0], self.input[1] / self.picture[1])
        return max(1, round(self.picture[0] * zoom)), max(1, round(self.picture[1] * zoom))

    @property
    def offset(self) -> tuple[int, int]:
        """Rows above it and columns left of it; of an odd number of padded rows the larger part is below."""
        if self.place == "corner":
            return 0, 0
        return (self.input[0] - self.inner[0]) // 2, (self.input[1] - self.inner[1]) // 2

    def apply(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The inputs, uint8 (N, H, W, 3), of pictures uint8 (N, h, w, 3).

        Source: `LetterBox` of github.com/ultralytics/ultralytics, data/augment.py (`auto=False`): bilinear, value 114.
        """
        import cv2  # noqa: PLC0415 - heavy, and not for those who only read

        (height, width), (top, left) = self.inner, self.offset
        inputs = np.full((len(pictures), *self.input, 3), self.fill, np.uint8)
        with plain_opencv():
            for picture, target in zip(pictures, inputs, strict=True):
                # INTER_LINEAR by whole numbers, rounded alike on every CPU.
                scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
                target[top : top + height, left : left + width] = scaled
        return inputs

    def undo(self, corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Boxes (N, 4) of the input as boxes of the picture, cut at its edges; one that lies in the padding has no area left."""
        (height, width), (top, left) = self.picture, self.offset
        scale = np.array([width / self.inner[1], height / self.inner[0]] * 2)
        found = (corners - [left, top, left, top]) * scale
        boxes: npt.NDArray[np.float32] = np.clip(found, 0, [width, height, width, height]).astype(np.float32)
        return boxes
