"""Boxes of single frames linked into tracks: pure functions of boxes and of what carries a box from one frame to the next.

A track's box is carried to the next frame that the detector has looked at, and matched there with the detections by their
overlap. Whoever calls says how it is carried: by motion vectors, at a constant speed, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vdata.media.box_codec import Boxes
from vdata.media.tracklet_codec import CORNERS, TRACKLET, Tracklets

__all__ = ["Carry", "LinkRules", "Track", "link", "overlaps", "stay"]

Floats = npt.NDArray[np.float64]

_HIDDEN = 0.5
"""The share of a box that another track's box covers from which the motion seen there is that of the other.

With it the drawn scenes of bench/tracklets.py had 29, 26, 26 and 23 identity switches at detector steps of 1, 4, 8 and 12 frames;
without, 50, 47, 41 and 33. 0.6 was worse; 0.4 was as good.
"""
_MEMORY = 0.5
"""The weight of what a track's shift was in the mean of its last ones."""


@dataclass(frozen=True, slots=True)
class LinkRules:
    """When two boxes are of one track."""

    min_iou: float
    """Overlap (intersection over union) of a carried box and a detection, at least."""
    max_gap: int
    """A track ends when it was last detected more frames ago than this."""
    min_detections: int
    """Tracks with fewer are left out."""


@dataclass(slots=True)
class Track:
    """One track while it grows."""

    kind: int
    """The detector's class: it does not change within a track."""
    frames: list[int]
    """Of the boxes, one after the other without a gap."""
    corners: list[Floats]
    """(4,) each: x0, y0, x1, y1."""
    scores: list[float]
    detections: list[int]
    """Which of the boxes are detections: their places in the lists."""
    shift: Floats = field(default_factory=lambda: np.zeros(2))
    """How far it moves in a frame, (dx, dy): the mean of what was seen, the last frames most."""

    @property
    def last_detected(self) -> int:
        """The frame of the last detection."""
        return self.frames[self.detections[-1]]

    def move(self, shift: Floats) -> None:
        """Adds the next frame's box, moved as it was seen to move."""
        self.shift = (1 - _MEMORY) * shift + _MEMORY * self.shift if len(self.frames) > 1 else shift
        self._add(shift)

    def coast(self) -> None:
        """Adds the next frame's box, which cannot be seen to move: it goes on as before."""
        self._add(self.shift)

    def meet(self, found: Floats, score: float) -> None:
        """Puts a detection in the place of the box carried last, and mends the boxes carried since the detection before.

        What the carried box lacks at the end it gained bit by bit, so each is moved by its share: mean IoU with
        the truth 0.88, 0.90 and 0.88 at detector steps of 4, 8 and 12 frames, left alone 0.85, 0.87 and 0.85.
        """
        first = self.detections[-1]
        steps = len(self.frames) - 1 - first
        error = found - self.corners[-1]
        for step in range(1, steps):
            self.corners[first + step] = self.corners[first + step] + error * (step / steps)
            self.scores[first + step] = min(self.scores[first], score)
        self.corners[-1], self.scores[-1] = found, score
        self.detections.append(len(self.frames) - 1)

    def _add(self, shift: Floats) -> None:
        self.frames.append(self.frames[-1] + 1)
        self.corners.append(self.corners[-1] + np.tile(shift, 2))
        self.scores.append(0.0)


Carry = Callable[[Sequence[Track], int], Floats]
"""What says how boxes move: of tracks whose last boxes lie in frame - 1, and that frame, the shifts (N, 2) = (dx, dy)."""


def link(detections: Iterable[tuple[int, Boxes]], carry: Carry, rules: LinkRules) -> Tracklets:
    """The tracks of a clip as rows of dtype TRACKLET, (N,), ordered by track and frame.

    A track has one box for every frame from its first detection to its last. Tracks are numbered by their first frame, then by
    the order of the detections in it.

    Args:
        detections: frames that the detector has looked at, ascending, each with its boxes, which may be none.
        carry: says how boxes move.
        rules: when boxes are linked.

    Source: overlap and assignment as in SORT (arXiv:1602.00763); in place of its Kalman filter the box is carried by `carry`.
    """
    every, alive, now = list[Track](), list[Track](), -1
    for frame, boxes in detections:
        for step in range(now + 1, frame + 1):
            _carry_all(alive, carry, step, looked=now)
        now = frame
        alive = [track for track in alive if frame - track.last_detected <= rules.max_gap]
        born = _met(alive, frame, boxes, rules)
        every += born
        alive += born
    return _rows([track for track in every if len(track.detections) >= rules.min_detections])


def stay(tracks: Sequence[Track], frame: int) -> Floats:
    """No shifts: boxes are linked by their overlap alone."""
    del frame
    return np.zeros((len(tracks), 2))


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each pair of boxes: (N, 4) and (M, 4) give (N, M), in [0, 1]."""
    shared = _shared(first, second)
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(boxes: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    areas: Floats = sides[:, 0] * sides[:, 1]
    return areas


def _shared(first: Floats, second: Floats) -> Floats:
    """Area of the intersection of each pair of boxes, (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: Floats = np.prod(np.maximum(high - low, 0), axis=-1)
    return shared


def _carry_all(tracks: Sequence[Track], carry: Carry, frame: int, looked: int) -> None:
    """Nothing; every track has a box in `frame`. `looked` is the frame that the detector looked at last."""
    if not tracks:
        return
    shifts, hidden = carry(tracks, frame), _hidden(tracks, looked)
    for track, shift, unseen in zip(tracks, shifts, hidden, strict=True):
        if unseen:
            track.coast()
        else:
            track.move(shift)


def _hidden(tracks: Sequence[Track], looked: int) -> npt.NDArray[np.bool_]:
    """Which tracks' boxes are covered by that of a track that was detected when the detector looked last."""
    corners = np.stack([track.corners[-1] for track in tracks])
    covered = _shared(corners, corners)
    np.fill_diagonal(covered, 0)
    found = np.array([track.last_detected == looked for track in tracks])
    hidden: npt.NDArray[np.bool_] = (covered * found >= _HIDDEN * _areas(corners)[:, None]).any(axis=1)
    return hidden


def _met(tracks: Sequence[Track], frame: int, boxes: Boxes, rules: LinkRules) -> list[Track]:
    """New tracks of the detections that belong to none of `tracks`; the others have met theirs."""
    corners = np.stack([boxes[name].astype(np.float64) for name in CORNERS], axis=-1)
    scores, kinds = boxes["score"].tolist(), boxes["class"]
    taken = set[int]()
    for i, j in _pairs(tracks, corners, kinds, rules.min_iou):
        tracks[i].meet(corners[j], scores[j])
        taken.add(j)
    return [Track(int(kinds[j]), [frame], [corners[j]], [scores[j]], [0]) for j in range(len(boxes)) if j not in taken]


def _pairs(tracks: Sequence[Track], corners: Floats, kinds: npt.NDArray[Any], min_iou: float) -> list[tuple[int, int]]:
    """Track and detection of each pair: the choice with the largest sum of overlaps, none of them below `min_iou`."""
    if not tracks or not len(corners):
        return []
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - heavy, and not for those who only list extractors

    shared = overlaps(np.stack([track.corners[-1] for track in tracks]), corners)
    # Before the choice, not after it: a pair that is not allowed must not cost an allowed one its partner.
    shared[(shared < min_iou) | (np.array([track.kind for track in tracks])[:, None] != kinds)] = 0
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if shared[i, j] > 0]


def _rows(tracks: Sequence[Track]) -> Tracklets:
    """The tracks up to their last detections."""
    parts = [np.empty(0, TRACKLET)]
    for number, track in enumerate(tracks):
        count = track.detections[-1] + 1
        part = np.zeros(count, TRACKLET)
        part["track"], part["frame"], part["score"] = number, track.frames[:count], track.scores[:count]
        part["detected"][track.detections] = 1
        for name, values in zip(CORNERS, np.transpose(track.corners[:count]), strict=True):
            part[name] = values
        parts.append(part)
    return np.concatenate(parts)
