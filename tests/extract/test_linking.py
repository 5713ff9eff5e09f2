"""Boxes are linked as a search through all matchings links them, and carried as they are told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vdata.extract._linking import LinkRules, Track, link, overlaps, stay
from vdata.media.box_codec import BOX, boxes_of
from vdata.media.tracklet_codec import CORNERS

RULES = LinkRules(min_iou=0.3, max_gap=10, min_detections=1)


def found(*frames):
    """Detections of (frame, [corners, ...])."""
    return [(frame, boxes_of(frame, corners, "person") if corners else np.empty(0, BOX)) for frame, corners in frames]


def rows(tracklets):
    """{track: {frame: (corners, detected)}}."""
    tracks = {}
    for row in tracklets:
        box = [float(row[name]) for name in CORNERS]
        tracks.setdefault(int(row["track"]), {})[int(row["frame"])] = (box, int(row["detected"]))
    return tracks


def drift(*shift):
    return lambda tracks, frame: np.tile(np.array(shift, float), (len(tracks), 1))


def test_overlaps_equal_counted_pixels():
    rng = np.random.default_rng(0)
    low = rng.integers(0, 20, (12, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 12, (12, 2))], axis=1).astype(float)
    masks = np.zeros((12, 40, 40), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    found = overlaps(boxes[:5], boxes[5:])
    for i, j in itertools.product(range(5), range(7)):
        first, second = masks[i], masks[5 + j]
        assert found[i, j] == pytest.approx((first & second).sum() / (first | second).sum())
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0.0]]


def test_a_box_is_carried_between_detections_and_mended_by_its_share():
    """10 pixels in 4 frames, carried 2 a frame: the last 2 are shared out."""
    first, last = [0, 0, 20, 40], [10, 4, 30, 44]
    (track,) = rows(link(found((2, [first]), (6, [last])), drift(2, 1), RULES)).values()
    assert track == {
        2: ([0, 0, 20, 40], 1),
        3: ([2.5, 1, 22.5, 41], 0),
        4: ([5, 2, 25, 42], 0),
        5: ([7.5, 3, 27.5, 43], 0),
        6: ([10, 4, 30, 44], 1),
    }


def test_without_being_carried_a_fast_box_is_lost_and_with_it_it_is_not():
    seen = found((0, [[0, 0, 20, 40]]), (8, [[24, 0, 44, 40]]), (16, [[48, 0, 68, 40]]))
    assert len(rows(link(seen, stay, RULES))) == 3
    assert len(rows(link(seen, drift(3, 0), RULES))) == 1


def test_the_matching_is_the_best_of_all():
    rng = np.random.default_rng(1)
    for _ in range(50):
        low = rng.uniform(0, 12, (5, 2))
        boxes = np.concatenate([low, low + rng.uniform(8, 16, (5, 2))], axis=1)
        moved = (boxes + np.tile(rng.normal(0, 3, (5, 2)), 2))[rng.permutation(5)].astype(np.float32).astype(float)
        boxes = boxes.astype(np.float32).astype(float)
        shared = overlaps(boxes, moved)
        shared[shared < RULES.min_iou] = 0
        best = max(sum(shared[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(5)))
        linked = rows(link(found((0, boxes.tolist()), (1, moved.tolist())), stay, RULES))
        pairs = [(track[0][0], track[1][0]) for track in linked.values() if len(track) == 2]
        total = sum(overlaps(np.array([first]), np.array([second]))[0, 0] for first, second in pairs)
        assert total == pytest.approx(best)
        assert all(overlaps(np.array([first]), np.array([second]))[0, 0] >= RULES.min_iou for first, second in pairs)


def test_a_track_ends_at_its_last_detection_and_begins_anew_after_the_longest_gap():
    box = [0, 0, 20, 40]
    seen = found((0, [box]), (5, []), (10, [box]), (15, []), (20, []), (25, [box]), (30, []))
    tracks = rows(link(seen, stay, RULES))
    assert {number: (min(track), max(track)) for number, track in tracks.items()} == {0: (0, 10), 1: (25, 25)}
    assert [detected for _, detected in tracks[0].values()] == [1] + [0] * 9 + [1]


def test_tracks_are_numbered_by_their_start_and_short_ones_left_out():
    left, right, late = [0, 0, 20, 40], [100, 0, 120, 40], [50, 0, 70, 40]
    seen = found((0, [right, left]), (1, [late, left, right]), (2, [left, late]))
    tracks = rows(link(seen, stay, LinkRules(0.3, 10, 2)))
    assert [track[min(track)][0][0] for track in tracks.values()] == [100, 0, 50]
    tracks = rows(link(seen, stay, LinkRules(0.3, 10, 3)))
    assert [track[0][0][0] for track in tracks.values()] == [0]


def test_another_class_is_another_track():
    seen = [(frame, boxes_of(frame, [[0, 0, 20, 40]], "detector", classes=frame % 2)) for frame in range(4)]
    assert len(rows(link(seen, stay, RULES))) == 2


def test_a_carried_box_has_the_smaller_score_of_its_neighbours():
    seen = [(frame, boxes_of(frame, [[0, 0, 20, 40]], "person", score)) for frame, score in ((0, 0.5), (2, 0.25), (4, 0.75))]
    assert link(seen, stay, RULES)["score"].tolist() == [0.5, 0.25, 0.25, 0.25, 0.75]


def test_who_is_hidden_goes_on_as_before_and_does_not_follow_who_hides_him():
    """Two cross; the motion seen where they meet is that of the one in front, whom alone the detector finds there."""
    at = {"behind": lambda t: 60 - 4 * t, "front": lambda t: 4 * t}

    def seen_motion(tracks, frame):
        middles = [float(track.corners[-1][0]) for track in tracks]
        front = at["front"](frame - 1)
        return np.array([[4.0 if abs(x - front) < 12 else -4.0, 0.0] for x in middles])

    def boxes(frame):
        front, behind = at["front"](frame), at["behind"](frame)
        return [[front, 0, front + 20, 40]] + ([[behind, 0, behind + 20, 40]] if abs(front - behind) > 12 else [])

    tracks = rows(link(found(*((frame, boxes(frame)) for frame in range(16))), seen_motion, RULES))
    assert len(tracks) == 2
    assert tracks[0][15][0][0] == at["front"](15)
    assert tracks[1][15][0][0] == at["behind"](15)


def test_nothing_found_is_no_rows():
    assert len(link([], stay, RULES)) == 0
    assert len(link(found((0, []), (4, [])), stay, RULES)) == 0


def test_a_track_knows_how_it_moved():
    track = Track(0, [0], [np.array([0.0, 0, 2, 2])], [1.0], [0])
    track.move(np.array([4.0, 0.0]))
    track.move(np.array([2.0, 0.0]))
    assert track.shift.tolist() == [3.0, 0.0]
    track.coast()
    assert track.corners[-1].tolist() == [9, 0, 11, 2]
