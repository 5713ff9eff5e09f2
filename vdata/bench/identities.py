"""How well tracks keep identities, against the truth: the identity F1 score, identity switches, and links one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from vdata.extract._linking import overlaps
from vdata.media.tracklet_codec import CORNERS, Tracklets

__all__ = ["HIT_IOU", "Detection", "Links", "identity_counts", "identity_f1", "links", "switches"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detection:
    """One box that a detector gave."""

    frame: int
    corners: tuple[float, ...]
    """x0, y0, x1, y1 as float32 has them."""
    owner: int
    """The object that it shows; -1 for a false alarm."""


HIT_IOU = 0.5
"""Overlap from which a box counts as that of an object. Source: the usual choice of MOTChallenge (arXiv:1603.00831)."""


def identity_counts(tracklets: Tracklets, truth: Floats, seen: Bools) -> tuple[int, int, int]:
    """IDTP, IDFP and IDFN: each object is given one track for the whole clip, or none, so that most boxes are right.

    Args:
        tracklets: rows of dtype TRACKLET.
        truth: boxes (T, K, 4) of K objects.
        seen: (T, K): whether the object is there to be found.

    Source: Ristani et al., arXiv:1609.01775, section 4.
    """
    numbers, found = np.unique(tracklets["track"], return_inverse=True)
    together = np.zeros((len(numbers), truth.shape[1]))
    for rows, shared in _frames(tracklets, truth, seen):
        np.add.at(together, found[rows], shared >= HIT_IOU)
    # The most boxes that are right are the fewest that are wrong: IDFP and IDFN are what each side has left.
    right = int(together[linear_sum_assignment(together, maximize=True)].sum())
    return right, len(tracklets) - right, int(seen.sum()) - right


def identity_f1(counts: tuple[int, int, int]) -> float:
    """IDF1 = 2 IDTP / (2 IDTP + IDFP + IDFN), in [0, 1]; 1 where there is nothing to find and nothing was found.

    Source: Ristani et al., arXiv:1609.01775, equation 11.
    """
    right, false, missed = counts
    total = 2 * right + false + missed
    return 2 * right / total if total else 1.0


def switches(tracklets: Tracklets, truth: Floats, seen: Bools) -> int:
    """How often an object that had one track has another when it is next found.

    In a frame, an object keeps its track while they overlap enough; the others are matched by the largest sum of overlaps.

    Source: CLEAR MOT (Bernardin and Stiefelhagen 2008, doi:10.1155/2008/246309), mismatches.
    """
    owner, count = dict[int, int](), 0
    for rows, shared in _frames(tracklets, truth, seen):
        tracks = tracklets["track"][rows]
        for i, k in _matched(tracks, np.where(shared >= HIT_IOU, shared, 0.0), owner):
            count += owner.get(k, tracks[i]) != tracks[i]
            owner[k] = int(tracks[i])
    return count


def _matched(tracks: npt.NDArray[np.int32], shared: Floats, owner: dict[int, int]) -> list[tuple[int, int]]:
    shared = shared.copy()
    for k, track in owner.items():
        kept = (tracks == track) & (shared[:, k] > 0)
        if kept.any():
            # More than any sum of other overlaps of these two.
            shared[kept, k] += 2
    pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
    return [(int(i), int(k)) for i, k in pairs if shared[i, k] > 0]


@dataclass(frozen=True, slots=True)
class Links:
    """Counts of links: pairs of detections that follow each other in a track or, in truth, in an object's life."""

    true: int
    made: int
    right: int
    """Those of `made` that are true."""

    def __add__(self, other: Links) -> Links:
        """The counts of both."""
        return Links(self.true + other.true, self.made + other.made, self.right + other.right)


def links(tracklets: Tracklets, detections: Sequence[Detection], max_gap: int) -> Links:
    """How many links are true, were made, and are both.

    Args:
        tracklets: rows of dtype TRACKLET, linked from those detections.
        detections: in the order of their frames.
        max_gap: a true link spans no more frames than this.
    """
    last, true = dict[int, int](), set[tuple[int, int, int]]()
    for item in detections:
        if item.owner >= 0:
            if item.frame - last.get(item.owner, -max_gap - 1) <= max_gap:
                true.add((item.owner, last[item.owner], item.frame))
            last[item.owner] = item.frame
    owners = {(item.frame, item.corners): item.owner for item in detections}
    rows = tracklets[tracklets["detected"] == 1]
    frames, corners = rows["frame"].tolist(), zip(*(rows[name].tolist() for name in CORNERS), strict=True)
    found = [(owners[place], place[0]) for place in zip(frames, corners, strict=True)]
    made = [pair for pair, same in zip(itertools.pairwise(found), np.diff(rows["track"]) == 0, strict=True) if same]
    right = sum(owner == other and (owner, first, second) in true for (owner, first), (other, second) in made)
    return Links(len(true), len(made), right)


def _frames(tracklets: Tracklets, truth: Floats, seen: Bools) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """For every frame, which rows are in it, and their overlaps (N, K) with the objects; 0 for those not to be seen."""
    corners = np.stack([tracklets[name].astype(np.float64) for name in CORNERS], axis=-1)
    for frame in range(len(truth)):
        rows = np.flatnonzero(tracklets["frame"] == frame)
        yield rows, overlaps(corners[rows], truth[frame]) * seen[frame]
