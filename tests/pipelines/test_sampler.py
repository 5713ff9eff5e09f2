"""Order and random numbers: against Philox written from its paper, and against counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pipelines.sampler import NUM_UNIFORMS, Sampler, epoch_order, uniforms

MASK = 2**64 - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """One block of Philox4x64-10. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3."""
    c, k = list(counter), list(key)
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(right >> 64) ^ c[1] ^ k[0], right & MASK, (left >> 64) ^ c[3] ^ k[1], left & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def test_uniforms_are_philox_of_position_view_and_epoch():
    key = np.random.SeedSequence(11).generate_state(2, np.uint64).tolist()
    blocks = NUM_UNIFORMS // 4
    # NumPy counts on before it makes a block.
    raw = [philox([7 * blocks + i + 1, 0, 2, 3], key) for i in range(blocks)]
    expected = [(value >> 11) / 2**53 for value in itertools.chain(*raw)]
    assert uniforms(11, 3, 7, 1, view=2)[0].tolist() == expected


def test_a_positions_numbers_do_not_depend_on_the_batch_around_it():
    rows = uniforms(0, 1, 100, 8, view=0)
    for place in range(8):
        assert np.array_equal(rows[place], uniforms(0, 1, 100 + place, 1, view=0)[0])


def test_seed_epoch_position_and_view_each_change_all_numbers():
    rows = [
        uniforms(0, 0, 0, 1, view=0),
        uniforms(1, 0, 0, 1, view=0),
        uniforms(0, 1, 0, 1, view=0),
        uniforms(0, 0, 1, 1, view=0),
        uniforms(0, 0, 0, 1, view=1),
    ]
    for one, other in itertools.combinations(rows, 2):
        assert not np.any(one == other)
    assert stats.kstest(uniforms(0, 0, 0, 500, view=0).ravel(), "uniform").pvalue > 0.01


@pytest.mark.parametrize(("num_clips", "global_batch"), [(24, 4), (25, 4), (3, 4), (1, 1), (7, 7)])
def test_every_clip_stands_once_in_an_epoch(num_clips, global_batch):
    video = np.arange(num_clips) // 2
    orders = [epoch_order(5, epoch, video, global_batch, drop_last=False).tolist() for epoch in range(8)]
    assert all(sorted(order) == list(range(num_clips)) for order in orders)
    assert len({tuple(order) for order in orders}) > 1 or num_clips == 1
    assert orders[3] == epoch_order(5, 3, video, global_batch, drop_last=False).tolist()


def test_dropped_clips_change_from_epoch_to_epoch():
    kept = [frozenset(epoch_order(0, epoch, np.arange(11), 4, drop_last=True).tolist()) for epoch in range(10)]
    assert all(len(clips) == 8 for clips in kept)
    assert len(set(kept)) > 5


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_no_batch_holds_a_video_twice_where_that_can_be(seed, drop_last):
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(60), rng.integers(1, 9, 60))
    rng.shuffle(video)
    global_batch = len(video) // 10  # 10 batches, and at most 8 clips of a video
    order = epoch_order(seed, 2, video, global_batch, drop_last=drop_last)
    for first in range(0, len(order), global_batch):
        batch = video[order[first : first + global_batch]]
        assert len(set(batch.tolist())) == len(batch)


def test_a_videos_clips_do_not_stand_in_neighbouring_batches_more_often_than_by_chance():
    video = np.arange(40) // 2
    neighbours = 0
    for epoch in range(500):
        order = epoch_order(1, epoch, video, 4, drop_last=True)
        one, other = np.flatnonzero(video[order] < 1) // 4
        neighbours += abs(one - other) == 1
    assert stats.binomtest(neighbours, 500, 9 / 45).pvalue > 0.01  # 9 of the 45 pairs of 10 batches


def test_a_video_of_too_many_clips_is_spread_as_thinly_as_can_be():
    video = np.repeat(np.arange(8), [25, 5, 5, 5, 5, 5, 5, 5])
    order = epoch_order(0, 0, video, 6, drop_last=True)  # 10 batches: 25 clips of one video are 2 or 3 in each
    counts = [np.sum(video[order[first : first + 6]] == 0) for first in range(0, 60, 6)]
    assert max(counts) <= 3
    assert max(np.bincount(video[order[first : first + 6]])[1:].max() for first in range(0, 60, 6)) == 1


def test_each_clip_is_as_likely_at_every_position():
    counts = np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), epoch_order(9, epoch, np.arange(6), 2, drop_last=True)] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 0.01


def sampler(rank: int, world_size: int, batch_size: int, num_clips: int, **settings) -> Sampler:
    settings = {"shuffle": True, "drop_last": True} | settings
    return Sampler(np.arange(num_clips) // 2, 3, batch_size, rank, world_size, **settings)


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("num_clips", [40, 43, 46])
def test_the_global_sequence_is_the_same_for_1_2_and_4_ranks(num_clips, drop_last):
    sequences = []
    for world_size in (1, 2, 4):
        ranks = [sampler(rank, world_size, 8 // world_size, num_clips, drop_last=drop_last) for rank in range(world_size)]
        batches = max(one.num_batches for one in ranks)
        rows = [one.order(1)[list(one.positions(k))] for k in range(batches) for one in ranks if k < one.num_batches]
        assert all(len(row) for row in rows)
        sequences.append(np.concatenate(rows).tolist())
    assert sequences[0] == sequences[1] == sequences[2]
    assert len(sequences[0]) == (40 if drop_last else num_clips)


def test_without_shuffle_the_clips_keep_their_order():
    one = sampler(0, 1, 4, 10, shuffle=False, drop_last=False)
    assert one.order(0).tolist() == one.order(7).tolist() == list(range(10))
    assert one.num_batches == 3


@pytest.mark.parametrize("num_clips", [4, 12])
def test_a_replacement_is_another_position(num_clips):
    one = sampler(0, 1, 4, num_clips)
    for position in range(num_clips):
        places = [one.replacement(position, attempt) for attempt in range(1, 4)]
        assert position not in places
        assert len(set(places)) == 3
        assert all(0 <= place < num_clips for place in places)
