"""Which videos match follows from which of their keyframes do."""

import numpy as np
import pytest

from vdata.leaks.config import LeakConfig
from vdata.leaks.frames import Frames
from vdata.leaks.hash import MIRRORED
from vdata.leaks.match import Footage, match_frames, match_videos

RNG = np.random.default_rng(0)
SCENES = RNG.integers(0, 2**64, (60, 4), dtype=np.uint64)
"""Keyframes that look like nothing else."""
CARD, OTHERS = 59, slice(0, 59)


def footage(*videos, weights=None):
    """Videos as lists of numbers of SCENES, or of hashes."""
    hashes = [SCENES[frame] if isinstance(frame, int) else frame for frames in videos for frame in frames]
    video = np.repeat(np.arange(len(videos)), [len(frames) for frames in videos])
    weight = np.concatenate(weights) if weights else np.ones(len(hashes), np.int64)
    seconds = np.concatenate([np.arange(len(frames)) / 2 for frames in videos])
    frames = Frames(video, seconds, np.array(hashes), weight)
    return Footage(frames, video, np.bincount(video, weight).astype(np.int64))


def turned(number, count):
    """A keyframe with so many of the bits behind the first 64 turned."""
    words = SCENES[number].copy()
    for bit in range(count):
        words[1 + bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return words


def every(first, second):
    return np.ones(len(first), bool)


def matched(one, other, config=None, wanted=every, **options):
    config = config or LeakConfig()
    pairs = match_frames(one, other, config, wanted, workers=1, **options)
    return match_videos(one, one if other is None else other, pairs, config, mirrored=options.get("mirrored", False))


def ids(pairs):
    return [(pair.first, pair.second) for pair in pairs]


def test_half_of_the_shorter_is_enough_and_less_is_not():
    film = footage([*range(20)], [30, 31, 32, 33])
    (pair,) = matched(film, footage([10, 11, 40, 41], [10, 42, 43, 44], [45, 46]))
    assert (pair.first, pair.second) == (0, 0)
    assert (pair.matched, pair.hashed) == ((2, 2), (20, 4))
    assert (pair.distance, pair.seconds, pair.mirrored) == (0.0, (5.0, 0.0), False)


def test_three_scenes_are_enough_of_a_long_film_and_one_title_card_is_not():
    film = footage([CARD, CARD, CARD, CARD, *range(20)])
    assert ids(matched(film, footage([CARD, CARD, CARD, CARD, *range(30, 50)]))) == []
    assert ids(matched(film, footage([7, 8, 9, *range(30, 50)]))) == [(0, 0)]
    assert ids(matched(film, footage([7, 8, *range(30, 50)]))) == []


def test_the_distance_is_that_of_all_256_bits():
    film = footage([*range(6)])
    for count, found in ((0, [(0, 0)]), (56, [(0, 0)]), (57, [])):
        assert ids(matched(film, footage([turned(frame, count) for frame in range(6)]))) == found
    (pair,) = matched(film, footage([turned(0, 10), turned(1, 20), turned(2, 40)]))
    assert pair.distance == 20
    assert pair.seconds == (0.0, 0.0)
    assert (
        matched(film, footage([turned(0, 10), turned(1, 20), turned(2, 40)]), LeakConfig(max_distance=15, still_distance=0)) == []
    )


def test_still_keyframes_count_as_many():
    one = footage([0, 1], weights=[[8, 2]])
    assert ids(matched(one, footage([0, *range(30, 50)]))) == [(0, 0)]
    assert ids(matched(one, footage([1, *range(30, 50)]))) == []


def test_a_footage_is_compared_with_itself_where_wanted():
    films = footage([0, 1, 2], [3, 4], [2, 1, 0], [4, 3])
    assert ids(matched(films, None, wanted=lambda first, second: first != second)) == [(0, 2), (1, 3)]
    assert ids(matched(films, None, wanted=lambda first, second: first + second == 4)) == [(1, 3)]


def test_mirror_images_are_found_when_asked():
    flipped = footage([SCENES[frame] ^ MIRRORED for frame in range(4)])
    assert matched(footage([*range(4)]), flipped) == []
    (pair,) = matched(footage([*range(4)]), flipped, mirrored=True)
    assert pair.mirrored
    both = footage([*range(4)], [SCENES[frame] ^ MIRRORED for frame in range(4)])
    assert ids(matched(both, None, wanted=lambda first, second: first != second, mirrored=True)) == [(0, 1)]


def test_what_looks_like_too_many_says_nothing():
    films = footage(*([[CARD]] * 30), [5, 6], [6, 5])
    config = LeakConfig(max_neighbours=20)
    pairs = match_frames(films, None, config, lambda first, second: first != second, workers=1)
    assert pairs.num_common == 30
    assert ids(match_videos(films, films, pairs, config)) == [(30, 31)]


@pytest.mark.parametrize("distance", [0, 20, 56])
def test_frames_match_as_a_slow_loop_says(distance):
    rng = np.random.default_rng(distance)
    near = SCENES[rng.integers(0, 60, 80)].copy()
    for words in near:
        for bit in rng.integers(0, 256, rng.integers(0, 70)).tolist():
            words[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    config = LeakConfig(max_distance=distance, still_distance=0)
    found = match_frames(footage([*range(60)]), footage([*near]), config, every, workers=2)
    expected = []
    for i, j in np.ndindex(60, 80):
        counts = [(int(a) ^ int(b)).bit_count() for a, b in zip(SCENES[i], near[j], strict=True)]
        if counts[0] <= min(8, distance) and sum(counts) <= distance:
            expected.append((i, j, sum(counts)))
    assert list(zip(found.first.tolist(), found.second.tolist(), found.distance.tolist(), strict=True)) == expected
