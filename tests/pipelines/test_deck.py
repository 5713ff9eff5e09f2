"""The deck: every unit where it may stand, and as likely there as anywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pipelines.deck import Shuffler, mixed


def raw(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize("sizes", [[5], [1], [], [0], [3, 0, 1, 8], [1, 1, 1], [0, 0, 17, 2, 0]])
def test_mixed_sorts_every_group_by_its_random_bits(sizes):
    numbers = raw(sum(sizes))
    group_bits = max(0, len(sizes) - 1).bit_length()
    own_bits = max(0, max(sizes, default=0) - 1).bit_length()
    # Above the group's number stand a key's highest bits, below it the number itself.
    keys = [int(number) >> (group_bits + own_bits) for number in numbers]
    expected, start = [], 0
    for size in sizes:
        expected += sorted(range(size), key=lambda i, start=start: keys[start + i])
        start += size
    assert mixed(numbers, np.array(sizes, np.int64)).tolist() == expected


def test_every_order_of_a_group_is_as_likely():
    orders = mixed(raw(24 * 400 * 4), np.full(24 * 400, 4)).reshape(-1, 4).tolist()
    counts = [orders.count(list(order)) for order in itertools.permutations(range(4))]
    assert stats.chisquare(counts).pvalue > 0.01


def test_equal_bits_keep_the_numbers_apart():
    assert mixed(np.zeros(7, np.uint64), np.array([3, 4])).tolist() == [0, 1, 2, 0, 1, 2, 3]


def example(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The videos and shards of some units."""
    rng = np.random.default_rng(5)
    video = np.repeat(np.arange(40), rng.integers(1, 7, 40))
    shard = np.arange(len(video)) // 9
    if name == "alone":
        return rng.permutation(60) * 3, np.arange(60) // 9
    if name == "scattered":
        order = rng.permutation(len(video))
        return video[order], np.sort(rng.integers(0, 12, len(video)))
    return video, shard


EXAMPLES = ("ordered", "scattered", "alone")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("blocks", [0, 1, 3, 100])
@pytest.mark.parametrize("weighed", [False, True])
def test_a_deck_holds_every_copy_once_with_its_video_in_one_piece_and_one_window(name, blocks, weighed):
    video, shard = example(name)
    first_shard = {one: shard[np.flatnonzero(video == one)[0]] for one in np.unique(video)}
    copies = np.random.default_rng(1).integers(0, 4, len(video)) if weighed else None
    shuffler = Shuffler.of(video, shard if blocks else None, blocks or 1)
    decks = [shuffler.deck(3, epoch, copies) for epoch in range(4)]
    for deck in decks:
        units = deck.units.tolist()
        assert (
            np.bincount(units, minlength=len(video)).tolist() == (np.ones(len(video), int) if copies is None else copies).tolist()
        )
        pieces = [one for one, _ in itertools.groupby(video[units].tolist())]
        assert len(pieces) == len(set(pieces))
        assert deck.windows[0] == 0
        assert deck.windows[-1] == len(units)
        windows = [units[start:stop] for start, stop in itertools.pairwise(deck.windows.tolist())]
        shards = [{first_shard[video[unit]] for unit in window} for window in windows]
        assert len(windows) == (-(-len(set(first_shard.values())) // blocks) if blocks else 1)
        assert not blocks or all(len(found) <= blocks for found in shards)
        assert sum(map(len, shards)) == len(set().union(*shards))
    assert len({tuple(deck.units.tolist()) for deck in decks}) == 4
    assert decks[2].units.tolist() == shuffler.deck(3, 2, copies).units.tolist()


@pytest.mark.parametrize("blocks", [0, 2])
def test_each_unit_is_as_likely_at_every_place(blocks):
    video, shard = np.arange(8), np.arange(8) // 2
    shuffler = Shuffler.of(video, shard if blocks else None, blocks or 1)
    counts = np.zeros((8, 8))
    for epoch in range(2000):
        counts[np.arange(8), shuffler.deck(9, epoch).units] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 0.01


def test_shards_meet_in_a_window_as_often_as_others_do():
    shuffler = Shuffler.of(np.arange(6), np.arange(6), 2)
    met = dict.fromkeys(itertools.combinations(range(6), 2), 0)
    for epoch in range(2000):
        for pair in np.sort(shuffler.deck(0, epoch).units.reshape(3, 2)).tolist():
            met[tuple(pair)] += 1
    assert stats.chisquare(list(met.values())).pvalue > 0.01


def test_seeds_differ():
    shuffler = Shuffler.of(np.arange(50))
    assert shuffler.deck(0, 0).units.tolist() != shuffler.deck(1, 0).units.tolist()
