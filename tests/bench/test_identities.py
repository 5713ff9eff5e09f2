"""The scores of tracking against searches written from their definitions, and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vdata.bench.identities import Detection, Links, identity_counts, identity_f1, links, switches
from vdata.media.tracklet_codec import TRACKLET


def tracklets(*rows):
    """Rows of (track, frame, x)."""
    return np.array([(track, frame, x, 0, x + 10, 10, 1, 1) for track, frame, x in rows], TRACKLET)


def truth(*paths):
    """Boxes (T, K, 4) of objects at these x."""
    return np.stack([[(x, 0, x + 10, 10) for x in path] for path in paths], axis=1).astype(float)


def slow_identity_right(found, boxes, seen):
    """The most right boxes over all ways to give each track an object, or none."""
    numbers = sorted(set(found["track"].tolist()))
    best = 0
    for objects in itertools.permutations([*range(boxes.shape[1]), *[None] * len(numbers)], len(numbers)):
        given, right = dict(zip(numbers, objects, strict=True)), 0
        for row in found:
            k = given[int(row["track"])]
            if k is not None and seen[row["frame"], k]:
                x0, x1 = boxes[row["frame"], k, [0, 2]]
                shared = max(0.0, min(x1, row["x1"]) - max(x0, row["x0"]))
                right += shared / (20 - shared) >= 0.5
        best = max(best, right)
    return best


def test_identity_counts_are_those_of_the_best_of_all_assignments():
    rng = np.random.default_rng(0)
    for _ in range(30):
        boxes = truth(*rng.integers(0, 12, (3, 6)))
        seen = rng.uniform(size=(6, 3)) < 0.8
        rows = [(int(rng.integers(3)), frame, int(rng.integers(12))) for frame in range(6) for _ in range(2)]
        found = tracklets(*sorted({(track, frame): (track, frame, x) for track, frame, x in rows}.values()))
        right = slow_identity_right(found, boxes, seen)
        assert identity_counts(found, boxes, seen) == (right, len(found) - right, seen.sum() - right)


def test_a_switch_in_the_middle_halves_idf1():
    boxes, seen = truth([0, 0, 0, 0]), np.ones((4, 1), bool)
    found = tracklets((0, 0, 0), (0, 1, 0), (1, 2, 0), (1, 3, 0))
    assert identity_f1(identity_counts(found, boxes, seen)) == 0.5
    assert switches(found, boxes, seen) == 1
    whole = tracklets(*((0, frame, 0) for frame in range(4)))
    assert identity_f1(identity_counts(whole, boxes, seen)) == 1.0
    assert switches(whole, boxes, seen) == 0
    assert identity_f1(identity_counts(tracklets(), boxes, seen)) == 0.0
    assert identity_f1((0, 0, 0)) == 1.0


def test_two_who_exchange_tracks_are_two_switches_and_who_only_vanishes_is_none():
    boxes, seen = truth([0, 0, 0], [50, 50, 50]), np.ones((3, 2), bool)
    exchanged = tracklets((0, 0, 0), (0, 1, 50), (0, 2, 50), (1, 0, 50), (1, 1, 0), (1, 2, 0))
    assert switches(exchanged, boxes, seen) == 2
    assert switches(tracklets((0, 0, 0), (0, 2, 0)), boxes, seen) == 0


def test_an_object_keeps_its_track_while_they_overlap_enough():
    """In frame 1 the other track lies closer, which alone is no switch."""
    boxes, seen = truth([0, 0]), np.ones((2, 1), bool)
    assert switches(tracklets((0, 0, 0), (0, 1, 3), (1, 1, 0)), boxes, seen) == 0


def test_links_are_counted_one_by_one():
    """Owners 0 0 1 | -1 0 along one track: 0-0 right, 0-1 and 1-false wrong; a link over a detection in between is not true."""
    detections = [Detection(frame, (float(x), 0.0, x + 10.0, 10.0), owner) for frame, x, owner in (
        (0, 0, 0), (1, 1, 0), (2, 2, 1), (3, 3, -1), (3, 30, 0), (5, 5, 0), (40, 6, 0))]  # fmt: skip
    found = tracklets((0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 3, 30), (1, 5, 5))
    # True: 0-1, 1-3 and 3-5 of object 0; 5-40 is too far apart.
    assert links(found, detections, max_gap=10) == Links(true=3, made=4, right=2)
    over = tracklets((0, 0, 0), (0, 3, 30))
    assert links(over, detections, max_gap=10) == Links(true=3, made=1, right=0)
    assert Links(1, 2, 3) + Links(3, 2, 1) == Links(4, 4, 4)


def test_a_box_counts_from_half_an_overlap():
    boxes, seen = truth([0]), np.ones((1, 1), bool)
    assert identity_counts(tracklets((0, 0, 3)), boxes, seen) == (1, 0, 0)  # 7 / 13
    assert identity_counts(tracklets((0, 0, 4)), boxes, seen) == (0, 1, 1)  # 6 / 14
    with pytest.raises(IndexError):
        switches(tracklets((0, 0, 0)), boxes, np.ones((0, 1), bool))
