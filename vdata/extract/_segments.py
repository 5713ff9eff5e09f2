"""What the extractors `slic` and `felzenszwalb` share: the picture that is segmented, and the way from label maps to boxes.

A segmentation takes thousands of decisions by comparing numbers, so a last bit that depends on the CPU can move a box. Everything
here is therefore made of operations that are exact or rounded as IEEE 754 says, in an order that no CPU changes. NumPy's `exp`,
`power`, `cbrt` and matrix product, scikit-image's `rgb2lab` and OpenCV's blur of floats are not (each gave other last bits with
AVX-512, with AVX2 or without both), and are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.extract._frames import check_frames, chosen_frames
from vdata.media.box_codec import Boxes, boxes_of, dump_boxes
from vdata.media.clip import EncodedClip

__all__ = [
    "PACKAGES",
    "Labels",
    "SegmentConfig",
    "boxes_member",
    "corners_of",
    "kept",
    "one_thread",
    "reduced",
    "smoothed",
]

Labels = npt.NDArray[np.integer[Any]]
C = TypeVar("C", bound="SegmentConfig")

PACKAGES = ("scikit-image", "scipy", "opencv-contrib-python-headless")
"""What decides the bytes."""


@dataclass(frozen=True)
class SegmentConfig:
    """Which frames are segmented, on how fine a picture, by what, and which boxes are kept."""

    section: ClassVar[str]
    """The extractor's name, which opens the names of its settings."""

    frames: str = "keyframes"
    """`keyframes`, `every:N` or `all`."""
    keep: tuple[float, float] = (0.05, 0.7)
    """Least and largest side of a box, as a part of the picture's width and height; both sides must be within. [D]: no source
    gives the range, which has to drop at least the background's box."""
    reduce: int = 1
    """The picture is segmented at 1 / `reduce` of its width and height, and the boxes scaled back. 1 is the decoded frame, as the
    source has it; 2 takes a third to a quarter of the time (docs/boxes.md says what it changes)."""
    engine: Literal["skimage", "opencv"] = "skimage"
    """Whose implementation: scikit-image's, or that of OpenCV's ximgproc, which is faster (docs/boxes.md)."""

    def __post_init__(self) -> None:
        """Checks each setting."""
        check_frames(self.frames, f"{self.section}.frames")
        low, high = self.keep
        check(0 <= low < high <= 1, f"{self.section}.keep", self.keep, "must be two parts of the picture, ascending, in [0, 1]")
        check(1 <= self.reduce <= 8, f"{self.section}.reduce", self.reduce, "must be in [1, 8]")  # noqa: PLR2004 - 2 pixels of 16
        engines = ("skimage", "opencv")
        check(self.engine in engines, f"{self.section}.engine", self.engine, "must be 'skimage' or 'opencv'")


def boxes_member(clip: EncodedClip, config: C, label_maps: Callable[[npt.NDArray[np.uint8], C], Iterable[Labels]]) -> bytes:
    """The member of one clip: the boxes of its chosen frames, in order.

    Args:
        clip: gives the pictures; the rectangle starts at (0, 0), so the boxes are in pixels of the coded frame.
        config: the extractor's own.
        label_maps: from a picture, uint8 (h, w, 3), to a map of labels (h, w) for each scale.

    Raises:
        DecodeError: the clip does not decode.
    """
    numbers = chosen_frames(config.frames, clip)
    parts = []
    for number, picture in zip(numbers, clip.pictures(numbers), strict=True):
        maps = label_maps(reduced(picture, config.reduce), config)
        parts.append(_frame_boxes(number, maps, (picture.shape[1], picture.shape[0]), config))
    return dump_boxes(parts)


def _frame_boxes(number: int, maps: Iterable[Labels], size: tuple[int, int], config: SegmentConfig) -> Boxes:
    """The boxes of one frame: those of scale 0 in the order of their labels, then what scale 1 adds, and so on.

    A box that two segments or two scales have in common stays once, with the first scale's number: who draws boxes by chance
    would draw it twice as often.
    """
    found = [kept(_scaled_back(corners_of(labels), config.reduce, size), size, config.keep) for labels in maps]
    corners = np.concatenate(found)
    classes = np.repeat(np.arange(len(found)), [len(each) for each in found])
    first = np.sort(np.unique(corners, axis=0, return_index=True)[1])
    return boxes_of(number, corners[first], config.section, classes=classes[first])


def corners_of(labels: Labels) -> npt.NDArray[np.int64]:
    """The smallest box around each label that occurs, (N, 4), labels ascending: x0 <= x < x1 and y0 <= y < y1.

    Args:
        labels: (h, w), integers of 0 or more.

    scipy's `find_objects` took 0.5 ms at 256x456, `regionprops_table` 0.9 ms, `np.minimum.at` and its kin 0.9 ms.
    """
    from scipy.ndimage import find_objects  # noqa: PLC0415 - heavy, and not for those who only read

    found = [place for place in find_objects(labels + 1) if place]
    corners = [(across.start, down.start, across.stop, down.stop) for down, across in found]
    return np.array(corners, np.int64).reshape(-1, 4)


def kept(corners: npt.NDArray[np.int64], size: tuple[int, int], keep: tuple[float, float]) -> npt.NDArray[np.int64]:
    """Those boxes (N, 4) whose width and height are both within `keep`, ends included, of `size` (width, height)."""
    # A quotient: 245 / 350 is the double nearest to 0.7, but 0.7 * 350 is less than 245.
    sides = (corners[:, 2:] - corners[:, :2]) / np.array(size)
    within: npt.NDArray[np.bool_] = ((sides >= keep[0]) & (sides <= keep[1])).all(axis=1)
    return corners[within]


def _scaled_back(corners: npt.NDArray[np.int64], factor: int, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Boxes of the reduced picture in pixels of the picture; the last block may reach over its edge."""
    inside: npt.NDArray[np.int64] = np.minimum(corners * factor, [*size, *size])
    return inside


def reduced(picture: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """The means of `factor` x `factor` blocks, halves up, uint8 (ceil(h / factor), ceil(w / factor), 3).

    The edge is repeated to fill the last block. In whole numbers: OpenCV's reduction is not promised to be equal on every CPU.
    """
    if factor == 1:
        return picture
    height, width, channels = picture.shape
    filled = np.pad(picture, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    blocks = filled.reshape(filled.shape[0] // factor, factor, filled.shape[1] // factor, factor, channels)
    area = factor * factor
    means: npt.NDArray[np.uint8] = ((blocks.sum(axis=(1, 3), dtype=np.uint32) * 2 + area) // (2 * area)).astype(np.uint8)
    return means


def smoothed(picture: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """The picture (h, w, C) under a Gaussian of `sigma` pixels, cut at 4 sigma, mirrored at its edges; equal on every CPU.

    scipy's own `gaussian_filter` takes the weights from `np.exp`. Here they are rounded to 12 digits, far above any libm's error.
    """
    from scipy.ndimage import correlate1d  # noqa: PLC0415 - as above

    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return picture
    weights = [round(math.exp(-0.5 * (x / sigma) ** 2), 12) for x in range(-radius, radius + 1)]
    kernel = [weight / math.fsum(weights) for weight in weights]
    for axis in (0, 1):
        picture = correlate1d(picture, kernel, axis, mode="reflect")
    return picture


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread while the block runs: float sums keep their order, and a worker keeps to its core.

    The number is the whole process's, so it is put back: who calls an extractor from a program of their own keeps theirs.
    """
    import cv2  # noqa: PLC0415 - heavy, and not for those who only read

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
