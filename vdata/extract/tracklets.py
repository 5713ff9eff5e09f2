"""Tracklets: person boxes of some frames, linked over all frames by the motion that the encoder has found anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check, from_mapping, to_mapping
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._frames import check_frames, chosen_frames
from vdata.extract._linking import Carry, LinkRules, Track, link
from vdata.extract.detector import DetectorExtractor
from vdata.extract.motion import motion_grid
from vdata.media.box_codec import Boxes, load_boxes
from vdata.media.clip import EncodedClip
from vdata.media.motion_codec import INTRA
from vdata.media.tracklet_codec import CORNERS, Tracklets, dump_tracklets
from vdata.records import Column, Field

__all__ = ["TrackletsConfig", "TrackletsExtractor", "motion_carry"]

Floats = npt.NDArray[np.float64]

_BLOCK: Literal[8] = 8
"""Side of a cell, pixels. A cell of 8 has one vector, one of 16 may have a mean across a person's edge: 26 and 35 identity
switches in the drawn scenes of bench/tracklets.py with a detector every 8 frames, 23 and 31 every 12."""
_CORE = 0.8
"""The part of a box's width and height, about its middle, whose motion counts: its edges show what is behind the person."""
_ENOUGH = 0.1
"""The share of that part that must have motion vectors; with less, the box goes on as before."""
_QUARTER_PIXELS = 4


@dataclass(frozen=True)
class TrackletsConfig:
    """Whose boxes are linked, and how."""

    source: Literal["person", "detector"] = "person"
    """The extractor that finds the boxes. All that it finds is linked, class by class."""
    boxes: Mapping[str, Any] = field(default_factory=dict)
    """Its own settings, as `tracklets.boxes.KEY=VALUE`, but for its frames. All of them are noted, with the model's sha256."""
    frames: str = "every:8"
    """Where it looks: `keyframes`, `every:N` or `all`. Between those frames the motion field carries the boxes."""
    min_iou: float = 0.3
    """Overlap of a carried box and a detection from which they are one person. Source: arXiv:1602.00763, section 3.3."""
    max_gap_seconds: float = 1.0
    """How long a person may go undetected and still be the same; from one look to the next at least."""
    min_detections: int = 2
    """Tracks with fewer are left out: most false alarms have one."""

    def __post_init__(self) -> None:
        """Checks every setting, and those of the extractor that finds the boxes."""
        check(self.source in ("person", "detector"), "tracklets.source", self.source, "must be 'person' or 'detector'")
        check_frames(self.frames, "tracklets.frames")
        check("frames" not in self.boxes, "tracklets.boxes.frames", self.boxes.get("frames"), "is tracklets.frames")
        check(0 < self.min_iou <= 1, "tracklets.min_iou", self.min_iou, "must be in (0, 1]")
        check(self.max_gap_seconds > 0, "tracklets.max_gap_seconds", self.max_gap_seconds, "must be positive")
        check(self.min_detections >= 1, "tracklets.min_detections", self.min_detections, "must be 1 or more")
        noted = {key: value for key, value in to_mapping(self.finder()).items() if key != "frames"}
        object.__setattr__(self, "boxes", noted)

    def finder(self) -> Any:  # noqa: ANN401 - each extractor has its own Config
        """The config of the extractor that finds the boxes."""
        settings = {**self.boxes, "frames": self.frames}
        return from_mapping(EXTRACTORS[self.source].Config, settings, "tracklets.boxes.")


_COLUMN = Column("num_tracklets", pa.int32(), "How many tracklets the clip has.")


@EXTRACTORS.add("tracklets")
class TrackletsExtractor:
    """The clip's tracklets; a clip in which nobody was found has a member without rows."""

    Config: ClassVar[type] = TrackletsConfig
    packages: ClassVar[tuple[str, ...]] = (*DetectorExtractor.packages, "scipy")
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = True
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: TrackletsConfig) -> None:
        """Sets up the extractor that finds the boxes."""
        self.config = config
        self._find = EXTRACTORS[config.source](config.finder())

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one member."""
        doc = (
            f"Structured (N,): track int32, frame int32, {', '.join(CORNERS)} float32, score float32, detected uint8, by track "
            "and frame: a box for every frame from a track's first detection to its last. `detected` is 0 where motion vectors "
            "carried the box. Tracks count from 0 in every clip; a person in two clips has two numbers."
        )
        return (Field("tracklets", "tracklets.npy", "structured", "N", "pixels of the coded frame", doc),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Their number."""
        return (_COLUMN,)

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member and its column; equal clips give equal bytes.

        Raises:
            MediaError: the boxes or the motion of the clip cannot be had.
        """
        carry = motion_carry(*motion_grid(clip.motion, clip.width, clip.height, _BLOCK), _BLOCK)
        tracklets = _inside(link(self._detections(clip), carry, self._rules(clip)), clip)
        (member,) = self.fields
        number = int(tracklets["track"].max(initial=-1)) + 1
        return Extracted({member.ext: dump_tracklets(tracklets)}, {_COLUMN.name: number})

    def _rules(self, clip: EncodedClip) -> LinkRules:
        """The settings in frames. Two looks of the detector may lie further apart than the longest gap, and still be linked."""
        looks = np.diff(chosen_frames(self.config.frames, clip))
        max_gap = max(round(self.config.max_gap_seconds * clip.fps), int(looks.max(initial=0)))
        return LinkRules(self.config.min_iou, max_gap, self.config.min_detections)

    def _detections(self, clip: EncodedClip) -> list[tuple[int, Boxes]]:
        """The boxes of every frame that was looked at, in order."""
        (member,) = self._find(clip).members.values()
        boxes = load_boxes(member)
        return [(frame, boxes[boxes["frame"] == frame]) for frame in chosen_frames(self.config.frames, clip)]


def motion_carry(grid: npt.NDArray[np.int16], kind: npt.NDArray[np.uint8], block: int) -> Carry:
    """What carries boxes along a motion grid: by the median of the vectors that start in the box, each axis by itself.

    A cell's vector counts by the area that the box shares with the block of the frame before from which the cell was predicted:
    the box lies in that frame, so what it holds is known there. Intra cells have no vector; where a box has too few that do,
    and so in every keyframe, it goes on as before.

    Args:
        grid: int16 (T, h, w, 2), dst - src in quarter pixels, as vdata.extract.motion.motion_grid gives it.
        kind: uint8 (T, h, w).
        block: side of a cell in pixels.

    Source: our own. With the weighted mean in place of the median the drawn scenes of bench/tracklets.py had 72 identity switches
    in place of 23 at a detector step of 12 frames, 50 in place of 26 at 8.
    """
    down, across = np.indices(kind.shape[1:]) * float(block)
    places = np.stack([across, down], axis=-1).reshape(-1, 2)

    def carry(tracks: Sequence[Track], frame: int) -> Floats:
        corners = np.stack([track.corners[-1] for track in tracks])
        vectors = grid[frame].reshape(-1, 2) / _QUARTER_PIXELS
        weights = _weights(corners, places - vectors, block) * (kind[frame].reshape(-1) != INTRA)
        enough = weights.sum(axis=1) >= _ENOUGH * _CORE**2 * np.prod(corners[:, 2:] - corners[:, :2], axis=1)
        before = np.stack([track.shift for track in tracks])
        return np.where(enough[:, None], _medians(vectors, weights), before)

    return carry


def _weights(corners: Floats, sources: Floats, block: int) -> Floats:
    """The area (N, cells) that the core of each box (N, 4) shares with each block whose upper left corner is in `sources`."""
    middle, half = (corners[:, :2] + corners[:, 2:]) / 2, (corners[:, 2:] - corners[:, :2]) * (_CORE / 2)
    low, high = (middle - half)[:, None], (middle + half)[:, None]
    sides = np.minimum(high, sources + block) - np.maximum(low, sources)
    sides = np.maximum(sides, 0)
    weights: Floats = sides[..., 0] * sides[..., 1]
    return weights


def _medians(vectors: Floats, weights: Floats) -> Floats:
    """The weighted medians (N, 2) of the vectors (cells, 2), each axis by itself: half the weight is not above it."""
    medians = np.empty((len(weights), 2))
    for axis in range(2):
        order = np.argsort(vectors[:, axis], kind="stable")
        reached = weights[:, order].cumsum(axis=1)
        medians[:, axis] = vectors[order[(reached >= reached[:, -1:] / 2).argmax(axis=1)], axis]
    return medians


def _inside(tracklets: Tracklets, clip: EncodedClip) -> Tracklets:
    """The rows cut to the picture; one that lies outside keeps a pixel at its edge, so that no frame of a track is without."""
    for low, high, length in (("x0", "x1", clip.picture.width), ("y0", "y1", clip.picture.height)):
        tracklets[low] = np.clip(tracklets[low], 0, length - 1)
        tracklets[high] = np.clip(tracklets[high], tracklets[low] + 1, length)
    return tracklets
