"""The search finds what comparing every pair finds."""

import itertools

import numpy as np
import pytest

from vdata.errors import ConfigError
from vdata.leaks import search
from vdata.leaks.search import near_pairs


def draw(count, seed):
    """Random hashes, and near copies of half of them at every distance up to 20."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 2**64, count, dtype=np.uint64)
    near = own[: count // 2].copy()
    for place in range(len(near)):
        for bit in rng.choice(64, place % 21, replace=False):
            near[place] ^= np.uint64(1) << np.uint64(bit)
    return np.concatenate([own, near])


def brute(hashes, others, distance):
    """Every pair, one by one."""
    pairs = itertools.combinations(range(len(hashes)), 2) if others is None else np.ndindex(len(hashes), len(others))
    facing = (hashes if others is None else others).tolist()
    own = hashes.tolist()
    return [(i, j, d) for i, j in pairs if (d := (own[i] ^ facing[j]).bit_count()) <= distance]


def listed(found):
    return list(zip(found.first.tolist(), found.second.tolist(), found.distance.tolist(), strict=True))


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16])
def test_it_equals_brute_force_within_one_array(distance):
    hashes = draw(200, distance)
    found = near_pairs(hashes, None, distance)
    assert listed(found) == brute(hashes, None, distance)
    assert len(found) >= 100 * (min(distance, 20) + 1) // 21


@pytest.mark.parametrize("distance", [0, 3, 8, 10])
@pytest.mark.parametrize("blocks", range(3, 9))
def test_it_equals_brute_force_between_two_whatever_the_blocks(monkeypatch, distance, blocks):
    monkeypatch.setattr(search, "_FEWEST_BLOCKS", blocks)
    monkeypatch.setattr(search, "_MOST_BLOCKS", blocks)
    monkeypatch.setattr(search, "_AT_A_TIME", 50)
    hashes, others = draw(90, 1)[:40], draw(90, 1)[20:]
    assert listed(near_pairs(hashes, others, distance, workers=2)) == brute(hashes, others, distance)


def test_equal_hashes_are_pairs_and_none_is_its_own():
    hashes = np.array([7, 7, 7, 1 << 63], np.uint64)
    assert listed(near_pairs(hashes, None, 0)) == [(0, 1, 0), (0, 2, 0), (1, 2, 0)]
    assert listed(near_pairs(hashes, hashes[3:], 0)) == [(3, 0, 0)]
    assert len(near_pairs(hashes[:0], None, 8)) == len(near_pairs(hashes, hashes[:0], 8)) == 0


def test_what_does_not_count_is_left_out_and_so_is_what_looks_like_all():
    hashes = np.array([0] * 10 + [2**64 - 1] * 3, np.uint64)
    even = near_pairs(hashes, None, 2, keep=lambda first, second: (first + second) % 2 == 0)
    assert listed(even) == [(i, j, d) for i, j, d in brute(hashes, None, 2) if (i + j) % 2 == 0]
    limited = near_pairs(hashes, None, 2, limit=3)
    assert listed(limited) == [(10, 11, 0), (10, 12, 0), (11, 12, 0)]
    assert limited.num_common == 10
    between = near_pairs(hashes, hashes[:1], 0, limit=5)
    assert (len(between), between.num_common) == (0, 1)


def test_progress_ends_with_all_parts_and_a_distance_is_checked():
    told = []
    near_pairs(draw(50, 0), None, 3, on_part=lambda done, total: told.append((done, total)))
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
    with pytest.raises(ConfigError, match=r"distance \(65\) must be in \[0, 64\]"):
        near_pairs(draw(50, 0), None, 65)


def test_a_mistake_of_the_callback_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        near_pairs(np.zeros(4, np.uint64), None, 0, keep=lambda first, second: 1 / 0)
