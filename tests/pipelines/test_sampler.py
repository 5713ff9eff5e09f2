"""The global sequence: every unit once, the same for any number of ranks, no video twice in a batch."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from pipelines.philox import NUM_UNIFORMS, SAMPLE, uniforms
from pipelines.sampler import OrderConfig, Sampler
from pipelines.units import ClipUnits, make_units
from pipelines.weights import Shares
from vdata.errors import ConfigError

SHUFFLES = ("global", "block", "none")


@pytest.fixture
def make_sampler(make_index):
    """A function from the videos of clips to a sampler of the clips."""

    def make(video, *, shard=0, weights=None, unit="clip", columns=None, seed=3, batch_size=4, rank=0, world_size=1, **order):
        index = make_index(video, shard=shard, **(columns or {}))
        units = make_units(unit, index, np.arange(len(index)))
        settings = {"seed": seed, "batch_size": batch_size, "rank": rank, "world_size": world_size}
        return Sampler(units, OrderConfig(**order), **settings, weights=weights)

    return make


def sequence(sampler: Sampler, epoch: int) -> list[int]:
    return sampler.units(epoch, np.arange(sampler.num_samples)).tolist()


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize(("num_clips", "batch_size"), [(24, 4), (25, 4), (3, 4), (1, 1), (7, 7)])
def test_every_unit_stands_once_in_an_epoch(make_sampler, num_clips, batch_size, shuffle):
    shard = np.arange(num_clips) // 3
    sampler = make_sampler(
        np.arange(num_clips) // 2, shard=shard, batch_size=batch_size, drop_last=False, shuffle=shuffle, block_shards=2
    )
    epochs = [sequence(sampler, epoch) for epoch in range(8)]
    assert all(sorted(found) == list(range(num_clips)) for found in epochs)
    assert len({tuple(found) for found in epochs}) > 1 or num_clips == 1 or shuffle == "none"
    assert epochs[3] == sequence(sampler, 3)
    assert sampler.num_batches == -(-num_clips // batch_size)


@pytest.mark.parametrize("shuffle", ["global", "block"])
def test_dropped_units_change_from_epoch_to_epoch(make_sampler, shuffle):
    sampler = make_sampler(np.arange(11), shard=np.arange(11) // 2, shuffle=shuffle, block_shards=2)
    kept = [frozenset(sequence(sampler, epoch)) for epoch in range(10)]
    assert all(len(units) == 8 for units in kept)
    assert len(set(kept)) > 5


def test_units_of_long_videos_are_dropped_as_often_as_others(make_sampler):
    sampler = make_sampler(np.repeat(np.arange(6), [5, 1, 1, 1, 1, 2]), batch_size=3)
    left_out = np.zeros(11)
    for epoch in range(3000):
        left_out[np.setdiff1d(np.arange(11), sequence(sampler, epoch))] += 1
    # Two neighbours are left out each time: the expectation is exact, the spread a bit wider than of single ones.
    assert left_out.sum() == 6000
    assert np.abs(left_out - 6000 / 11).max() < 5 * np.sqrt(3000 * 2 / 11)


def most_of_a_video(video: np.ndarray, units: list[int], batch_size: int) -> int:
    """The largest number of samples of one video in one batch."""
    batches = [video[units[first : first + batch_size]] for first in range(0, len(units), batch_size)]
    return max(int(np.unique(batch, return_counts=True)[1].max()) for batch in batches)


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("order", ["ordered", "scattered"])
def test_no_batch_holds_a_video_twice_where_that_can_be(make_sampler, order, seed, drop_last):
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(60), rng.integers(1, 9, 60))
    if order == "scattered":
        rng.shuffle(video)
    batch_size = len(video) // 10  # 10 batches, and at most 8 clips of a video
    sampler = make_sampler(video, seed=seed, batch_size=batch_size, drop_last=drop_last)
    for epoch in range(3):
        assert most_of_a_video(video, sequence(sampler, epoch), batch_size) == 1


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_neither_does_one_of_blocks_nor_the_batch_where_two_meet(make_sampler, seed, drop_last):
    video = np.repeat(np.arange(120), np.random.default_rng(seed).integers(1, 5, 120))
    # 4 windows of some 75 clips: at least 8 full batches of 7 and two shared ones, at most 4 clips of a video.
    shard = np.arange(len(video)) * 12 // len(video)
    sampler = make_sampler(video, shard=shard, seed=seed, batch_size=7, drop_last=drop_last, shuffle="block", block_shards=3)
    for epoch in range(3):
        assert most_of_a_video(video, sequence(sampler, epoch), 7) == 1


def test_copies_of_a_unit_are_kept_apart_too(make_sampler):
    video = np.repeat(np.arange(40), 3)
    weights = np.where(video == 5, 4.0, 1.0)  # 12 expected samples of video 5 in 20 batches
    sampler = make_sampler(video, batch_size=6, weights=weights)
    for epoch in range(5):
        units = sequence(sampler, epoch)
        assert np.sum(video[units] == 5) >= 9
        assert most_of_a_video(video, units, 6) == 1


def test_a_videos_clips_do_not_stand_in_neighbouring_batches_more_often_than_by_chance(make_sampler):
    video = np.arange(40) // 2
    sampler, neighbours = make_sampler(video, seed=1), 0
    for epoch in range(500):
        one, other = np.flatnonzero(video[sequence(sampler, epoch)] < 1) // 4
        neighbours += abs(one - other) == 1
    assert stats.binomtest(neighbours, 500, 9 / 45).pvalue > 0.01  # 9 of the 45 pairs of 10 batches


def test_a_video_of_too_many_clips_is_spread_as_thinly_as_can_be(make_sampler):
    video = np.repeat(np.arange(8), [25, 5, 5, 5, 5, 5, 5, 5])
    units = sequence(make_sampler(video, batch_size=6), 0)  # 10 batches: 25 clips of one video are 2 or 3 in each
    batches = video[units].reshape(10, 6)
    assert max(np.sum(batches == 0, axis=1)) <= 3
    assert max(np.bincount(batch)[1:].max() for batch in batches) == 1


def test_each_unit_is_as_likely_at_every_position(make_sampler):
    sampler, counts = make_sampler(np.arange(6), batch_size=2, seed=9), np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), sequence(sampler, epoch)] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 0.01


def test_a_batch_of_blocks_reads_few_shards(make_sampler):
    shard = np.arange(2000) // 20  # 100 shards
    sampler = make_sampler(np.arange(2000), shard=shard, batch_size=16, shuffle="block", block_shards=5)
    batches = shard[sequence(sampler, 0)].reshape(-1, 16)
    touched = [len(set(batch.tolist())) for batch in batches]
    assert max(touched) <= 10
    assert sum(count > 5 for count in touched) <= 20  # the batches where two of 20 windows meet
    assert np.mean(touched) > 4
    # A window's shards are read in one stretch of the epoch and then no more.
    stretch = [np.ptp(np.flatnonzero((batches == one).any(axis=1))) for one in range(100)]
    assert max(stretch) <= 100 / 16 + 1
    assert len({tuple(shard[sequence(sampler, epoch)][:5]) for epoch in range(5)}) > 1


WORLDS = (1, 2, 4, 8)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("num_clips", [40, 43, 46, 5])
def test_the_global_sequence_is_the_same_for_any_number_of_ranks(make_sampler, num_clips, shuffle, drop_last, weighed):
    found = []
    for world_size in WORLDS:
        settings = {"shard": np.arange(num_clips) // 4, "drop_last": drop_last, "shuffle": shuffle, "block_shards": 2}
        settings |= {"weights": np.arange(num_clips) % 3 + 0.5 if weighed else None}
        ranks = [
            make_sampler(np.arange(num_clips) // 2, batch_size=8 // world_size, rank=rank, world_size=world_size, **settings)
            for rank in range(world_size)
        ]
        assert len({one.num_batches for one in ranks}) == 1
        rows = []
        for batch, one in itertools.product(range(ranks[0].num_batches), ranks):
            positions, valid = one.positions(batch)
            assert len(positions) == len(valid) <= 8 // world_size
            assert world_size == 1 or len(positions) == 8 // world_size
            rows += one.units(1, positions[valid]).tolist()
        found.append(rows)
    assert all(rows == found[0] for rows in found)
    assert len(found[0]) == (num_clips // 8 * 8 if drop_last else num_clips)


def test_rows_behind_the_end_repeat_the_epochs_start(make_sampler):
    ranks = [make_sampler(np.arange(10), batch_size=3, rank=rank, world_size=2, drop_last=False) for rank in range(2)]
    assert [one.num_batches for one in ranks] == [2, 2]
    assert [part.tolist() for part in ranks[0].positions(1)] == [[6, 7, 8], [True, True, True]]
    assert [part.tolist() for part in ranks[1].positions(1)] == [[9, 0, 1], [True, False, False]]
    alone = make_sampler(np.arange(10), batch_size=6, drop_last=False)
    assert [part.tolist() for part in alone.positions(1)] == [[6, 7, 8, 9], [True] * 4]
    few = make_sampler(np.arange(2), batch_size=3, rank=1, world_size=2, drop_last=False)
    assert [part.tolist() for part in few.positions(0)] == [[1, 0, 1], [False] * 3]


def test_without_shuffle_the_units_keep_their_order(make_sampler):
    sampler = make_sampler(np.arange(10) // 2, shuffle="none", drop_last=False)
    assert sequence(sampler, 0) == sequence(sampler, 7) == list(range(10))
    assert sampler.num_batches == 3
    videos = make_sampler(np.arange(10) // 2, unit="video", shuffle="none", drop_last=False)
    assert sequence(videos, 0) == list(range(5))


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_weighted_units_come_as_often_as_their_shares_say(make_sampler, shuffle):
    labels = np.repeat([0, 1, 2], [60, 30, 6])
    sampler = make_sampler(
        np.arange(96), columns={"label": labels}, weights=Shares("label"), shuffle=shuffle, shard=np.arange(96) // 10
    )
    units = np.array(sequence(sampler, 4))
    assert np.abs(np.bincount(labels[units]) - 32).max() <= 1
    assert np.bincount(units, minlength=96)[90:].min() >= 5
    assert shuffle != "none" or np.all(np.diff(units) >= 0)


def test_a_positions_unit_does_not_depend_on_what_was_asked_before(make_sampler):
    video = np.arange(50) // 3
    whole = [sequence(make_sampler(video), epoch) for epoch in range(4)]
    sampler = make_sampler(video)
    for epoch, position in np.random.default_rng(0).integers(0, [4, 48], (60, 2)).tolist():
        assert sampler.units(epoch, np.array([position])).tolist() == [whole[epoch][position]]


def test_a_samples_numbers_are_those_of_its_position(make_sampler):
    sampler = make_sampler(np.arange(10), seed=8)
    drawn = sampler.uniforms(2, np.array([7, 0]), SAMPLE)
    assert drawn.shape == (2, NUM_UNIFORMS)
    assert np.array_equal(drawn[0], uniforms(8, 2, np.array([7]), SAMPLE)[0])


@pytest.mark.parametrize("num_clips", [4, 12])
def test_a_replacement_is_another_position(make_sampler, num_clips):
    one = make_sampler(np.arange(num_clips))
    for position in range(num_clips):
        places = [one.replacement(position, attempt) for attempt in range(1, 4)]
        assert position not in places
        assert len(set(places)) == 3
        assert all(0 <= place < num_clips for place in places)


def test_settings_that_break_a_rule():
    with pytest.raises(ConfigError, match=r"shuffle \('blocks'\) must be 'global', 'block' or 'none'"):
        OrderConfig(shuffle="blocks")
    with pytest.raises(ConfigError, match=r"block_shards \(0\)"):
        OrderConfig(block_shards=0)


class BareIndex:
    """Ten million clips without what only makes the test slow."""

    def __init__(self, count: int, clips_of_a_video: int) -> None:
        self.video = np.arange(count) // clips_of_a_video
        self.shard = (np.arange(count) // 500).astype(np.int32)
        self._count = count

    def __len__(self) -> int:
        return self._count


@pytest.mark.parametrize("count", [10**6, pytest.param(10**7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shuffle", ["global", "block"])
@pytest.mark.parametrize(("clips_of_a_video", "weighed"), [(1, False), (2, False), (20, False), (20, True)])
def test_epochs_take_at_most_50_bytes_a_unit(count, shuffle, clips_of_a_video, weighed):
    units = ClipUnits.of(BareIndex(count, clips_of_a_video), np.arange(count))
    weights = np.ones(count) if weighed else None
    tracemalloc.start()
    sampler = Sampler(units, OrderConfig(shuffle=shuffle), seed=0, batch_size=256, weights=weights)
    for epoch in range(3):
        sampler.units(epoch, np.arange(5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * count
    found = sampler.units(2, np.arange(1000 * 256))
    assert len(np.unique(found)) == len(found)
    batches = np.sort(units.video[found].reshape(-1, 256), axis=1)
    assert np.all(np.diff(batches, axis=1) > 0)
